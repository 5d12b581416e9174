"""From approval to an open promotion, step by step, killed anywhere, called off anywhere."""

import json
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from datasets_app.queues.models import Queue, Slot
from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.evaluation import compare
from lifecycle.modeling.evaluation.models import Comparison, Evaluation
from lifecycle.modeling.training import actions as runs
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.refusals import Refused
from monitoring.retraining import actions, rules
from monitoring.retraining.actions import steps
from monitoring.retraining.models import Proposal, Trigger
from monitoring.retraining.queries import people
from monitoring.retraining.rules import Outcome, State, Step
from registry.catalog import actions as catalog
from registry.catalog.models import ModelVersion
from registry.endpoints import actions as endpoints
from registry.endpoints.queries import deployments
from registry.ground.access.actions import revoke
from registry.ground.access.roles import Role
from registry.ground.ledger.actions import record
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from registry.promotions import actions as promotions
from registry.promotions.models import PromotionRequest
from registry.promotions.rules import PARTS
from tests.monitoring.retraining.conftest import (
    LIVE_ACCURACY,
    advance,
    end_training,
    label_queue,
    make_evaluation_on,
    measure,
    train,
)
from tests.support import registry, training
from tests.support.jobs import run_ok
from tests.support.people import PASSWORD, make_person
from tests.support.trail import behind_its_back, faults
from tests.support.training import settle
from tests.support.unchanged import refused


def fresh(proposal: Proposal) -> Proposal:
    return Proposal.objects.get(pk=proposal.pk)


def verbs() -> list[str]:
    return [
        verb
        for verb in Event.objects.order_by("seq").values_list("verb", flat=True)
        if verb.startswith("retraining.")
    ]


def test_the_whole_way_ends_with_a_promotion_that_people_decide(requested, endpoint, lee):
    found = requested

    assert found.state == State.REQUESTED
    assert found.step is None
    assert found.comparison["verdict"] == "better"
    assert found.comparison["rows"] == found.snapshot.counts["splits"]["test"]
    assert (found.evaluation.snapshot, found.live_evaluation.snapshot) == (found.snapshot, found.snapshot)
    assert (found.version.semver, found.version.run) == ("1.1.0", found.run)
    assert (found.promotion.version, found.promotion.endpoint, found.promotion.requester) == (
        found.version,
        endpoint,
        lee,
    )
    assert deployments.live_deployment(endpoint).version.semver == "1.0.0"
    assert verbs() == ["retraining.proposed", "retraining.approved"]


def test_the_recipe_is_that_of_the_live_version_and_the_data_are_new(training_now):
    found, old = training_now, training_now.live.run

    assert found.step == Step.RUN
    assert (found.run.base, found.run.strategy, found.run.launched_by) == (old.base, old.strategy, None)
    spec = {name: value for name, value in found.run.spec.items() if name not in ("labels", "base")}
    assert spec == {name: value for name, value in old.spec.items() if name not in ("labels", "base")}
    assert found.snapshot.number == old.snapshot.number + 1
    assert found.snapshot.dataset == old.snapshot.dataset


def test_training_waits_until_enough_labels_are_decided(approved, ana):
    label_queue(approved, ana, number=7)
    actions.advance(approved.uuid)

    waiting = fresh(approved)
    assert (waiting.state, waiting.labels_new) == (State.APPROVED, 7)
    assert waiting.blocked_by.startswith("7 of 8 new labels resolved; 7 of 15 items in the queue")
    assert not Snapshot.objects.filter(number=2).exists()

    label_queue(approved, ana, number=8)
    found = actions.advance(approved.uuid)
    assert (found.state, found.labels_new) == (State.RUNNING, 8)


def test_nothing_is_frozen_while_someone_has_an_item_in_hand(approved, ana):
    label_queue(approved, ana, number=8)
    approved.refresh_from_db()
    slots, now = approved.queue.slots.filter(state=Slot.State.OPEN), timezone.now()
    held = slots.first()
    Slot.objects.filter(pk=held.pk).update(
        state=Slot.State.LEASED, user=ana, lease_until=now + timedelta(minutes=10)
    )

    waiting = actions.advance(approved.uuid, now)
    assert (waiting.state, waiting.labels_new, waiting.gated_at) == (State.APPROVED, 8, None)
    assert waiting.blocked_by.startswith("8 new labels resolved. 1 item is still being labeled")
    assert not Snapshot.objects.filter(number=2).exists()

    with transaction.atomic():
        Queue.objects.filter(pk=approved.queue_id).update(state=Queue.State.CLOSED)
        assert actions.advance(approved.uuid, now).state == State.RUNNING
        transaction.set_rollback(True)
    assert actions.advance(approved.uuid, now + timedelta(minutes=11)).state == State.RUNNING


