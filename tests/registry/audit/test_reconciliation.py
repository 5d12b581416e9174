"""Approvals, deployments, and roles in the database match the audit log exactly, in both directions."""

import json
import re
from collections import Counter
from datetime import timedelta
from hashlib import sha256

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from guardian.shortcuts import assign_perm

from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from lifecycle.modeling.training.models import Run
from lifecycle.roof.demo.actions import seed
from registry.audit import actions as audit
from registry.catalog import actions as catalog
from registry.catalog.models import Endpoint, Freeze, ModelVersion
from registry.endpoints import actions as endpoints
from registry.endpoints.models import Deployment, EndpointToken
from registry.ground.access import actions as access
from registry.ground.access import governing
from registry.ground.access.models import ApiToken, Project, User
from registry.ground.access.roles import ADMIN, Role
from registry.ground.ledger import accounts
from registry.ground.ledger.actions import record
from registry.ground.ledger.models import Chain, Event
from registry.ground.ledger.verbs import Verb
from registry.policies import actions as policies
from registry.policies.models import Policy
from registry.promotions import actions as promotions
from registry.promotions import plans
from registry.promotions.models import GateResult, PromotionComment, PromotionRequest, Verdict
from registry.promotions.rules import Status
from tests.support import registry
from tests.support.endpoints import with_approval
from tests.support.jobs import run_jobs
from tests.support.people import PASSWORD
from tests.support.trail import behind_its_back, faults, found, rewrite

pytestmark = pytest.mark.django_db
STANDARD_GATES = ("quality", "live", "calibration", "leakage", "labels", "signature", "card")


@pytest.fixture
def lived(live_endpoint, project, ben, mia, lee, gita, omar) -> Endpoint:
    """All that can happen to an endpoint, a request and a person: the last request is in review, the one
    before was rejected.
    """
    request = with_approval(live_endpoint, plans.by_hand(500))
    canary = endpoints.deploy(request_id=request.uuid, actor=omar)
    canary = endpoints.set_share(deployment_id=canary.uuid, share=2_000, actor=omar, reason="No errors.")
    endpoints.set_share(deployment_id=canary.uuid, share=10_000, actor=omar, reason="No errors.")
    live_endpoint.alias.refresh_from_db()
    endpoints.roll_back(
        endpoint_id=live_endpoint.uuid,
        actor=omar,
        reason="Slow.",
        typed="1.0.0",
        seen_moves=live_endpoint.alias.moves,
    )
    shadow = endpoints.start_shadow(
        endpoint_id=live_endpoint.uuid, version_id=request.version.uuid, share=100, actor=omar
    )
    endpoints.stop_shadow(deployment_id=shadow.uuid, actor=omar, reason="Enough.")
    asked = registry.asked_request(request.version, live_endpoint, mia)
    promotions.reject(
        request_id=asked.uuid, actor=lee, reason="Slow.", password=PASSWORD, seen=asked.subject_digest
    )
    asked = registry.asked_request(request.version, live_endpoint, mia)
    promotions.withdraw(request_id=asked.uuid, actor=mia, reason="Too early.")
    registry.asked_request(request.version, live_endpoint, mia)
    promotions.comment(request_id=last().uuid, actor=mia, text="Ready when you are.")
    held = catalog.freeze(
        endpoint_id=live_endpoint.uuid, reason="Audit.", until=timezone.now() + timedelta(days=1), actor=omar
    )
    catalog.lift_freeze(freeze_id=held.uuid, actor=omar)
    catalog.freeze(
        endpoint_id=live_endpoint.uuid, reason="Fair.", until=timezone.now() + timedelta(days=1), actor=omar
    )
    token, _ = endpoints.create_token(endpoint_id=live_endpoint.uuid, name="app", days=9, actor=omar)
    endpoints.revoke_token(token_id=token.uuid, actor=omar)
    token, _ = access.create_token(user=mia, name="ci", scopes=["read"], days=9, project=project)
    access.revoke_token(token_id=token.uuid, actor=mia)
    admin = access.create_user(
        username="ada", display_name="Ada", email="", password=None, actor=None, admin=True
    )
    access.revoke(user=ben, role=Role.ANALYST, root=project, actor=admin)
    access.grant(user=ben, role=Role.ENGINEER, root=live_endpoint.model, actor=None)
    access.grant(user=mia, role=Role.ANALYST, root=project, actor=admin)
    access.deactivate_user(user_id=ben.uuid, actor=admin)
    return Endpoint.objects.get(pk=live_endpoint.pk)


