"""I1, I2, I3, I5, I6, T20: who may approve what, in which order, bound to what they saw. A refusal changes
nothing.
"""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction

from lifecycle.runtime.refusals import Conflict, Refused
from registry.catalog import queries as catalog
from registry.catalog.actions import edit_card
from registry.ground.access import actions as access
from registry.ground.access.decorators import Needs
from registry.ground.access.models import User
from registry.ground.access.roles import Role
from registry.ground.ledger.actions import record
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from registry.promotions import actions
from registry.promotions.actions.approve import give
from registry.promotions.models import PromotionRequest, Verdict
from registry.promotions.rules import PARTS, Status
from tests.support import registry
from tests.support.people import PASSWORD, make_person
from tests.support.trail import behind_its_back
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


def state(request) -> tuple[str, int, int]:
    return PromotionRequest.objects.get(pk=request.pk).status, Verdict.objects.count(), Event.objects.count()


@pytest.fixture
def unchanged(request_):
    """What must not have changed when the test ends, beside the failure of a password."""
    before = state(request_)
    yield
    assert state(request_) == before


def test_gates_that_pass_move_it_into_review(request_):
    gates = {row.gate: row.status for row in request_.gates.all()}

    assert request_.status == Status.IN_REVIEW
    assert gates == dict.fromkeys(
        ["quality", "live", "calibration", "leakage", "labels", "signature", "card"], "passed"
    )
    assert request_.subject["people"] == {
        "requester": [str(request_.requester.uuid)],
        "trained": [str(User.objects.get(username="mia").uuid)],
        "registered": [str(User.objects.get(username="mia").uuid)],
        "decided": [str(User.objects.get(username="ravi").uuid)],
        "froze": [str(User.objects.get(username="ravi").uuid)],
        "card": [str(User.objects.get(username="mia").uuid)],
    }


def test_lead_then_governance_approve(request_, lee, gita):
    first = registry.approve(request_, lee)
    assert (first.status, first.expires_at) == (Status.IN_REVIEW, None)

    second = registry.approve(request_, gita)

    assert second.status == Status.APPROVED
    assert (second.expires_at - Verdict.objects.get(reviewer=gita).created_at).days in (6, 7)
    verdicts = Verdict.objects.order_by("pk").values_list(
        "step", "reviewer__username", "approves", "subject_digest"
    )
    assert list(verdicts) == [
        ("technical", "lee", True, second.subject_digest),
        ("governance", "gita", True, second.subject_digest),
    ]


@pytest.mark.usefixtures("unchanged")
def test_governance_waits_for_the_technical_step(request_, gita):
    with refused(by=PermissionDenied, naming=("ML lead",)):
        registry.approve(request_, gita)


def test_the_requester_cannot_approve_whatever_their_role(version, endpoint, lee):
    request = registry.asked_request(version, endpoint, lee)

    with refused(by=PermissionDenied, naming=(PARTS["requester"],)):
        registry.approve(request, lee)


def test_people_who_took_part_cannot_approve(project, mia, ravi):
    people = {
        part: make_person(part, project=project, role=Role.LEAD)
        for part in ("trained", "registered", "decided", "froze", "card")
    }
    snapshot = registry.make_snapshot(project, people["decided"], frozen_by=people["froze"])
    version = registry.make_version(
        project, people["trained"], ravi, registrar=people["registered"], snapshot=snapshot
    )
    card = catalog.newest_card(version)
    edit_card(
        version=version,
        stated=registry.STATED | {"limits": "None known."},
        seen=card.digest,
        actor=people["card"],
    )
    request = registry.asked_request(version, registry.make_endpoint(version.model, mia), mia)

    for part, person in people.items():
        with refused(by=PermissionDenied, naming=(PARTS[part],)):
            registry.approve(request, person)
        took_part = {name for name, uuids in request.subject["people"].items() if str(person.uuid) in uuids}
        # who registers writes the first revision
        assert took_part == {part} | ({"card"} if part == "registered" else set())


@pytest.mark.parametrize("decision", [actions.approve, actions.reject])
def test_a_role_that_is_taken_while_a_decision_waits_for_its_lock_does_not_count(
    monkeypatch, request_, lee, adam, decision
):
    Needs(f"promotions.{decision.__name__}", PromotionRequest, see="promotions.view").check(
        lee, {"uuid": request_.uuid}
    )  # as the view does first
    before, lock = state(request_), PromotionRequest.locked

    def last_to_come(uuid):
        access.revoke(
            user=User.objects.get(pk=lee.pk),
            role=Role.LEAD,
            root=request_.endpoint.model.project,
            actor=adam,
            password=PASSWORD,
        )
        return lock(uuid)

    monkeypatch.setattr(PromotionRequest, "locked", last_to_come)

    with pytest.raises(PermissionDenied):
        decision(
            request_id=request_.uuid,
            actor=lee,
            reason="Good.",
            password=PASSWORD,
            seen=request_.subject_digest,
        )

    assert state(request_) == before


@pytest.mark.usefixtures("unchanged")
def test_a_superuser_without_role_cannot_approve(request_):
    root = User.objects.create_superuser("root", password=PASSWORD)

    with pytest.raises(PermissionDenied):
        registry.approve(request_, root)


@pytest.mark.usefixtures("unchanged")
def test_the_organisation_admin_cannot_approve(request_, adam):
    with pytest.raises(PermissionDenied):
        registry.approve(request_, adam)


def test_a_superuser_who_trained_it_cannot_approve_even_as_lead(project, mia, ravi, gita):
    root = make_person("root", project=project, role=Role.LEAD)
    User.objects.filter(pk=root.pk).update(is_superuser=True, is_staff=True, is_organisation_admin=True)
    root.refresh_from_db()
    version = registry.make_version(project, root, ravi)
    request = registry.asked_request(version, registry.make_endpoint(version.model, mia), mia)

    with refused(by=PermissionDenied, naming=(PARTS["trained"],)):
        registry.approve(request, root)


