"""What the database holds of approvals, deployments and roles is what the trail says, and nothing else, on either side."""

import re

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from guardian.shortcuts import assign_perm

from lifecycle.demo.actions import seed
from lifecycle.jobs.models import Job
from lifecycle.jobs.rules import State
from registry.access import actions as access
from registry.access import governing
from registry.access.models import User
from registry.access.roles import ADMIN, Role
from registry.audit import actions as audit
from registry.catalog import actions as catalog
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints import actions as endpoints
from registry.endpoints.models import Deployment
from registry.ledger import accounts
from registry.ledger.actions import record
from registry.ledger.models import Event
from registry.ledger.verbs import Verb
from registry.policies.models import Policy
from registry.promotions import actions as promotions
from registry.promotions import plans
from registry.promotions.models import PromotionRequest, Verdict
from registry.promotions.rules import Status
from tests.support import registry
from tests.support.endpoints import with_approval
from tests.support.jobs import run_jobs
from tests.support.people import PASSWORD
from tests.support.trail import behind_its_back, faults, found

pytestmark = pytest.mark.django_db


@pytest.fixture
def lived(live_endpoint, project, ben, mia, lee, gita, omar) -> Endpoint:
    """All that can happen to an endpoint, a request and a person: the last request is in review, the one before was rejected."""
    request = with_approval(live_endpoint, plans.by_hand(500))
    canary = endpoints.deploy(request_id=request.uuid, actor=omar, share=500)
    canary = endpoints.set_share(deployment_id=canary.uuid, share=2_000, actor=omar, reason="No errors.")
    endpoints.set_share(deployment_id=canary.uuid, share=10_000, actor=omar, reason="No errors.")
    live_endpoint.alias.refresh_from_db()
    endpoints.roll_back(endpoint_id=live_endpoint.uuid, actor=omar, reason="Slow.", typed="1.0.0", seen_moves=live_endpoint.alias.moves)
    shadow = endpoints.start_shadow(endpoint_id=live_endpoint.uuid, version_id=request.version.uuid, share=100, actor=omar)
    endpoints.stop_shadow(deployment_id=shadow.uuid, actor=omar, reason="Enough.")
    asked = registry.asked_request(request.version, live_endpoint, mia)
    promotions.reject(request_id=asked.uuid, actor=lee, reason="Slow.", password=PASSWORD, seen=asked.subject_digest)
    asked = registry.asked_request(request.version, live_endpoint, mia)
    promotions.withdraw(request_id=asked.uuid, actor=mia, reason="Too early.")
    registry.asked_request(request.version, live_endpoint, mia)
    admin = access.create_user(username="ada", display_name="Ada", email="", password=None, actor=None, admin=True)
    access.revoke(user=ben, role=Role.ANALYST, root=project, actor=admin)
    access.grant(user=ben, role=Role.ENGINEER, root=live_endpoint.model, actor=None)
    access.grant(user=mia, role=Role.ANALYST, root=project, actor=admin)
    access.deactivate_user(user_id=ben.uuid, actor=admin)
    return Endpoint.objects.get(pk=live_endpoint.pk)


@pytest.mark.postgres
def test_what_the_actions_do_is_accounted_for(lived):
    assert found() == []
    assert {deployment.arm for deployment in Deployment.objects.all()} == {"stable", "canary", "shadow"}
    assert set(PromotionRequest.objects.values_list("status", flat=True)) == {"fulfilled", "rejected", "withdrawn", "in_review"}


def test_the_demo_of_an_installation_is_accounted_for(db):
    seed()

    assert found() == []


def last() -> PromotionRequest:
    return PromotionRequest.objects.latest("pk")


def rejected() -> PromotionRequest:
    return PromotionRequest.objects.get(status=Status.REJECTED)


def person(name: str) -> User:
    return User.objects.get(username=name)


def move_to_approved(_: Endpoint) -> None:
    PromotionRequest.objects.filter(pk=last().pk).update(status=Status.APPROVED)  # a move that the triggers allow


def give_a_verdict(_: Endpoint) -> None:
    Verdict.objects.create(request=last(), step="technical", reviewer=person("lee"), approves=True, subject_digest=last().subject_digest)


def turn_a_verdict(_: Endpoint) -> None:
    behind_its_back("UPDATE promotions_verdict SET approves = %s WHERE request_id = %s", True, rejected().pk)


def take_a_verdict_away(_: Endpoint) -> None:
    behind_its_back("DELETE FROM promotions_verdict WHERE request_id = %s", rejected().pk)


def ask_for_another_version(endpoint: Endpoint) -> None:
    PromotionRequest.objects.filter(pk=rejected().pk).update(version=endpoint.alias.version)


def judge_by_another_policy(_: Endpoint) -> None:
    short = Policy.objects.create(name="short", version=1, text="", digest="0" * 64)
    PromotionRequest.objects.filter(pk=rejected().pk).update(policy=short)


def rest_on_something_else(_: Endpoint) -> None:
    PromotionRequest.objects.filter(pk=rejected().pk).update(subject_digest="f" * 64)