@pytest.mark.postgres
def test_what_the_actions_do_is_accounted_for(lived):
    assert found() == []
    assert {deployment.arm for deployment in Deployment.objects.all()} == {"stable", "canary", "shadow"}
    assert set(PromotionRequest.objects.values_list("status", flat=True)) == {
        "fulfilled",
        "rejected",
        "withdrawn",
        "in_review",
    }


def test_an_account_of_more_objects_asks_no_more_often(lived, project, mia, ravi):
    def statements() -> dict[str, int]:
        counted = {}
        for account in accounts.registered():
            with CaptureQueriesContext(connection) as asked:
                assert [part.faults for part in accounts.check(account)] == [0]
            counted[account.name] = len(asked)
        return counted

    before = statements()
    version = registry.make_version(
        project, mia, ravi, model=lived.model, snapshot=lived.alias.version.run.snapshot, semver="9.0.0"
    )
    registry.asked_request(version, registry.make_endpoint(lived.model, mia), mia)
    policies.publish(text=registry.LAX, actor=None)
    access.create_token(user=mia, name="cd", scopes=["read"], days=9)

    assert statements() == before


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
    # a move that the triggers allow
    PromotionRequest.objects.filter(pk=last().pk).update(status=Status.APPROVED)


def give_a_verdict(_: Endpoint) -> None:
    Verdict.objects.create(
        request=last(),
        step="technical",
        reviewer=person("lee"),
        approves=True,
        subject_digest=last().subject_digest,
    )


def turn_a_verdict(_: Endpoint) -> None:
    behind_its_back("UPDATE promotions_verdict SET approves = %s WHERE request_id = %s", True, rejected().pk)


def take_a_verdict_away(_: Endpoint) -> None:
    behind_its_back("DELETE FROM promotions_verdict WHERE request_id = %s", rejected().pk)


def ask_for_another_version(endpoint: Endpoint) -> None:
    PromotionRequest.objects.filter(pk=rejected().pk).update(version=endpoint.alias.version)


def judge_by_another_policy(_: Endpoint) -> None:
    short = policies.publish(text=registry.LAX.replace("standard", "short"), actor=None)
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
    Deployment.objects.create(
        endpoint=endpoint, version=rejected().version, started_by=person("omar"), **shadow
    )


def let_a_shadow_go_on(_: Endpoint) -> None:
    Deployment.objects.filter(arm="shadow").update(ended_at=None, ended_by=None)


def end_what_is_live(_: Endpoint) -> None:
    Deployment.objects.filter(arm="stable", ended_at=None).update(ended_at="2026-01-01T00:00Z")


def approve_by_another_request(_: Endpoint) -> None:
    behind_its_back(
        "UPDATE endpoints_deployment SET approval_id = %s WHERE arm = 'canary' AND share = 500", rejected().pk
    )


def take_a_deployment_away(_: Endpoint) -> None:
    behind_its_back("DELETE FROM endpoints_deployment WHERE arm = 'shadow'")


def move_the_alias(endpoint: Endpoint) -> None:
    endpoint.alias.version = rejected().version
    endpoint.alias.save()


def lift_a_quarantine(_: Endpoint) -> None:
    version = rejected().version
    catalog.quarantine(version_id=version.uuid, reason="Leaks.", actor=person("omar"))
    behind_its_back(
        "UPDATE catalog_modelversion SET state = 'active', state_reason = '' WHERE id = %s", version.pk
    )


def quarantine_in_silence(_: Endpoint) -> None:
    ModelVersion.objects.filter(pk=rejected().version_id).update(state="quarantined")


def put_other_files_in_a_version(_: Endpoint) -> None:
    behind_its_back(
        "UPDATE catalog_modelversion SET root_digest = %s WHERE id = %s", "f" * 64, rejected().version_id
    )


def write_a_card_in_anothers_name(_: Endpoint) -> None:
    behind_its_back(
        "UPDATE catalog_card SET author_id = %s WHERE version_id = %s",
        person("omar").pk,
        rejected().version_id,
    )