def test_who_resumed_the_run_cannot_approve(version, endpoint, project, mia, lee):
    with transaction.atomic():
        record(lee, Verb.RUN_RESUMED, version.run, project=project.uuid)
    request = registry.asked_request(version, endpoint, mia)

    with refused(by=PermissionDenied, naming=(PARTS["trained"],)):
        registry.approve(request, lee)


def test_one_person_of_both_roles_decides_once(request_, lee, gita, project):
    access.grant(user=lee, role=Role.GOVERNANCE, root=project, actor=None)
    registry.approve(request_, lee)

    with refused(by=Conflict):
        registry.approve(request_, lee)


@pytest.mark.postgres
def test_the_database_refuses_a_second_vote_and_any_change(request_, lee):
    registry.approve(request_, lee)
    vote = Verdict.objects.get()
    values = {
        "request": request_,
        "step": "other",
        "reviewer": lee,
        "approves": True,
        "reason": "x",
        "subject_digest": "x",
    }

    with pytest.raises(DatabaseError), transaction.atomic():
        Verdict.objects.create(**values)
    with pytest.raises(DatabaseError), transaction.atomic():
        Verdict.objects.filter(pk=vote.pk).update(reviewer=request_.requester)
    with pytest.raises(DatabaseError), transaction.atomic():
        Verdict.objects.filter(pk=vote.pk).delete()

    assert list(Verdict.objects.values_list("pk", "reviewer")) == [(vote.pk, lee.pk)]


@pytest.mark.usefixtures("unchanged")
def test_an_approval_needs_a_reason(request_, lee):
    with refused("reason"):
        registry.approve(request_, lee, reason="  ")


def test_an_approval_needs_the_password(request_, lee):
    before = state(request_)

    with pytest.raises(Refused) as refusal:
        actions.approve(
            request_id=request_.uuid,
            actor=lee,
            reason="Good.",
            password="wrong",
            seen=request_.subject_digest,
        )

    assert list(refusal.value.fields) == ["password"]
    assert state(request_) == (before[0], before[1], before[2] + 1)
    assert Event.objects.latest("pk").verb == "access.sign_in_failed"


@pytest.mark.usefixtures("unchanged")
def test_a_stale_digest_is_a_conflict_and_voids_nothing(request_, lee):
    with refused(by=Conflict):
        registry.approve(request_, lee, seen="0" * 64)


def test_a_vote_on_an_earlier_request_for_the_same_completes_no_other(request_, lee, gita, mia):
    registry.approve(registry.approve(request_, lee), gita)
    actions.withdraw(request_id=request_.uuid, actor=mia, reason="Not yet.")
    again = registry.asked_request(request_.version, request_.endpoint, mia)
    assert again.subject_digest == request_.subject_digest

    first = registry.approve(again, lee)

    assert (first.status, first.expires_at) == (Status.IN_REVIEW, None)


def test_a_vote_on_another_subject_completes_nothing(request_, lee, gita):
    given = {"approves": True, "reason": "Good.", "subject_digest": "0" * 64}
    Verdict.objects.create(request=request_, step="governance", reviewer=gita, **given)

    first = registry.approve(request_, lee)

    assert (first.status, first.expires_at) == (Status.IN_REVIEW, None)


def test_a_second_vote_that_no_look_found_is_a_conflict(request_, lee):
    step = request_.next_step([])
    registry.approve(request_, lee)

    with refused(by=Conflict), transaction.atomic():
        give(request_, step, lee, approves=True, reason="Again.")


def test_nothing_is_decided_twice(request_, lee, gita):
    registry.approve(request_, lee)
    registry.approve(request_, gita)
    lena = make_person("lena", project=request_.endpoint.model.project, role=Role.LEAD)

    with refused(by=Conflict, naming=("approved",)):
        registry.approve(request_, lena)


@pytest.mark.parametrize("username", ["ana", "ravi", "mia", "omar", "aida", "otto"])
def test_other_roles_cannot_approve(request, request_, username):
    person = request.getfixturevalue(username)
    before = state(request_)

    with pytest.raises(PermissionDenied):
        registry.approve(request_, person)

    assert state(request_) == before


def test_who_froze_or_wrote_in_the_card_is_read_from_the_audit_log_not_the_rows(project, mia, ravi, lee):
    lena = make_person("lena", project=project, role=Role.LEAD)
    snapshot = registry.make_snapshot(project, ravi, frozen_by=mia)
    with transaction.atomic():
        record(lee, Verb.SNAPSHOT_CREATED, snapshot, project=project.uuid)
    version = registry.make_version(project, mia, ravi, snapshot=snapshot)
    card = catalog.newest_card(version)
    edit_card(
        version=version, stated=registry.STATED | {"limits": "None known."}, seen=card.digest, actor=lena
    )
    behind_its_back("UPDATE catalog_card SET author_id = %s", mia.pk)
    request = registry.asked_request(version, registry.make_endpoint(version.model, mia), mia)

    for part, person in (("froze", lee), ("card", lena)):
        with refused(by=PermissionDenied, naming=(PARTS[part],)):
            registry.approve(request, person)


def test_an_endpoint_without_an_event_is_governed_by_no_policy(project, mia):
    endpoint = registry.make_endpoint(registry.make_model(project, mia), mia)
    assert catalog.is_governed(endpoint)
    behind_its_back(
        "UPDATE ledger_event SET object_id = %s WHERE object_id = %s", "another", str(endpoint.uuid)
    )

    assert not catalog.is_governed(endpoint)