def test_a_model_that_is_not_better_opens_no_promotion(no_better, lee):
    assert (no_better.state, no_better.outcome) == (State.DONE, Outcome.NOT_BETTER)
    assert no_better.version is None
    assert not PromotionRequest.objects.filter(version__semver="1.1.0").exists()
    assert '"outcome":"not_better"' in Event.objects.get(verb="retraining.ended").canonical
    assert lee.notices.filter(text__contains="didn't request a promotion").exists()


def test_a_comparison_that_was_made_up_in_the_database_opens_no_promotion(training_now, monkeypatch):
    training.finish_run(training_now.run, accuracy=LIVE_ACCURACY)
    measure(training_now, accuracy=LIVE_ACCURACY)
    old, new = Evaluation.objects.filter(snapshot=fresh(training_now).snapshot, split="test").order_by("-pk")[
        :2
    ]
    made_up = compare.computed(old, new)
    for each in made_up["metrics"].values():
        each.update(difference=0.4, low=0.3, high=0.5, verdict="better")
    monkeypatch.setattr(compare, "LARGE", 0)
    Comparison.objects.create(a=old, b=new, report=compare.kept_as(made_up), changed=[])

    found = actions.advance(training_now.uuid)

    assert (found.live_evaluation, found.evaluation) == (old, new)
    assert (found.state, found.outcome) == (State.DONE, Outcome.NOT_BETTER)


@pytest.mark.postgres
def test_a_lead_can_go_on_by_hand_with_a_reason(no_better, mia, lee):
    with pytest.raises(PermissionDenied):
        actions.override(proposal_id=no_better.uuid, actor=mia, reason="I like it.")
    with refused("reason"):
        actions.override(proposal_id=no_better.uuid, actor=lee, reason=" ")
    assert fresh(no_better).state == State.DONE

    actions.override(proposal_id=no_better.uuid, actor=lee, reason="It knows the new product.")
    assert verbs() == [
        "retraining.proposed",
        "retraining.approved",
        "retraining.ended",
        "retraining.overridden",
    ]
    found = advance(advance(no_better))
    assert (found.state, found.version.semver) == (State.REQUESTED, "1.1.0")
    assert "It knows the new product." in found.promotion.note


def test_labels_that_the_live_version_never_learned_make_the_two_incomparable(labeled, lee, ravi, mia):
    from datasets_app.schemas.actions.schemas import publish_schema, spec_of
    from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
    from datasets_app.schemas.rules import LabelSpec
    from tests.support.datasets import import_texts

    import_texts(labeled.dataset, [(f"loan wish {n}", "loan") for n in range(12)], mia)
    known = [spec_of(each) for each in labels_by_name(latest_schema(labeled.dataset)).values()]
    publish_schema(dataset_id=labeled.dataset.uuid, actor=ravi, labels=[*known, LabelSpec("mortgage")])
    advance(labeled)
    found = fresh(labeled)
    training.finish_run(found.run)
    make_evaluation_on(fresh(labeled).run, found.snapshot, "test", 1.0)

    found = actions.advance(labeled.uuid)

    assert (found.state, found.outcome) == (State.DONE, Outcome.INCOMPARABLE)
    assert "loan" in found.comparison["why"]
    assert found.live_evaluation == found.live.evaluation


# ── Killed anywhere ─────────────────────────────────────────────────────────
def test_every_step_again_makes_nothing_twice(labeled, monkeypatch):
    """The process dies behind each step in turn: what it did is there once, and the next tick goes on."""
    real, calls = steps.step, []

    def dies(proposal: Proposal, ahead, now):
        real(proposal, ahead, now)
        calls.append(proposal.step)
        raise KeyboardInterrupt

    for _ in range(4):
        monkeypatch.setattr(steps, "step", dies)
        with pytest.raises(KeyboardInterrupt):
            actions.advance(labeled.uuid)
        monkeypatch.setattr(steps, "step", real)
        steps.advance_once(Proposal.objects.get(pk=labeled.pk), labeled.created_at)
        run_ok("default")

    assert len(calls) == 4
    assert Snapshot.objects.filter(dataset=labeled.dataset).count() == 2
    assert Run.objects.filter(note__startswith="Proposal 1:").count() == 1


def test_two_workers_at_once_take_a_step_once(labeled):
    for _ in range(3):
        actions.tick()
        actions.tick()
        run_ok("default")

    assert Run.objects.filter(note__startswith="Proposal 1:").count() == 1
    assert Snapshot.objects.filter(dataset=labeled.dataset).count() == 2