def better_what_a_version_is_worth(_: Endpoint) -> None:
    version = ModelVersion.objects.get(pk=rejected().version_id)
    version.facts["evaluation"]["metrics"]["macro_f1"]["value"] = 0.999
    behind_its_back(
        "UPDATE catalog_modelversion SET facts = %s WHERE id = %s", json.dumps(version.facts), version.pk
    )


def state_something_else_by_another_key(_: Endpoint) -> None:
    pk = rejected().version_id
    behind_its_back(
        "UPDATE catalog_card SET stated = %s, key_fingerprint = 'ab' WHERE version_id = %s",
        '{"limits": "None."}',
        pk,
    )


def move_a_version(endpoint: Endpoint) -> None:
    other = registry.make_model(endpoint.model.project, person("mia"))
    behind_its_back(
        "UPDATE catalog_modelversion SET model_id = %s WHERE id = %s", other.pk, rejected().version_id
    )


def move_an_endpoint(endpoint: Endpoint) -> None:
    other = access.create_project(name="Other", slug="other", actor=None)
    behind_its_back("UPDATE catalog_endpoint SET project_id = %s WHERE id = %s", other.pk, endpoint.pk)


def join_a_group(_: Endpoint) -> None:
    Group.objects.get(name__endswith=":governance").user_set.add(person("mia"))


def leave_a_group(_: Endpoint) -> None:
    Group.objects.get(name__endswith=":governance").user_set.remove(person("gita"))


def give_a_group_more(endpoint: Endpoint) -> None:
    assign_perm(
        "role_governance",
        Group.objects.get(name__endswith=":engineer", name__startswith="access.project"),
        endpoint.model.project,
    )


def administer(_: Endpoint) -> None:
    User.objects.filter(username="mia").update(is_organisation_admin=True)


def come_back(_: Endpoint) -> None:
    User.objects.filter(username="ben").update(is_active=True)


def publish_a_policy(_: Endpoint) -> None:
    Policy.objects.create(
        name="standard", version=99, text=registry.LAX, digest=sha256(registry.LAX.encode()).hexdigest()
    )


def change_a_policy(_: Endpoint) -> None:
    behind_its_back("UPDATE policies_policy SET text = %s WHERE version = 1", registry.LAX)


def govern_by_another_policy(endpoint: Endpoint) -> None:
    Endpoint.objects.filter(pk=endpoint.pk).update(
        policy=policies.publish(text=registry.LAX.replace("standard", "short"), actor=None)
    )


def drop_the_texts(endpoint: Endpoint) -> None:
    Endpoint.objects.filter(pk=endpoint.pk).update(keep_text=False)


def address_it_otherwise(endpoint: Endpoint) -> None:
    behind_its_back("UPDATE catalog_endpoint SET slug = 'other' WHERE id = %s", endpoint.pk)


def take_anothers_address(endpoint: Endpoint) -> None:
    project, other = endpoint.model.project, access.create_project(name="Other", slug="other", actor=None)
    for slug, pk in (("third", project.pk), (project.slug, other.pk), ("other", project.pk)):
        behind_its_back("UPDATE access_project SET slug = %s WHERE id = %s", slug, pk)


def call_it_staging(endpoint: Endpoint) -> None:
    Endpoint.objects.filter(pk=endpoint.pk).update(environment="staging")


def lift_a_freeze(_: Endpoint) -> None:
    Freeze.objects.filter(lifted_at=None).update(lifted_at=timezone.now(), lifted_by=person("mia"))


def let_a_freeze_run_out(_: Endpoint) -> None:
    Freeze.objects.filter(lifted_at=None).update(lifted_at=F("until"))


def shorten_a_freeze(_: Endpoint) -> None:
    behind_its_back("UPDATE catalog_freeze SET until = '2026-01-01 00:00:00+00:00' WHERE lifted_at IS NULL")


def take_a_freeze_away(_: Endpoint) -> None:
    behind_its_back("DELETE FROM catalog_freeze WHERE lifted_at IS NULL")


def write_a_note(_: Endpoint) -> None:
    PromotionRequest.objects.filter(pk=rejected().pk).update(note="Nobody has to look.")


def give_another_reason(_: Endpoint) -> None:
    PromotionRequest.objects.filter(pk=rejected().pk).update(reason="Fast.")


def compare_otherwise(_: Endpoint) -> None:
    PromotionRequest.objects.filter(pk=rejected().pk).update(comparison={"rows": 1})


