"""An approval counts while its reviewer may give it, and only where the trail knows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

import pytest
import yaml
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from lifecycle.runtime.refusals import Conflict
from registry.catalog.models import Endpoint
from registry.ground.access import actions as access
from registry.ground.access import policy
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from registry.ground.ledger.rules import digest_of
from registry.policies import actions as policies
from registry.policies.models import Policy
from registry.promotions import actions, rules, votes
from registry.promotions.actions import subject
from registry.promotions.models import PromotionRequest, Verdict
from registry.promotions.rules import Status
from tests.support import registry
from tests.support.jobs import run_jobs
from tests.support.people import PASSWORD
from tests.support.trail import behind_its_back
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def approved(version, endpoint, mia, lee, gita):
    return registry.approved_request(version, endpoint, mia, lee, gita)


def lose_role(user, project, adam):
    access.revoke(user=user, role=Role.LEAD, root=project, actor=adam, password=PASSWORD)


def leave(user, project, adam):
    access.deactivate_user(user_id=user.uuid, actor=adam)


@contextmanager
def lacking() -> Iterator[None]:
    """Refused as a request without its approvals, of all the conflicts that the same call may end in."""
    with refused(by=Conflict, match="lacks approvals that its policy requires"), transaction.atomic():
        yield


LOSSES = [lose_role, leave]


def lost_of_the_last_event():
    """Whose approvals no longer counted when the request was voided."""
    event = Event.objects.latest("pk")
    assert event.verb == "promotions.voided"
    return json.loads(event.canonical)["payload"]["lost"]


@pytest.mark.parametrize("loss", LOSSES)
def test_no_second_step_is_built_on_a_vote_that_fell(request_, project, lee, gita, adam, loss):
    registry.approve(request_, lee)
    loss(lee, project, adam)

    with pytest.raises(Conflict, match="Technical review"):
        registry.approve(request_, gita)

    request_.refresh_from_db()
    assert (request_.status, list(Verdict.objects.values_list("reviewer__username", flat=True))) == (
        Status.VOIDED,
        ["lee"],
    )
    assert lost_of_the_last_event() == [str(lee.uuid)]


@pytest.mark.parametrize("loss", LOSSES)
def test_an_approval_whose_reviewer_left_is_not_deployed(approved, project, lee, adam, loss):
    loss(lee, project, adam)

    with pytest.raises(Conflict), transaction.atomic():
        actions.claim_approval(approved.uuid)
    assert PromotionRequest.objects.get().status == Status.APPROVED
    with pytest.raises(Conflict):
        actions.ready_to_deploy(approved.uuid)

    assert PromotionRequest.objects.get().status == Status.VOIDED
    assert lost_of_the_last_event() == [str(lee.uuid)]


def test_the_page_shows_that_a_vote_fell_and_the_sweep_ends_its_request(
    approved, client_for, project, lee, mia, adam
):
    lose_role(lee, project, adam)

    page = client_for(mia).get(f"/promotions/{approved.uuid}/")
    assert page.context["stale"].startswith("Technical review ")
    assert page.context["stale"] in page.content.decode()
    assert actions.review_open() == 1
    assert PromotionRequest.objects.get().status == Status.VOIDED
    assert lost_of_the_last_event() == [str(lee.uuid)]


def forge_votes(request, lee, gita):
    for step, reviewer in (("technical", lee), ("governance", gita)):
        given = {"approves": True, "reason": "Good.", "subject_digest": request.subject_digest}
        Verdict.objects.create(request=request, step=step, reviewer=reviewer, **given)
    PromotionRequest.objects.filter(pk=request.pk).update(status=Status.APPROVED)


def test_a_policy_with_fewer_steps_that_someone_wrote_into_the_request_approves_nothing(request_, lee):
    registry.approve(request_, lee)
    text = yaml.safe_dump((read := yaml.safe_load(request_.policy.text)) | {"steps": read["steps"][:1]})
    forged = Policy.objects.create(name="short", version=1, text=text, digest=request_.subject["policy"])
    PromotionRequest.objects.filter(pk=request_.pk).update(policy=forged, status=Status.APPROVED)
    before = state(request_)

    with lacking():
        actions.ready_to_deploy(request_.uuid)

    assert state(request_) == before


def state(request):
    return PromotionRequest.objects.get(pk=request.pk).status, Verdict.objects.count(), Event.objects.count()


def test_votes_that_someone_wrote_into_the_database_are_none(request_, lee, gita):
    forge_votes(request_, lee, gita)
    before = state(request_)

    with lacking():
        actions.ready_to_deploy(request_.uuid)
    with lacking():
        actions.claim_approval(request_.uuid)

    assert state(request_) == before


def test_a_vote_of_another_subject_is_none(approved):
    PromotionRequest.objects.filter(pk=approved.pk).update(subject_digest="0" * 64)
    before = state(approved)

    with lacking():
        actions.claim_approval(approved.uuid)

    assert state(approved) == before


def test_an_approval_by_a_policy_that_no_one_published_is_not_deployed(approved):
    behind_its_back("UPDATE ledger_event SET verb = 'policies.drafted' WHERE verb = 'policies.published'")
    before = state(approved)

    with lacking():
        actions.claim_approval(approved.uuid)

    assert state(approved) == before


def publish_in_the_database(endpoint):
    Policy.objects.create(
        name="standard", version=99, text=registry.LAX, digest=sha256(registry.LAX.encode()).hexdigest()
    )


def move_to_a_policy_of_others(endpoint):
    lax = policies.publish(text=registry.LAX.replace("name: standard", "name: lax"), actor=None)
    Endpoint.objects.filter(pk=endpoint.pk).update(policy=lax)


@pytest.mark.parametrize("forge", [publish_in_the_database, move_to_a_policy_of_others])
def test_no_gate_is_checked_by_a_policy_that_the_trail_does_not_know(
    project, endpoint, version, mia, ravi, forge
):
    worse = registry.make_version(
        project, mia, ravi, model=version.model, snapshot=version.run.snapshot, semver="2.0.0", wrong=190
    )
    forge(endpoint)

    request = actions.request(version=worse, endpoint=endpoint, note="", actor=mia)
    (job,) = run_jobs("default")

    request.refresh_from_db()
    assert (Job.objects.get(pk=job.pk).state, request.status, request.gates.count()) == (
        State.FAILED,
        Status.DRAFT,
        0,
    )
    assert f"governed by {Policy.objects.latest('pk')}" in request.reason


def test_who_was_struck_from_the_people_of_a_request_is_found_again_when_they_approve(project, mia, ravi):
    access.grant(user=ravi, role=Role.LEAD, root=project, actor=None)
    version = registry.make_version(
        project, mia, ravi, snapshot=registry.make_snapshot(project, ravi, frozen_by=mia)
    )
    request = registry.asked_request(version, registry.make_endpoint(version.model, mia), mia)
    people = request.subject["people"]
    assert people["decided"] == [str(ravi.uuid)]
    forged = {**request.subject, "people": {**people, "decided": []}}
    PromotionRequest.objects.filter(pk=request.pk).update(subject=forged, subject_digest=digest_of(forged))

    with refused(by=PermissionDenied, naming=(rules.PARTS["decided"],)):
        registry.approve(request, ravi)


def test_a_subject_that_is_not_the_one_of_its_digest_is_void_and_who_was_struck_from_it_gives_no_vote(
    version, endpoint, lee, client_for
):
    request = registry.asked_request(version, endpoint, lee)
    strike(request, "requester", "trained", "registered")
    events = Event.objects.count()

    page = client_for(lee).get(f"/promotions/{request.uuid}/")
    assert page.context["stale"] != ""
    assert escape(page.context["stale"]) in page.content.decode()
    body = {"reason": "Good.", "password": PASSWORD, "seen": request.subject_digest}
    answer = client_for(lee).post(
        f"/api/v1/promotions/{request.uuid}/approve/", body, content_type="application/json"
    )

    assert (answer.status_code, state(request)) == (409, (Status.VOIDED, 0, events + 1))
    assert Event.objects.latest("pk").verb == "promotions.voided"


def strike(request, *parts):
    people = {**request.subject["people"], **dict.fromkeys(parts, [])}
    PromotionRequest.objects.filter(pk=request.pk).update(subject={**request.subject, "people": people})


def test_a_shorter_policy_in_the_subject_and_the_row_approves_nothing(request_, lee):
    registry.approve(request_, lee)
    text = yaml.safe_dump(
        (read := yaml.safe_load(request_.policy.text)) | {"name": "short", "steps": read["steps"][:1]}
    )
    digest = sha256(text.encode()).hexdigest()
    short = Policy.objects.create(name="short", version=1, text=text, digest=digest)
    forged = {"policy": short, "status": Status.APPROVED, "subject": {**request_.subject, "policy": digest}}
    PromotionRequest.objects.filter(pk=request_.pk).update(**forged)
    before = state(request_)

    with lacking():
        actions.claim_approval(request_.uuid)
    assert state(request_) == before
    with pytest.raises(Conflict):
        actions.ready_to_deploy(request_.uuid)

    assert state(request_)[0] == Status.VOIDED


def test_a_vote_of_someone_who_took_part_is_none_however_it_came_about(
    project, version, endpoint, ravi, mia, gita, monkeypatch
):
    access.grant(user=ravi, role=Role.LEAD, root=project, actor=None)
    request = registry.asked_request(version, endpoint, mia)
    monkeypatch.setattr(rules, "check_separation", lambda person, people: None)
    registry.approve(request, ravi)  # who decided the labels of its test split
    registry.approve(request, gita)

    for status, use in (
        (Status.APPROVED, actions.ready_to_deploy),
        (Status.FULFILLED, actions.check_still_holds),
    ):
        PromotionRequest.objects.filter(pk=request.pk).update(status=status)
        before = state(request)
        with lacking():
            use(request.uuid)
        assert state(request) == before


def test_who_was_struck_from_the_people_before_they_voted_gives_no_vote_that_is_used(
    project, version, endpoint, ravi, mia, gita, monkeypatch
):
    access.grant(user=ravi, role=Role.LEAD, root=project, actor=None)
    request = registry.asked_request(version, endpoint, mia)
    strike(request, "decided", "froze")
    request.refresh_from_db()
    request.subject_digest = digest_of(request.subject)
    request.save(update_fields=["subject_digest"])
    monkeypatch.setattr(rules, "check_separation", lambda person, people: None)
    registry.approve(request, ravi)
    registry.approve(request, gita)
    before = state(request)

    with lacking():
        actions.ready_to_deploy(request.uuid)
    assert state(request) == before


def test_what_was_lost_is_asked_once_for_all_votes(request_, lee, gita):
    asked = []
    for person in (lee, gita):
        registry.approve(request_, person)
        fresh = PromotionRequest.objects.select_related("endpoint__model__project", "policy").get(
            pk=request_.pk
        )
        with CaptureQueriesContext(connection) as statements:
            assert subject.lost(fresh) == []
        asked.append(statements.captured_queries)

    with CaptureQueriesContext(connection) as one_role:
        list(policy.holders(Role.GOVERNANCE, fresh))
    counts = [sum("ledger_event" in each["sql"] for each in statements) for statements in asked]
    # one more role, and nothing more for the second vote
    assert (counts[0], len(asked[1]) - len(asked[0])) == (counts[1], len(one_role))


def read(request):
    return PromotionRequest.objects.select_related("endpoint__policy", "policy").get(pk=request.pk)


def test_approvals_suffice_of_each_step_by_people_who_took_no_part(request_, lee, gita, mia):
    assert not votes.suffice(read(request_), {})
    registry.approve(request_, lee)
    assert not votes.suffice(read(request_), {})
    registry.approve(request_, gita)

    assert votes.suffice(read(request_), {"trained": [str(mia.uuid)]})
    for person in (lee, gita):
        assert not votes.suffice(read(request_), {"trained": [str(person.uuid)]})


def test_two_steps_by_one_person_do_not_suffice(approved, lee, monkeypatch):
    given = [
        Verdict(request=approved, step=step, reviewer=lee, approves=True)
        for step in ("technical", "governance")
    ]
    monkeypatch.setattr(votes, "recorded", lambda request: given)

    assert not votes.suffice(read(approved), {})


def test_approvals_of_a_subject_that_was_changed_in_the_row_do_not_suffice(approved):
    strike(approved, "requester")
    before = state(approved)

    assert not votes.suffice(read(approved), {})
    with lacking():
        actions.claim_approval(approved.uuid)
    assert state(approved) == before


def test_approvals_suffice_by_the_policy_that_they_were_given_under_alone(approved):
    shorter = policies.publish(text=registry.LAX, actor=None)
    request = read(approved)
    assert votes.governs(shorter, request)
    request.policy = shorter

    assert not votes.suffice(request, {})


def test_a_policy_governs_no_endpoint_that_has_no_event(approved):
    request = read(approved)
    assert votes.governs(request.policy, request)

    behind_its_back(
        "UPDATE ledger_event SET object_id = %s WHERE object_id = %s", "another", str(approved.endpoint.uuid)
    )

    assert not votes.governs(request.policy, request)


def test_a_vote_of_a_step_that_the_policy_does_not_have_no_longer_counts(approved):
    request = read(approved)
    request.policy = Policy(text=registry.LAX.replace("name: technical", "name: legal"))

    fallen = subject.lost(request)

    assert [vote.step for vote in fallen] == ["technical", "governance"]
    assert subject.lost_sentence(request, fallen).startswith("technical ")
    assert subject.lost_sentence(read(approved), fallen).startswith("Technical review ")