@pytest.mark.postgres
def test_an_unforeseen_error_blocks_no_other_and_can_be_tried_again(labeled, lee, monkeypatch):
    def breaks(*_):
        raise ZeroDivisionError

    monkeypatch.setitem(steps.STEPS, Step.SNAPSHOT, breaks)
    actions.tick()
    found = fresh(labeled)
    assert found.state == State.FAILED
    assert "unexpected" in found.failure

    monkeypatch.undo()
    actions.retry(proposal_id=labeled.uuid, actor=lee)
    assert advance(labeled).run is not None


# ── Failing and trying again ────────────────────────────────────────────────
@pytest.mark.postgres
def test_a_failed_run_fails_the_proposal_and_is_resumed_by_the_next_retry(training_now, project, lee):
    other, run = make_person("lars", project=project, role=Role.LEAD), training_now.run
    runs.begin(run.uuid)
    runs.fail(run.uuid, "memory", "The device ran out of memory.", "Choose smaller batches.")
    settle(run)

    found = actions.advance(training_now.uuid)
    assert (found.state, found.failure_step) == (State.FAILED, "Choose smaller batches.")
    assert "The device ran out of memory." in found.failure
    assert verbs()[-1] == "retraining.failed"

    actions.retry(proposal_id=training_now.uuid, actor=other)
    assert verbs() == [
        "retraining.proposed",
        "retraining.approved",
        "retraining.failed",
        "retraining.resumed",
    ]
    found = fresh(training_now)
    assert (found.state, found.acting, found.failure) == (State.RUNNING, other, "")
    assert found.run.state == Run.State.QUEUED


def test_who_lost_the_role_cannot_answer_for_the_next_step(labeled, lee, project):
    other = make_person("lars", project=project, role=Role.LEAD)
    revoke(user=lee, role=Role.LEAD, root=project, actor=None)

    found = actions.advance(labeled.uuid)
    assert (found.state, found.snapshot) == (State.FAILED, None)
    assert found.failure.startswith("The responsible person can't do the next step")

    actions.retry(proposal_id=labeled.uuid, actor=other)
    found = advance(labeled)
    assert (found.run.launched_by, found.run.job.created_by) == (None, other)


def test_a_frozen_endpoint_waits(labeled, omar):
    catalog.freeze(
        endpoint_id=labeled.endpoint.uuid,
        until=timezone.now() + timedelta(hours=2),
        reason="Incident 7.",
        actor=omar,
    )

    found = actions.advance(labeled.uuid)
    assert found.state == State.APPROVED
    assert "Incident 7." in found.blocked_by


# ── Ending early ────────────────────────────────────────────────────────────
@pytest.mark.postgres
def test_another_version_going_live_overtakes_it(training_now, endpoint, mia, lee, gita, omar):
    snapshot = training_now.live.run.snapshot
    run = training.make_run(snapshot, mia, splits=(), seed=2)
    make_evaluation_on(run, snapshot, "test", 1.0)
    catalog.register(model=endpoint.model, run=run, semver="2.0.0", actor=mia, stated=registry.STATED)
    run_ok("default")
    version = ModelVersion.objects.get(semver="2.0.0")
    endpoints.deploy(request_id=registry.approved_request(version, endpoint, mia, lee, gita).uuid, actor=omar)

    found = actions.advance(training_now.uuid)

    assert (found.state, found.outcome) == (State.DONE, Outcome.OVERTAKEN)
    assert found.run.state == Run.State.STOPPED


@pytest.mark.postgres
def test_calling_off_stops_the_run_and_needs_a_lead_and_a_reason(training_now, mia, lee):
    with pytest.raises(PermissionDenied):
        actions.withdraw(proposal_id=training_now.uuid, actor=mia, reason="Mine.")
    with pytest.raises(Refused):
        actions.withdraw(proposal_id=training_now.uuid, actor=lee, reason="")
    assert fresh(training_now).state == State.RUNNING

    actions.withdraw(proposal_id=training_now.uuid, actor=lee, reason="The product goes away.")
    found = fresh(training_now)
    assert (found.state, found.outcome, found.run.state) == (
        State.DECLINED,
        Outcome.WITHDRAWN,
        Run.State.STOPPED,
    )
    assert actions.advance(training_now.uuid).state == State.DECLINED


@pytest.mark.postgres
def test_calling_off_withdraws_the_promotion(requested, lee):
    actions.withdraw(proposal_id=requested.uuid, actor=lee, reason="Wait for the next one.")

    assert PromotionRequest.objects.get(pk=requested.promotion_id).status == "withdrawn"
    assert fresh(requested).outcome == Outcome.WITHDRAWN
    assert ModelVersion.objects.filter(semver="1.1.0").exists()