def strike_people(_: Endpoint) -> None:
    request = rejected()
    PromotionRequest.objects.filter(pk=request.pk).update(subject=request.subject | {"people": {}})


def put_words_into_a_verdict(_: Endpoint) -> None:
    behind_its_back(
        "UPDATE promotions_verdict SET reason = %s WHERE request_id = %s", "I was told to.", rejected().pk
    )


def add_a_gate(_: Endpoint) -> None:
    GateResult.objects.create(
        request=rejected(),
        check_number=1,
        gate="fairness",
        title="Fair",
        status="passed",
        evidence="None found.",
    )


def better_a_gate(_: Endpoint) -> None:
    behind_its_back(
        "UPDATE promotions_gateresult SET value = '0.999' WHERE request_id = %s AND gate = 'quality'",
        rejected().pk,
    )


def comment_in_anothers_name(_: Endpoint) -> None:
    PromotionComment.objects.create(request=rejected(), author=person("gita"), text="I looked at it myself.")


def change_a_comment(_: Endpoint) -> None:
    behind_its_back("UPDATE promotions_promotioncomment SET text = 'Not ready.'")


def end_in_anothers_name(_: Endpoint) -> None:
    Deployment.objects.filter(arm="shadow").update(ended_by=person("gita"))


def end_at_another_time(_: Endpoint) -> None:
    Deployment.objects.filter(arm="shadow").update(ended_at="2026-01-01T00:00Z")


def end_for_another_reason(_: Endpoint) -> None:
    Deployment.objects.filter(arm="stable", ended_by=person("omar"), end_reason="Slow.").update(
        end_reason="Planned."
    )


def call_a_rollback_a_promotion(_: Endpoint) -> None:
    behind_its_back(
        "UPDATE endpoints_deployment SET cause = 'shadow', previous_id = NULL, reason = '' WHERE cause ="
        " 'rollback'"
    )


def open_an_endpoint(endpoint: Endpoint) -> None:
    EndpointToken.objects.create(
        endpoint=endpoint,
        name="app",
        digest="a" * 64,
        created_by=person("mia"),
        expires_at="2030-01-01T00:00Z",
    )


def revive_a_token_of_an_endpoint(_: Endpoint) -> None:
    EndpointToken.objects.update(revoked_at=None, digest="b" * 64)


def act_for_someone(_: Endpoint) -> None:
    ApiToken.objects.create(
        user=person("mia"), name="x", scopes=["read", "run"], digest="a" * 64, expires_at="2030-01-01T00:00Z"
    )


def widen_a_token(_: Endpoint) -> None:
    ApiToken.objects.update(revoked_at=None, project=None)


def replace_a_report(_: Endpoint) -> None:
    version = rejected().version
    behind_its_back(
        "UPDATE evaluation_evaluation SET report = %s WHERE id = %s", '{"metrics": {}}', version.evaluation_id
    )


def replace_a_report_and_its_digest(_: Endpoint) -> None:
    replace_a_report(_)
    evaluation = rejected().version.evaluation
    behind_its_back(
        "UPDATE evaluation_evaluation SET report_digest = %s WHERE id = %s",
        evaluation.computed_digest,
        evaluation.pk,
    )


def come_from_another_run(_: Endpoint) -> None:
    version = rejected().version
    Run.objects.filter(pk=version.run_id).update(reproduces=Run.objects.exclude(pk=version.run_id).first())


def be_someone_elses_run(_: Endpoint) -> None:
    Run.objects.filter(pk=rejected().version.run_id).update(launched_by=person("omar"))