def take_a_request_away(_: Endpoint) -> None:
    pk = rejected().pk
    behind_its_back("DELETE FROM promotions_verdict WHERE request_id = %s", pk)
    behind_its_back("DELETE FROM promotions_gateresult WHERE request_id = %s", pk)
    behind_its_back("DELETE FROM promotions_promotionrequest WHERE id = %s", pk)


def deploy_a_shadow(endpoint: Endpoint) -> None:
    shadow = {"arm": "shadow", "share": 100, "cause": "shadow", "epoch": 99}
    Deployment.objects.create(endpoint=endpoint, version=rejected().version, started_by=person("omar"), **shadow)


def let_a_shadow_go_on(_: Endpoint) -> None:
    Deployment.objects.filter(arm="shadow").update(ended_at=None, ended_by=None)


def end_what_is_live(_: Endpoint) -> None:
    Deployment.objects.filter(arm="stable", ended_at=None).update(ended_at="2026-01-01T00:00Z")


def approve_by_another_request(_: Endpoint) -> None:
    behind_its_back("UPDATE endpoints_deployment SET approval_id = %s WHERE arm = 'canary' AND share = 500", rejected().pk)


def take_a_deployment_away(_: Endpoint) -> None:
    behind_its_back("DELETE FROM endpoints_deployment WHERE arm = 'shadow'")


def move_the_alias(endpoint: Endpoint) -> None:
    endpoint.alias.version = rejected().version
    endpoint.alias.save()


def lift_a_quarantine(_: Endpoint) -> None:
    version = rejected().version
    catalog.quarantine(version_id=version.uuid, reason="Leaks.", actor=person("omar"))
    behind_its_back("UPDATE catalog_modelversion SET state = 'active', state_reason = '' WHERE id = %s", version.pk)


def quarantine_in_silence(_: Endpoint) -> None:
    ModelVersion.objects.filter(pk=rejected().version_id).update(state="quarantined")


def put_other_files_in_a_version(_: Endpoint) -> None:
    behind_its_back("UPDATE catalog_modelversion SET root_digest = %s WHERE id = %s", "f" * 64, rejected().version_id)


def join_a_group(_: Endpoint) -> None:
    Group.objects.get(name__endswith=":governance").user_set.add(person("mia"))


def leave_a_group(_: Endpoint) -> None:
    Group.objects.get(name__endswith=":governance").user_set.remove(person("gita"))


def give_a_group_more(endpoint: Endpoint) -> None:
    assign_perm("role_governance", Group.objects.get(name__endswith=":engineer", name__startswith="access.project"), endpoint.model.project)


def administer(_: Endpoint) -> None:
    User.objects.filter(username="mia").update(is_organisation_admin=True)


def come_back(_: Endpoint) -> None:
    User.objects.filter(username="ben").update(is_active=True)


DB, TRAIL = "not-in-trail", "not-in-database"  # who alone says it
SEALED = "1.1.0 of run UUID, judged by evaluation DIGEST, files DIGEST signed by DIGEST, registered by MIA"
FORGERIES = {
    move_to_approved: [(DB, "is approved"), (TRAIL, "is in_review")],
    judge_by_another_policy: [(DB, "is judged by policy DIGEST"), (TRAIL, "is judged by policy DIGEST")],
    give_a_verdict: [(DB, "LEE approves technical of DIGEST")],
    turn_a_verdict: [(DB, "LEE approves technical of DIGEST"), (TRAIL, "LEE rejects technical of DIGEST")],
    take_a_verdict_away: [(TRAIL, "LEE rejects technical of DIGEST")],
    ask_for_another_version: [
        (DB, "MIA asked for version UUID on endpoint UUID"), (TRAIL, "MIA asked for version UUID on endpoint UUID")
    ],
    rest_on_something_else: [(DB, "rests on DIGEST"), (TRAIL, "rests on DIGEST")],
    take_a_request_away: [
        (TRAIL, "LEE rejects technical of DIGEST"), (TRAIL, "MIA asked for version UUID on endpoint UUID"), (TRAIL, "is rejected"),
        (TRAIL, "rests on DIGEST"), (TRAIL, "is judged by policy DIGEST"), (TRAIL, "has rollout plan DIGEST"),
    ],
    deploy_a_shadow: [
        (DB, "deployment UUID runs"), (DB, "deployment UUID: version UUID as shadow at 100 of 10000, begun by OMAR"),
    ],
    let_a_shadow_go_on: [(DB, "deployment UUID runs")],
    end_what_is_live: [(TRAIL, "deployment UUID runs")],
    approve_by_another_request: [
        (side, "deployment UUID: version UUID as canary at 500 of 10000, begun by OMAR by request UUID") for side in (DB, TRAIL)
    ],
    take_a_deployment_away: [(TRAIL, "deployment UUID: version UUID as shadow at 100 of 10000, begun by OMAR")],
    move_the_alias: [(DB, "version UUID is live"), (TRAIL, "version UUID is live")],
    lift_a_quarantine: [(TRAIL, "is quarantined: Leaks.")],
    quarantine_in_silence: [(DB, "is quarantined: ")],
    put_other_files_in_a_version: [
        (DB, "card revision 1 isn't what was signed"),
        *((side, SEALED) for side in (DB, TRAIL)),
    ],
    join_a_group: [(DB, "holds access.project:UUID:governance")],
    leave_a_group: [(TRAIL, "holds access.project:UUID:governance")],
    give_a_group_more: [(DB, "holds access.project:UUID:governance")],
    administer: [(DB, "is an organisation admin")],
    come_back: [(TRAIL, "is deactivated")],
}  # fmt: skip