def test_a_rejected_promotion_ends_it(requested, gita):
    request = PromotionRequest.objects.get(pk=requested.promotion_id)
    promotions.reject(
        request_id=request.uuid, actor=gita, reason="Not now.", password=PASSWORD, seen=request.subject_digest
    )

    found = actions.advance(requested.uuid)
    assert (found.state, found.outcome) == (State.DONE, Outcome.PROMOTION_ENDED)


# ── Separation ──────────────────────────────────────────────────────────────
def record_resumed(run, by):
    """As the action that resumes a run notes it."""
    with transaction.atomic():
        record(by, Verb.RUN_RESUMED, run, project=run.project.uuid)


def people_of(proposal):
    """Whose own work the promotion judges, by part."""
    return PromotionRequest.objects.get(pk=proposal.promotion_id).subject["people"]


@pytest.mark.postgres
def test_the_only_lead_approves_the_start_and_then_the_promotion(requested, lee, gita):
    request = PromotionRequest.objects.get(pk=requested.promotion_id)
    launched = json.loads(
        Event.objects.get(verb="training.launched", object_id=str(requested.run.uuid)).canonical
    )

    assert (launched["actor"], launched["payload"]["start_approved_by"]) == ("system", str(lee.uuid))
    assert (requested.run.launched_by, requested.version.registered_by, request.by_system) == (
        None,
        None,
        True,
    )
    assert [people_of(requested)[part] for part in ("requester", "trained", "registered")] == [[], [], []]
    registry.approve(request, lee)
    assert registry.approve(request, gita).status == "approved"
    assert faults() == []


def test_a_lead_who_also_labeled_its_test_split_cannot_approve_it(training_now, lee):
    behind_its_back("UPDATE queues_decision SET by_id = %s", lee.pk)
    end_training(training_now, accuracy=1.0)
    request = PromotionRequest.objects.get(pk=advance(advance(training_now)).promotion_id)

    with refused(by=PermissionDenied, naming=(PARTS["decided"],)):
        registry.approve(request, lee)


def test_who_proposed_it_by_hand_and_who_labeled_for_it_cannot_approve_it(requested, mia, ana):
    assert people_of(requested)["behind"] == sorted([str(mia.uuid), str(ana.uuid)])


@pytest.mark.parametrize(("age", "is_behind"), [(timedelta(hours=23), True), (timedelta(hours=25), False)])
def test_a_trigger_that_was_set_for_the_occasion_is_a_proposal_by_hand(requested, lee, age, is_behind):
    trigger = actions.set_trigger(
        endpoint_id=requested.endpoint.uuid, kind=rules.Kind.DRIFT, actor=lee, threshold=0.2, enabled=True
    )
    Trigger.objects.filter(pk=trigger.pk).update(set_at=requested.created_at - age)
    requested.trigger = Trigger.objects.get(pk=trigger.pk)

    assert (lee.uuid in people.people_behind(requested)) is is_behind


def test_a_lead_who_resumed_the_run_cannot_approve_it(training_now, project, lee):
    other = make_person("lars", project=project, role=Role.LEAD)
    record_resumed(training_now.run, other)
    end_training(training_now, accuracy=1.0)
    found = advance(advance(training_now))

    assert people_of(found)["trained"] == [str(other.uuid)]


@pytest.mark.postgres
def test_who_tries_another_step_again_has_not_trained(labeled, project, lee):
    other = make_person("lars", project=project, role=Role.LEAD)
    found = fresh(labeled)
    with transaction.atomic():
        steps.give_up(found, "The disk was full.", "Free some.", found.created_at)
    actions.retry(proposal_id=found.uuid, actor=other)
    train(found)
    found = advance(advance(found))

    assert [people_of(found)[part] for part in ("requester", "trained", "registered")] == [[], [], []]


def test_who_continues_by_hand_requests_the_promotion_and_cannot_approve_it(no_better, lee):
    actions.override(proposal_id=no_better.uuid, actor=lee, reason="Its errors are cheaper.")
    found = advance(advance(no_better))
    request = PromotionRequest.objects.get(pk=found.promotion_id)

    with refused(by=PermissionDenied, naming=(PARTS["requester"],)):
        registry.approve(request, lee)
    assert (request.by_system, people_of(found)["requester"]) == (False, [str(lee.uuid)])


def test_it_never_promotes_by_itself(requested, endpoint):
    for _ in range(3):
        actions.tick()
        run_ok("default")

    assert fresh(requested).state == State.REQUESTED
    assert deployments.live_deployment(endpoint).version.semver == "1.0.0"