DB, TRAIL = "not-in-trail", "not-in-database"  # which side it is missing from
SEALED = "1.1.0 of run UUID, judged by evaluation DIGEST, files DIGEST signed by DIGEST, registered by MIA"
WRITTEN = "card revision 1 has digest DIGEST, written by {}"
MEASURED = "run UUID, files DIGEST, on 200 test rows of dataset version DIGEST: report DIGEST"
LAUNCHED = "base UUID on dataset version UUID with settings DIGEST, started by {}"
ENDED = "deployment UUID: ended at TIME for a reason with digest DIGEST"
FROZEN = "frozen by OMAR until TIME: Fair."
WIDE, LIMITED = ("is limited to project " + which for which in ("None", "UUID"))
SET = "is support-inbox-prod, for production, and {} the texts of requests, created by MIA"
FORGERIES = {
    move_to_approved: [(DB, "is approved"), (TRAIL, "is in_review")],
    judge_by_another_policy: [(DB, "is judged by policy DIGEST"), (TRAIL, "is judged by policy DIGEST")],
    give_a_verdict: [
        (DB, "LEE approves technical of DIGEST"),
        (DB, "LEE decides for a reason with digest DIGEST"),
    ],
    turn_a_verdict: [(DB, "LEE approves technical of DIGEST"), (TRAIL, "LEE rejects technical of DIGEST")],
    take_a_verdict_away: [
        (TRAIL, "LEE rejects technical of DIGEST"),
        (TRAIL, "LEE decides for a reason with digest DIGEST"),
    ],
    ask_for_another_version: [
        (DB, "MIA requested version UUID on endpoint UUID"),
        (TRAIL, "MIA requested version UUID on endpoint UUID"),
    ],
    rest_on_something_else: [
        (DB, "rests on DIGEST"),
        (TRAIL, "rests on DIGEST"),
        (DB, "keeps another subject than that of its digest"),
    ],
    take_a_request_away: [
        (TRAIL, "LEE rejects technical of DIGEST"),
        (TRAIL, "MIA requested version UUID on endpoint UUID"),
        (TRAIL, "is rejected"),
        (TRAIL, "rests on DIGEST"),
        (TRAIL, "is judged by policy DIGEST"),
        (TRAIL, "has rollout plan DIGEST"),
        (TRAIL, "LEE decides for a reason with digest DIGEST"),
        (TRAIL, "has a note with digest DIGEST"),
        (TRAIL, "has a reason with digest DIGEST"),
        *((TRAIL, f"check 1: {gate} passed") for gate in STANDARD_GATES),
    ],
    deploy_a_shadow: [
        (DB, "deployment UUID runs"),
        (DB, "deployment UUID: version UUID as shadow at 100 of 10000, begun by OMAR"),
        (DB, "deployment UUID: shadow after nothing"),
    ],
    let_a_shadow_go_on: [
        (DB, "deployment UUID runs"),
        (TRAIL, "deployment UUID: ended by OMAR"),
        (TRAIL, ENDED),
    ],
    end_what_is_live: [
        (TRAIL, "deployment UUID runs"),
        (DB, "deployment UUID: ended by system"),
        (DB, ENDED),
    ],
    approve_by_another_request: [
        (side, "deployment UUID: version UUID as canary at 500 of 10000, begun by OMAR by request UUID")
        for side in (DB, TRAIL)
    ],
    take_a_deployment_away: [
        (TRAIL, "deployment UUID: version UUID as shadow at 100 of 10000, begun by OMAR"),
        (TRAIL, "deployment UUID: shadow after nothing"),
        (TRAIL, "deployment UUID: ended by OMAR"),
        (TRAIL, ENDED),
    ],
    move_the_alias: [(DB, "version UUID is live"), (TRAIL, "version UUID is live")],
    lift_a_quarantine: [(TRAIL, "is quarantined: Leaks.")],
    quarantine_in_silence: [(DB, "is quarantined: ")],
    put_other_files_in_a_version: [
        (DB, "card revision 1 isn't what was signed"),
        *((side, SEALED) for side in (DB, TRAIL)),
    ],
    write_a_card_in_anothers_name: [(DB, WRITTEN.format("OMAR")), (TRAIL, WRITTEN.format("MIA"))],
    better_what_a_version_is_worth: [(side, "has facts with digest DIGEST") for side in (DB, TRAIL)],
    state_something_else_by_another_key: [
        (DB, "card revision 1 is signed with key ab, which isn't this installation's")
    ],
    move_a_version: [(DB, "is of model UUID"), (TRAIL, "is of model UUID")],
    move_an_endpoint: [(DB, "is in project UUID")],
    join_a_group: [(DB, "holds access.project:UUID:governance")],
    leave_a_group: [(TRAIL, "holds access.project:UUID:governance")],
    give_a_group_more: [(DB, "holds access.project:UUID:governance")],
    administer: [(DB, "is an organisation admin")],
    come_back: [(TRAIL, "is deactivated")],
    publish_a_policy: [(DB, "is version 99 of standard with digest DIGEST, published by system")],
    change_a_policy: [
        (DB, "has digest DIGEST, which isn't its text's"),
        *((side, "is version 1 of standard with digest DIGEST, published by system") for side in (DB, TRAIL)),
    ],
    govern_by_another_policy: [
        (DB, "is governed by policy short"),
        (TRAIL, "is governed by policy standard"),
    ],
    drop_the_texts: [(DB, SET.format("drops")), (TRAIL, SET.format("keeps"))],
    address_it_otherwise: [
        (DB, SET.format("keeps").replace("support-inbox-prod", "other")),
        (TRAIL, SET.format("keeps")),
    ],
    take_anothers_address: [
        (side, f"is called {slug}") for slug in ("other", "inbox") for side in (DB, TRAIL)
    ],
    call_it_staging: [
        (DB, SET.format("keeps").replace("production", "staging")),
        (TRAIL, SET.format("keeps")),
    ],
    lift_a_freeze: [(DB, "freeze UUID lifted by MIA")],
    let_a_freeze_run_out: [(DB, "the freeze until TIME ran out")],
    shorten_a_freeze: [(DB, FROZEN), (TRAIL, FROZEN)],
    take_a_freeze_away: [(TRAIL, FROZEN)],
    write_a_note: [(side, "has a note with digest DIGEST") for side in (DB, TRAIL)],
    give_another_reason: [(side, "has a reason with digest DIGEST") for side in (DB, TRAIL)],
    compare_otherwise: [(DB, "keeps another comparison than was judged")],
    strike_people: [(DB, "keeps another subject than that of its digest")],
    put_words_into_a_verdict: [(side, "LEE decides for a reason with digest DIGEST") for side in (DB, TRAIL)],
    add_a_gate: [(DB, "check 1: fairness passed"), (DB, "keeps other gate results than were judged")],
    better_a_gate: [(DB, "keeps other gate results than were judged")],
    comment_in_anothers_name: [(DB, "GITA wrote comment UUID"), (DB, "comment UUID has digest DIGEST")],
    change_a_comment: [(side, "comment UUID has digest DIGEST") for side in (DB, TRAIL)],
    end_in_anothers_name: [(DB, "deployment UUID: ended by GITA"), (TRAIL, "deployment UUID: ended by OMAR")],
    end_at_another_time: [(DB, ENDED), (TRAIL, ENDED)],
    end_for_another_reason: [(DB, ENDED), (TRAIL, ENDED)],
    call_a_rollback_a_promotion: [
        (DB, "deployment UUID: shadow after nothing"),
        (TRAIL, "deployment UUID: rollback after UUID for a reason with digest DIGEST"),
    ],
    open_an_endpoint: [(DB, "opens endpoint UUID until TIME, created by MIA"), (DB, "is kept as DIGEST")],
    revive_a_token_of_an_endpoint: [
        (TRAIL, "is revoked"),
        (DB, "is kept as DIGEST"),
        (TRAIL, "is kept as DIGEST"),
    ],
    act_for_someone: [(DB, "acts for MIA with read, run until TIME"), (DB, WIDE), (DB, "is kept as DIGEST")],
    widen_a_token: [(TRAIL, "is revoked"), (DB, WIDE), (TRAIL, LIMITED)],
    replace_a_report: [
        (DB, MEASURED),
        (TRAIL, MEASURED),
        (DB, "report digest DIGEST doesn't match its report"),
    ],
    come_from_another_run: [(DB, "repeats run UUID")],
    be_someone_elses_run: [(DB, LAUNCHED.format("OMAR")), (TRAIL, LAUNCHED.format("MIA"))],
    replace_a_report_and_its_digest: [
        *((side, MEASURED) for side in (DB, TRAIL)),
        *((side, SEALED) for side in (DB, TRAIL)),
    ],
}