def plain(detail: str) -> str:
    """What the sentence quotes, people by name, other ids and digests by what they are."""
    text = re.search("“(.*)”", detail)[1]
    for uuid, name in User.objects.values_list("uuid", "username"):
        text = text.replace(str(uuid), name.upper())
    return re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UUID", text))


@pytest.mark.parametrize("forge", FORGERIES)
def test_what_was_written_behind_the_products_back_is_named(lived, forge):
    forge(lived)

    assert sorted((str(fault.rule), plain(fault.detail)) for fault in faults()) == sorted(FORGERIES[forge])


def test_a_request_that_was_moved_to_approved_is_named_by_command_and_page(lived, aida, client_for):
    move_to_approved(lived)

    audit.start_verification(actor=aida)
    (job,) = [job for job in run_jobs() if job.kind == "audit.verify"]
    job = Job.objects.get(pk=job.pk)

    assert (job.state, [str(fault) in job.error for fault in faults()]) == (State.FAILED, [True, True])
    assert f"promotions, {last().uuid}" in client_for(aida).get("/audit/").content.decode()


def test_what_is_decided_while_rows_are_read_is_no_fault(lived, mia, monkeypatch):
    account = next(each for each in accounts.registered() if each.name == "promotions")
    told, before = accounts.told_of, Event.objects.count()

    def told_then_decided(*given):
        facts = told(*given)
        if Event.objects.count() == before:
            promotions.withdraw(request_id=last().uuid, actor=mia, reason="Meanwhile.")
        return facts

    monkeypatch.setattr(accounts, "told_of", told_then_decided)

    assert [part.faults for part in accounts.check(account)] == [0]


def test_an_endpoint_that_a_quarantine_emptied_is_accounted_for(live_endpoint, omar):
    catalog.quarantine(version_id=live_endpoint.alias.version.uuid, reason="Leaks.", actor=omar)

    assert Endpoint.objects.get().alias.version is None
    assert found() == []


def test_admins_whom_admins_make_and_dismiss_are_accounted_for(ben):
    ada, bea = (access.create_user(username=n, display_name=n, email="", password=PASSWORD, actor=None, admin=True) for n in ("ada", "bea"))
    for gives in (True, False):
        wanted = governing.change(person=ben, role=ADMIN, project=None, gives=gives, actor=ada, password=PASSWORD)
        governing.confirm(proposal_id=wanted.uuid, actor=bea, password=PASSWORD)
        assert (User.objects.get(pk=ben.pk).is_organisation_admin, found()) == (gives, [])


def test_an_event_with_a_payload_that_no_action_writes_is_a_fault_and_no_end_of_the_verification(lived, lee):
    with transaction.atomic():
        record(lee, Verb.ROLLED_BACK, lived, project=lived.model.project.uuid)

    assert {rule for rule, _ in found()} == {"not-in-database", "not-in-trail"}


def test_rows_that_no_action_writes_are_faults_and_no_end_of_the_verification(lived):
    version, request = rejected().version, last()
    behind_its_back("UPDATE catalog_modelversion SET facts = '[]' WHERE id = %s", version.pk)
    behind_its_back("UPDATE promotions_promotionrequest SET status = 'odd' WHERE id = %s", request.pk)
    give_a_verdict(lived)
    administer(lived)

    assert {where for rule, where in found() if rule == DB} == {
        f"cards, {version.uuid}", f"people, {person('mia').uuid}", f"promotions, {request.uuid}",
    }  # fmt: skip
    assert not [fault for fault in faults() if fault.rule == "row-unreadable"]


def test_a_card_of_a_version_without_its_facts_was_altered(lived):
    version = rejected().version
    behind_its_back("UPDATE catalog_modelversion SET facts = '{}' WHERE id = %s", version.pk)

    assert [(fault.where, plain(fault.detail)) for fault in faults()] == [
        (f"cards, {version.uuid}", "card revision 1 isn't what was signed")
    ]


def test_an_event_about_what_can_be_no_object_is_a_fault_and_no_end_of_the_verification(lived, lee):
    odd = Endpoint(uuid="no-uuid")
    with transaction.atomic():
        record(lee, Verb.ROLLED_BACK, odd, project=lived.model.project.uuid)
    administer(lived)

    assert {where for _, where in found()} == {"endpoints, no-uuid", f"people, {person('mia').uuid}"}


def test_a_part_that_cannot_be_read_is_a_fault_and_the_others_are_walked(lived, monkeypatch):
    def torn(_account):
        raise ValueError("badly formed hexadecimal UUID string")
        yield

    monkeypatch.setattr(accounts, "batches", torn)

    assert [where for rule, where in found() if rule == "row-unreadable"] == ["cards", "endpoints", "people", "promotions", "versions"]
