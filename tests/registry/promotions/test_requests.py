"""Asking, checking again, withdrawing, rejecting, talking."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.storage import storages
from django.utils import timezone

from lifecycle.modeling.evaluation import compare
from lifecycle.modeling.evaluation.models import Comparison
from lifecycle.runtime.refusals import Conflict, Refused
from registry.catalog import actions as catalog
from registry.catalog import queries
from registry.catalog.models import Alias, ModelVersion
from registry.ground.access import actions as access
from registry.ground.access.roles import Role
from registry.ground.artifacts.actions import key
from registry.ground.ledger.models import Event
from registry.ground.ledger.rules import digest_of
from registry.policies import actions as policies
from registry.promotions import actions, evidence, page
from registry.promotions import queries as promotions
from registry.promotions.models import GateResult, PromotionComment, PromotionRequest
from registry.promotions.rules import Status
from tests.support import registry
from tests.support.jobs import run_ok
from tests.support.people import PASSWORD, make_person
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


def counts() -> tuple[int, int]:
    return PromotionRequest.objects.count(), Event.objects.count()


def test_failed_gates_send_it_back_to_its_requester(project, mia, ravi):
    version = registry.make_version(project, mia, ravi, wrong=140, stated={})

    request = registry.asked_request(version, registry.make_endpoint(version.model, mia), mia)

    assert request.status == Status.DRAFT
    found = {gate.gate: (gate.status, gate.blocking) for gate in request.gates.all()}
    assert found["quality"] == ("failed", True)
    assert found["card"] == ("failed", True)
    assert found["signature"] == ("passed", True)


def test_a_fixed_draft_is_checked_again_and_the_first_results_stay(project, mia, ravi):
    version = registry.make_version(project, mia, ravi, stated={})
    request = registry.asked_request(version, registry.make_endpoint(version.model, mia), mia)
    assert (request.status, request.gates.get(gate="card").status) == (Status.DRAFT, "failed")
    catalog.edit_card(
        version=version, stated=registry.STATED, seen=queries.newest_card(version).digest, actor=mia
    )

    actions.check_again(request_id=request.uuid, actor=mia)
    run_ok("default")

    request.refresh_from_db()
    assert (request.status, request.checks) == (Status.IN_REVIEW, 2)
    assert list(
        GateResult.objects.filter(gate="card").order_by("pk").values_list("check_number", "status")
    ) == [
        (1, "failed"),
        (2, "passed"),
    ]


def test_one_flipped_byte_fails_the_signature_gate_and_quarantines(version, endpoint, mia):
    name = next(file for file in version.folder.files if file["name"] == "adapter_model.safetensors")
    stored = Path(storages["blobs"].path(key(name["sha256"])))
    content = bytearray(stored.read_bytes())
    content[7] ^= 1
    stored.chmod(0o600)
    stored.write_bytes(bytes(content))

    request = registry.asked_request(version, endpoint, mia)

    assert request.status == Status.DRAFT
    gate = request.gates.get(gate="signature")
    assert (gate.status, gate.value) == ("failed", "refused")
    assert ModelVersion.objects.get(pk=version.pk).state == ModelVersion.State.QUARANTINED
    with refused(naming=(str(version),)):
        catalog.materialise(ModelVersion.objects.get(pk=version.pk))


@pytest.fixture
def live(version, endpoint):
    """1.0.0 is live and wrong on 3 of 200 rows."""
    Alias.objects.filter(endpoint=endpoint).update(version=version, moves=1)
    return Alias.objects.get(endpoint=endpoint)


def asked_with(live, ravi, mia, wrong: int) -> PromotionRequest:
    """A request for 1.1.0, wrong on so many of the same rows."""
    old = live.version
    new = registry.make_version(
        old.model.project, mia, ravi, model=old.model, snapshot=old.run.snapshot, semver="1.1.0", wrong=wrong
    )
    return registry.asked_request(new, live.endpoint, mia)


@pytest.fixture
def better(live, ravi, mia) -> PromotionRequest:
    """For 1.1.0, which is right on all rows."""
    return asked_with(live, ravi, mia, 0)


def test_a_better_version_is_compared_on_the_same_rows(better, live):
    request = better

    assert (request.status, request.baseline, request.baseline_moves) == (Status.IN_REVIEW, live.version, 1)
    assert (
        request.comparison["rows"],
        request.comparison["left_out"],
        request.comparison["baseline_semver"],
    ) == (200, 0, "1.0.0")
    assert "clusters" not in request.comparison
    rows_of_labels = request.comparison["evenness"]
    assert (rows_of_labels["labels"] > 1, 0 < rows_of_labels["rarest"] <= 200 / rows_of_labels["labels"]) == (
        True,
        True,
    )
    accuracy = request.comparison["measures"]["accuracy"]
    assert (accuracy["baseline"], accuracy["candidate"], accuracy["difference"]) == (0.985, 1.0, 0.015)
    assert request.gates.get(gate="live").status == "passed"


def test_near_duplicates_of_a_comparison_reach_the_gate(live, mia, ravi, monkeypatch):
    real = evidence.compare_uncached
    monkeypatch.setattr(evidence, "compare_uncached", lambda *versions: real(*versions) | {"clusters": 40})

    request = asked_with(live, ravi, mia, 0)

    assert request.comparison["clusters"] == 40
    assert "200 test rows in 40 groups of near duplicates" in request.gates.get(gate="live").evidence
    assert page.against(request).endswith(", 200 test rows in 40 groups of near duplicates.")


def test_a_comparison_of_before_calls_no_version_better_by_its_ece(better):
    shown, text = page.rows(better), page.against(better)
    better.comparison["measures"]["ece"] = better.comparison["measures"]["log_loss"] | {"verdict": "better"}

    assert (page.rows(better), page.against(better)) == (shown, text)


def test_a_worse_version_fails_against_the_live_one(live, mia, ravi):
    request = asked_with(live, ravi, mia, 9)

    assert request.status == Status.DRAFT
    assert request.gates.get(gate="live").status == "failed"


def test_a_large_comparison_is_kept_by_the_check_for_its_page(live, mia, ravi, monkeypatch):
    monkeypatch.setattr(compare, "LARGE", 0)
    request = asked_with(live, ravi, mia, 9)

    kept = Comparison.objects.get()
    assert (kept.a, kept.b, kept.report["digest"]) == (
        live.version.evaluation,
        request.version.evaluation,
        request.comparison["digest"],
    )


def test_a_live_version_on_other_data_fails_the_gate_with_what_to_do(live, project, mia, ravi):
    old = live.version
    new = registry.make_version(project, mia, ravi, model=old.model, semver="1.1.0")

    request = registry.asked_request(new, live.endpoint, mia)

    gate = request.gates.get(gate="live")
    assert (request.status, gate.status) == (Status.DRAFT, "failed")
    assert f"Evaluate run {old.run.number}" in gate.evidence


def request(version, endpoint, actor):
    return actions.request(version=version, endpoint=endpoint, note="", actor=actor)


def test_what_cannot_be_asked_for(project, version, endpoint, mia, ravi, lee):
    other = registry.make_endpoint(registry.make_model(project, mia), mia)
    with refused("endpoint", naming=(other.slug,)):
        request(version, other, mia)

    registry.asked_request(version, endpoint, mia)
    with refused("version", naming=("1.0.0", endpoint.slug)):
        request(version, endpoint, lee)

    staging = registry.make_endpoint(version.model, mia, environment="staging")
    freeze = catalog.freeze(
        endpoint_id=staging.uuid, reason="Audit.", until=timezone.now() + timedelta(days=1), actor=lee
    )
    with refused(naming=(staging.slug, "Audit.")):
        request(version, staging, mia)
    catalog.lift_freeze(freeze_id=freeze.uuid, actor=lee)

    Alias.objects.filter(endpoint=staging).update(version=version, moves=1)
    with refused("version", naming=("1.0.0", staging.slug)):
        request(version, staging, mia)

    catalog.quarantine(version_id=version.uuid, reason="Found a fault.", actor=lee)
    another = registry.make_endpoint(version.model, mia)
    with refused("version", naming=("1.0.0", "Found a fault.")):
        request(version, another, mia)


@pytest.mark.parametrize("username", ["ana", "ravi", "gita", "omar", "aida", "otto", "adam"])
def test_who_may_not_ask(request, version, endpoint, username):
    person = request.getfixturevalue(username)
    before = counts()

    with pytest.raises(PermissionDenied):
        actions.request(version=version, endpoint=endpoint, note="", actor=person)

    assert counts() == before


def reject(request, reviewer, reason="Refunds got worse.", seen=None):
    return actions.reject(
        request_id=request.uuid,
        actor=reviewer,
        reason=reason,
        password=PASSWORD,
        seen=request.subject_digest if seen is None else seen,
    )


def payload(verb):
    """What the newest event of a kind states."""
    return json.loads(Event.objects.filter(verb=verb).latest("pk").canonical)["payload"]


def test_a_reviewer_rejects_with_a_reason(request_, gita):
    rejected = reject(request_, gita)

    assert (rejected.status, rejected.reason) == (Status.REJECTED, "Refunds got worse.")
    assert list(request_.verdicts.values_list("step", "reviewer__username", "approves")) == [
        ("governance", "gita", False)
    ]


def test_a_rejection_needs_a_reason(request_, gita):
    with refused("reason"):
        reject(request_, gita, " ")


@pytest.fixture
def lena(project):
    """A second lead."""
    return make_person("lena", project=project, role=Role.LEAD)


@pytest.fixture
def asked_of_two_leads(lena, version, endpoint, mia, lee, gita):
    """A request that was made when both led already."""
    return registry.asked_request(version, endpoint, mia)


def test_an_approval_can_be_taken_back_by_another_reviewer_but_not_by_who_gave_it(
    asked_of_two_leads, lena, lee, gita
):
    request_ = asked_of_two_leads
    registry.approve(request_, lee)
    registry.approve(request_, gita)

    with refused(by=Conflict):
        reject(request_, lee)

    assert reject(request_, lena).status == Status.REJECTED


def edit_the_card(request):
    catalog.edit_card(
        version=request.version,
        stated=registry.STATED | {"limits": "None known."},
        seen=queries.newest_card(request.version).digest,
        actor=request.requester,
    )


def let_the_time_pass(request):
    PromotionRequest.objects.filter(pk=request.pk).update(due_at=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("overtake", "ending"), [(edit_the_card, Status.VOIDED), (let_the_time_pass, Status.EXPIRED)]
)
def test_a_rejection_of_what_was_overtaken_is_a_conflict_and_ends_it_as_what_it_is(
    request_, gita, overtake, ending
):
    overtake(request_)
    before = counts()

    with pytest.raises(Conflict):
        reject(request_, gita)

    found = PromotionRequest.objects.get()
    assert (found.status, found.verdicts.count()) == (ending, 0)
    assert counts() == (before[0], before[1] + 1)
    ended = payload(f"promotions.{ending}")
    assert (ended["old"], ended["reason"]) == (Status.IN_REVIEW, found.reason)


def test_an_approval_that_was_not_used_in_time_is_not_rejected_but_expires(request_, lee, gita):
    registry.approve(request_, lee)
    registry.approve(request_, gita)
    PromotionRequest.objects.filter(pk=request_.pk).update(expires_at=timezone.now() - timedelta(seconds=1))

    with pytest.raises(Conflict):
        reject(request_, gita)

    assert PromotionRequest.objects.get().status == Status.EXPIRED
    assert payload("promotions.expired")["old"] == Status.APPROVED


def test_a_rejection_of_what_the_reviewer_did_not_see_changes_nothing(request_, gita):
    with refused(by=Conflict):
        reject(request_, gita, seen="0" * 64)


def test_what_is_not_decided_on_yet_or_any_more_is_not_rejected(request_, project, mia, ravi, lee, gita):
    version = registry.make_version(project, mia, ravi, stated={})
    draft = registry.asked_request(version, registry.make_endpoint(version.model, mia), mia)
    edit_the_card(draft)  # a draft is checked again anyway: it isn't void
    actions.withdraw(request_id=request_.uuid, actor=mia, reason="A better one comes.")

    for given, status in ((draft, Status.DRAFT), (request_, Status.WITHDRAWN)):
        with refused(by=Conflict, naming=(status.label.lower(),)):
            reject(given, gita)


def test_a_rejection_is_in_the_trail_with_its_step_and_what_it_ended(request_, lee):
    reject(request_, lee)

    assert payload("promotions.rejected") == {
        "step": "technical",
        "reason": "Refunds got worse.",
        "old": Status.IN_REVIEW,
        "subject_digest": request_.subject_digest,
    }


def test_who_has_the_roles_of_two_steps_rejects_by_the_first(project, version, endpoint, mia, lee):
    access.grant(user=lee, role=Role.GOVERNANCE, root=project, actor=None)
    request = registry.asked_request(version, endpoint, mia)

    reject(request, lee)

    assert list(request.verdicts.values_list("step", "approves")) == [("technical", False)]


def test_a_reviewer_for_whose_role_the_policy_has_no_step_rejects_nothing(version, endpoint, mia, lee, gita):
    policies.publish(text=registry.LAX, actor=None)
    request = registry.asked_request(version, endpoint, mia)

    with refused():
        reject(request, gita)


def test_a_note_has_up_to_4000_characters_and_no_space_around_it(version, endpoint, mia):
    before = counts()
    with pytest.raises(Refused) as refusal:
        actions.request(version=version, endpoint=endpoint, note="x" * 4001, actor=mia)
    assert (list(refusal.value.fields), counts()) == (["note"], before)

    made = actions.request(version=version, endpoint=endpoint, note=" " + "x" * 3998 + " ", actor=mia)

    assert made.note == "x" * 3998
    actions.withdraw(request_id=made.uuid, actor=mia, reason="Again.")
    longest = actions.request(version=version, endpoint=endpoint, note="x" * 4000, actor=mia)
    assert (made.number, longest.number, longest.note) == (1, 2, "x" * 4000)


def test_a_second_open_request_that_no_look_found_is_refused_by_the_database(
    request_, version, endpoint, lee, monkeypatch
):
    monkeypatch.setattr(actions.requests, "check_askable", lambda version, endpoint: None)

    with refused("version", naming=("1.0.0", endpoint.slug)):
        request(version, endpoint, lee)


def test_a_withdrawal_has_a_reason_and_is_in_the_trail_with_it(request_, lee):
    before = counts()
    with pytest.raises(Refused) as refusal:
        actions.withdraw(request_id=request_.uuid, actor=lee, reason=" ")
    assert (list(refusal.value.fields), counts()) == (["reason"], before)
    assert PromotionRequest.objects.get().status == Status.IN_REVIEW

    ended = actions.withdraw(request_id=request_.uuid, actor=lee, reason=" Too early. ")

    assert (ended.status, ended.reason) == (Status.WITHDRAWN, "Too early.")
    assert payload("promotions.withdrawn") == {"old": Status.IN_REVIEW, "reason": "Too early."}


def test_a_requester_who_lost_the_role_withdraws_nothing(request_, project, mia):
    access.revoke(user=mia, role=Role.ENGINEER, root=project, actor=None)
    before = counts()

    with pytest.raises(PermissionDenied):
        actions.withdraw(request_id=request_.uuid, actor=mia, reason="No.")

    assert (PromotionRequest.objects.get().status, counts()) == (Status.IN_REVIEW, before)
    assert not promotions.may_withdraw(mia, request_)


def test_the_requester_or_a_lead_withdraws(request_, mia, lee, project):
    with pytest.raises(PermissionDenied):
        actions.withdraw(
            request_id=request_.uuid,
            actor=make_person("max", project=project, role=Role.ENGINEER),
            reason="No.",
        )
    assert PromotionRequest.objects.get().status == Status.IN_REVIEW

    assert (
        actions.withdraw(request_id=request_.uuid, actor=mia, reason="A better one comes.").status
        == Status.WITHDRAWN
    )
    with pytest.raises(Conflict):
        actions.withdraw(request_id=request_.uuid, actor=lee, reason="Again.")


def test_a_withdrawn_request_is_not_reopened_by_its_check(version, endpoint, mia):
    request = actions.request(version=version, endpoint=endpoint, note="", actor=mia)
    actions.withdraw(request_id=request.uuid, actor=mia, reason="Too early.")
    run_ok("default")

    request.refresh_from_db()
    assert (request.status, request.gates.count()) == (Status.WITHDRAWN, 0)


def test_a_comment_is_kept_and_its_words_stay_out_of_the_trail(request_, aida, lee):
    with pytest.raises(PermissionDenied):
        actions.comment(request_id=request_.uuid, actor=aida, text="Hello.")
    assert not PromotionComment.objects.exists()

    made = actions.comment(request_id=request_.uuid, actor=lee, text="Please watch refunds.")

    assert made.text == "Please watch refunds."
    assert "refunds" not in Event.objects.latest("pk").canonical


def test_a_comment_has_1_to_4000_characters(request_, lee):
    before = counts()
    for text in ("", " \n", "x" * 4001):
        with pytest.raises(Refused) as refusal:
            actions.comment(request_id=request_.uuid, actor=lee, text=text)
        assert list(refusal.value.fields) == ["text"]
    assert (PromotionComment.objects.count(), counts()) == (0, before)

    made = [
        actions.comment(request_id=request_.uuid, actor=lee, text=text)
        for text in (" x ", " " + "x" * 4000 + " ")
    ]

    assert [each.text for each in made] == ["x", "x" * 4000]
    assert payload("promotions.commented") == {
        "comment": str(made[1].uuid),
        "digest": digest_of("x" * 4000),
    }


def test_every_step_of_a_request_is_in_the_trail(request_, lee, gita):
    registry.approve(request_, lee)
    registry.approve(request_, gita)

    verbs = Event.objects.filter(object_id=str(request_.uuid)).order_by("seq").values_list("verb", flat=True)
    assert list(verbs) == [
        "promotions.requested",
        "promotions.checked",
        "promotions.approved",
        "promotions.approved",
    ]