def plain(detail: str) -> str:
    """What the sentence quotes, people by name, other ids and digests by what they are."""
    text = re.search("“(.*)”", detail)[1]
    for uuid, name in User.objects.values_list("uuid", "username"):
        text = text.replace(str(uuid), name.upper())
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UUID", re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", text))
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.+]+\d", "TIME", text)


# Each walk over the trail finds many at once. No two of a list are about the same fact; of those that change
# whole tables the first come before who adds a row.
TOGETHER = [
    [
        turn_a_verdict,
        give_a_verdict,
        move_to_approved,
        judge_by_another_policy,
        write_a_note,
        give_another_reason,
        compare_otherwise,
        strike_people,
        put_words_into_a_verdict,
        better_a_gate,
        change_a_comment,
        comment_in_anothers_name,
        end_what_is_live,
        approve_by_another_request,
        end_in_anothers_name,
        end_at_another_time,
        end_for_another_reason,
        call_a_rollback_a_promotion,
        quarantine_in_silence,
        write_a_card_in_anothers_name,
        better_what_a_version_is_worth,
        move_a_version,
        join_a_group,
        leave_a_group,
        administer,
        come_back,
        publish_a_policy,
        drop_the_texts,
        shorten_a_freeze,
        revive_a_token_of_an_endpoint,
        open_an_endpoint,
        widen_a_token,
        act_for_someone,
        replace_a_report,
        come_from_another_run,
        be_someone_elses_run,
    ],
    [
        lift_a_quarantine,
        take_a_verdict_away,
        rest_on_something_else,
        add_a_gate,
        take_a_deployment_away,
        deploy_a_shadow,
        move_the_alias,
        put_other_files_in_a_version,
        give_a_group_more,
        change_a_policy,
        govern_by_another_policy,
        address_it_otherwise,
        move_an_endpoint,
        lift_a_freeze,
    ],
    [
        let_a_shadow_go_on,
        state_something_else_by_another_key,
        replace_a_report_and_its_digest,
        take_anothers_address,
        call_it_staging,
        let_a_freeze_run_out,
        ask_for_another_version,
    ],
    [take_a_request_away, take_a_freeze_away],
]


def reported() -> list[tuple[str, str]]:
    """The rule and detail of every current fault."""
    return sorted((str(fault.rule), plain(fault.detail)) for fault in faults())


def expected(forgeries: list) -> list[tuple[str, str]]:
    return sorted(line for forge in forgeries for line in FORGERIES[forge])


def test_each_forgery_is_made_once():
    assert Counter(forge for together in TOGETHER for forge in together) == Counter([*FORGERIES])


@pytest.mark.parametrize("forgeries", TOGETHER)
def test_what_was_written_behind_the_products_back_is_named(lived, forgeries):
    for forge in forgeries:
        forge(lived)

    assert reported() == expected(forgeries)


def test_an_event_that_leaves_a_fact_out_vouches_for_nothing(lived):
    """As written by someone who knows how events are hashed."""
    verbs = {Verb.TOKEN_CREATED, Verb.ENDPOINT_CREATED, Verb.VERSION_REGISTERED, Verb.PROMOTION_REQUESTED}
    left_out = {"digest", "policy", "facts", "note"}

    def shorter(document: dict) -> dict:
        payload = {
            name: value
            for name, value in document["payload"].items()
            if document["verb"] not in verbs or name not in left_out
        }
        return document | {"payload": payload}

    for chain in Chain.objects.values_list("name", flat=True):
        rewrite(chain, shorter)

    named = {where.split(", ")[1] for rule, where in found() if rule == "not-in-database"}
    about = set(Event.objects.filter(verb__in=verbs).values_list("verb", "object_id"))
    assert {verb for verb, _ in about} == verbs
    assert {(verb, each) for verb, each in about if each not in named} == set()


UPPER = {
    "API tokens": (ApiToken, act_for_someone),
    "endpoint tokens": (EndpointToken, open_an_endpoint),
    "people": (User, administer),
    "projects": (Project, lambda _: access.create_project(name="Other", slug="other", actor=None)),
}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL writes a uuid in one way")
@pytest.mark.parametrize("name", UPPER)
def test_a_row_whose_uuid_is_written_otherwise_is_found(lived, name):
    model, make = UPPER[name]
    make(lived)
    row = model.objects.latest("pk")
    behind_its_back(f"UPDATE {model._meta.db_table} SET uuid = upper(uuid) WHERE id = %s", row.pk)  # noqa: S608

    assert ("row-unreadable", f"{name}, row {row.pk}") in found()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL writes a uuid in one way")
def test_the_twin_of_a_row_that_the_trail_knows_is_named(lived):
    columns = "user_id, name, scopes, project_id, created_at, expires_at, revoked_at"
    behind_its_back(
        f"INSERT INTO access_apitoken (uuid, digest, {columns}) SELECT upper(uuid), %s, {columns} FROM"
        " access_apitoken",
        "a" * 64,
    )

    assert found() == [("row-unreadable", f"API tokens, row {ApiToken.objects.latest('pk').pk}")]


def test_a_request_that_was_moved_to_approved_is_named_by_command_and_page(lived, aida, client_for):
    move_to_approved(lived)

    audit.start_verification(actor=aida)
    (job,) = [job for job in run_jobs() if job.kind == "audit.verify"]
    job = Job.objects.get(pk=job.pk)

    assert (job.state, [str(fault) in job.error for fault in faults()]) == (State.FAILED, [True, True])
    assert f"promotions, {last().uuid}" in client_for(aida).get("/audit/").content.decode()


def test_what_is_decided_while_rows_are_read_is_no_fault(lived, mia, monkeypatch):
    account = next(each for each in accounts.registered() if each.name == "promotions")
    logged_facts, before = accounts.logged_facts, Event.objects.count()

    def read_then_withdrawn(*given):
        facts = logged_facts(*given)
        if Event.objects.count() == before:
            promotions.withdraw(request_id=last().uuid, actor=mia, reason="Meanwhile.")
        return facts

    monkeypatch.setattr(accounts, "logged_facts", read_then_withdrawn)

    assert [part.faults for part in accounts.check(account)] == [0]


def test_an_endpoint_that_a_quarantine_emptied_is_accounted_for(live_endpoint, omar):
    catalog.quarantine(version_id=live_endpoint.alias.version.uuid, reason="Leaks.", actor=omar)

    assert Endpoint.objects.get().alias.version is None
    assert found() == []


def test_admins_whom_admins_make_and_dismiss_are_accounted_for(ben):
    ada, bea = (
        access.create_user(username=n, display_name=n, email="", password=PASSWORD, actor=None, admin=True)
        for n in ("ada", "bea")
    )
    for gives in (True, False):
        wanted = governing.change(
            person=ben, role=ADMIN, project=None, gives=gives, actor=ada, password=PASSWORD
        )
        governing.confirm(proposal_id=wanted.uuid, actor=bea, password=PASSWORD)
        assert (User.objects.get(pk=ben.pk).is_organisation_admin, found()) == (gives, [])


def test_an_event_with_a_payload_that_no_action_writes_is_a_fault_and_no_end_of_the_verification(lived, lee):
    with transaction.atomic():
        record(lee, Verb.ROLLED_BACK, lived, project=lived.model.project.uuid)

    assert {rule for rule, _ in found()} == {"not-in-database", "not-in-trail"}


def test_an_event_with_a_date_that_no_clock_shows_is_a_fault_and_no_end_of_the_verification(lived, mia):
    token = ApiToken.objects.get()
    with transaction.atomic():
        payload = {
            "scopes": ["read"],
            "expires_at": "0001-01-01T00:00:00+14:00",
            "limited_to": None,
            "digest": token.digest,
        }
        record(mia, Verb.TOKEN_CREATED, token, **payload)
    administer(lived)

    assert {where for _, where in found()} == {f"API tokens, {token.uuid}", f"people, {mia.uuid}"}


def test_rows_that_no_action_writes_are_faults_and_no_end_of_the_verification(lived):
    version, request = rejected().version, last()
    behind_its_back("UPDATE catalog_modelversion SET facts = '[]' WHERE id = %s", version.pk)
    behind_its_back("UPDATE promotions_promotionrequest SET status = 'odd' WHERE id = %s", request.pk)
    give_a_verdict(lived)
    administer(lived)

    assert {where for rule, where in found() if rule == DB} == {
        f"cards, {version.uuid}",
        f"versions, {version.uuid}",
        f"people, {person('mia').uuid}",
        f"promotions, {request.uuid}",
    }
    assert not [fault for fault in faults() if fault.rule == "row-unreadable"]


def test_a_card_of_a_version_without_its_facts_was_altered(lived):
    version = rejected().version
    behind_its_back("UPDATE catalog_modelversion SET facts = '{}' WHERE id = %s", version.pk)

    assert [(fault.where, plain(fault.detail)) for fault in faults()] == [
        (f"cards, {version.uuid}", "card revision 1 isn't what was signed"),
        *[(f"versions, {version.uuid}", "has facts with digest DIGEST")] * 2,
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

    assert [where for rule, where in found() if rule == "row-unreadable"] == [
        each.name for each in accounts.registered()
    ]
