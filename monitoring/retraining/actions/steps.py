"""Carrying a proposal on, one step at a time: queue, labels, snapshot, run, evaluation, comparison, version, promotion.

Each step is one transaction under the proposal's lock, in which the room below is asked and what it made is noted: both commit or neither.
A process that is killed in between leaves nothing half done; the next tick takes the step that is not done. Nothing here promotes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from datasets_app.labeling.models import Queue
from datasets_app.snapshots import actions as snapshots
from datasets_app.snapshots.actions.freezing import SHARES
from datasets_app.snapshots.models import Snapshot
from lifecycle.evaluation import actions as evaluation
from lifecycle.evaluation import compare
from lifecycle.evaluation.models import Evaluation
from lifecycle.jobs.models import Job
from lifecycle.jobs.rules import State as JobState
from lifecycle.refusals import Conflict, NotReady, Refusal, Refused
from lifecycle.training import actions as training
from lifecycle.training.models import Run
from monitoring.retraining import queries, rules
from monitoring.retraining.actions.collect import collect, settle
from monitoring.retraining.actions.moves import change, done, fail, lock, move, note, tell_leads, wait
from monitoring.retraining.models import Proposal
from monitoring.retraining.rules import Outcome, State, Step
from registry.access.models import User
from registry.catalog import actions as catalog
from registry.catalog import queries as versions
from registry.catalog.models import Alias, ModelVersion
from registry.catalog.rules import next_semver
from registry.ledger.verbs import Verb
from registry.promotions import actions as promotions
from registry.promotions.models import PromotionRequest
from registry.promotions.rules import OPEN, Status

log = logging.getLogger(__name__)
STEPS_MOST = 16
TEST = "test"
NOT_IN_RECIPE = ("base", "labels", "strategy", "format", "task")
RUN_ENDED = (Run.State.FAILED, Run.State.STOPPED)


class Stuck(Exception):
    """A step cannot be done by waiting. Carries a sentence and what to do."""

    def __init__(self, sentence: str, next_step: str = "") -> None:
        super().__init__(sentence)
        self.sentence, self.next_step = sentence, next_step


def advance(proposal_id: UUID, now: datetime | None = None) -> Proposal:
    """Take every step that can be taken now. Safe at any time and twice."""
    now = now or timezone.now()
    for _ in range(STEPS_MOST):
        before = place(queries.singly().get(uuid=proposal_id))
        proposal = advance_once(proposal_id, now)
        if place(proposal) == before:
            return proposal
    return proposal


def place(proposal: Proposal) -> tuple[Any, ...]:
    """Where a proposal stands, so that it can be seen whether a step did something."""
    return proposal.state, proposal.step, proposal.job_id, proposal.upload_id, proposal.run_id, proposal.live_evaluation_id


def advance_once(proposal_id: UUID, now: datetime) -> Proposal:
    """One step. What a room below refuses for now is waited for; what it refuses for good ends in a failure that can be tried again."""
    compared = compare_ahead(proposal_id)
    with transaction.atomic():
        proposal = lock(proposal_id)
        if proposal.state not in rules.BUSY:
            return proposal
        try:
            with transaction.atomic():
                step(proposal, compared, now)
        except (Conflict, NotReady) as refusal:
            wait(lock(proposal_id), f"{refusal.message} {refusal.next_step}".strip())
        except (Stuck, Refusal, PermissionDenied) as stopped:
            give_up(lock(proposal_id), *told(stopped), now)
        return lock(proposal_id)


def told(stopped: Exception) -> tuple[str, str]:
    """What stopped a step, and what to do, as sentences."""
    if isinstance(stopped, Stuck):
        return stopped.sentence, stopped.next_step
    if isinstance(stopped, Refusal):
        return stopped.message, stopped.next_step
    return (
        f"Who answers for it may not do the next step: {stopped}",
        "Somebody whose role allows it can try again, and answers for it then.",
    )


def give_up(proposal: Proposal, sentence: str, next_step: str, now: datetime) -> None:
    """An open proposal stays open, without its queue; one that is under way fails."""
    if proposal.state == State.OPEN:
        settle(proposal, now, f"No queue was opened: {sentence} {next_step}".strip())
    else:
        fail(proposal, sentence, next_step, now)


def step(proposal: Proposal, compared: dict[str, Any] | None, now: datetime) -> None:
    """What is next for the locked proposal, in its state."""
    if proposal.state == State.REQUESTED:
        follow_promotion(proposal, now)
    elif overtaken(proposal):
        live = queries.live_version(proposal.endpoint)
        what = f"{live.semver} is live instead" if live else "nothing is live any more"
        stop_run(proposal)
        done(proposal, Outcome.OVERTAKEN, now, f"{proposal} to retrain {proposal.endpoint} is overtaken: {what}.")
    elif proposal.state == State.OPEN:
        prepare(proposal, now)
    elif frozen := versions.freeze_of(proposal.endpoint, now):
        wait(proposal, f"{proposal.endpoint} is frozen until {frozen.until:%d %b %H:%M} UTC: {frozen.reason}")
    elif proposal.step is not None:
        work(proposal, proposal.step, compared, now)


def work(proposal: Proposal, wanted: Step, compared: dict[str, Any] | None, now: datetime) -> None:
    """The step of an approved proposal."""
    if wanted == Step.QUEUE:
        collect(proposal, now)
    elif wanted == Step.LABELS:
        pass_gate(proposal, now)
    elif wanted == Step.COMPARISON:
        judge(proposal, compared, now)
    else:
        STEPS[wanted](proposal, acting_for(proposal))


def prepare(proposal: Proposal, now: datetime) -> None:
    """What can be done before a lead decides: collect the texts, count the labels."""
    if proposal.collected_at is None:
        collect(proposal, now)
    else:
        count_labels(proposal, now)


def overtaken(proposal: Proposal) -> bool:
    """Whether another version than the one to beat is live; once somebody has gone on by hand, that is theirs to judge."""
    alias = Alias.objects.get(endpoint=proposal.endpoint)
    return alias.version_id != proposal.live_id and proposal.insisted_by_id is None


def acting_for(proposal: Proposal) -> User:
    """Who answers for the steps."""
    if proposal.acting is None or not proposal.acting.is_active:
        raise Stuck("Nobody answers for the next step any more.", "A lead can try again, and answers for it then.")
    return proposal.acting


# ── Labels ──────────────────────────────────────────────────────────────────
def count_labels(proposal: Proposal, now: datetime) -> int:
    """How many labels were decided since the live version's snapshot; noted where that has changed."""
    found = queries.labels_since(proposal.dataset, proposal.live.run.snapshot.created_at)
    if found != proposal.labels_new:
        change(proposal, labels_new=found, labels_at=now)
    return found


def pass_gate(proposal: Proposal, now: datetime) -> None:
    """Training waits for enough labels, or until everything in the queue is decided."""
    found, queue = count_labels(proposal, now), proposal.queue
    decided = queue is not None and queue_is_done(queue)
    if found >= proposal.min_labels or (decided and found):
        move(proposal, State.RUNNING, gated_at=now, blocked_by="")
        return
    missing = f"{found:,} of {proposal.min_labels:,} new labels are decided"
    if queue is None:
        wait(proposal, f"{missing}. Label items of {proposal.dataset}.")
    elif decided:
        wait(proposal, f"{missing}, and the queue {queue} has nothing left. Label other items of {proposal.dataset}.")
    else:
        wait(proposal, f"{missing}; {queue.items_decided:,} of {queue.items_total:,} items of the queue {queue} are decided.")


def queue_is_done(queue: Queue) -> bool:
    """Whether every item of a filled queue is decided, or it is closed."""
    return queue.state == Queue.State.CLOSED or (queue.filled_at is not None and 0 < queue.items_total <= queue.items_decided)


# ── Snapshot, run, evaluation ───────────────────────────────────────────────
def ended(job: Job | None, what: str) -> bool:
    """Whether a job has succeeded; False while it goes on or where there is none. Raises Stuck where it ended badly."""
    if job is None or not job.is_finished:
        return False
    if job.state == JobState.SUCCEEDED:
        return True
    said = job.error or f"The job was {job.get_state_display().lower()}."
    raise Stuck(f"{what} was not made: {said}", job.next_step or "Try again.")


def take_snapshot(proposal: Proposal, actor: User) -> None:
    """Freeze what is decided now, divided as the live version's snapshot was."""
    job = proposal.job
    if job is None:
        old = proposal.live.run.snapshot
        shares = {split: int(old.shares.get(split, 0)) for split in SHARES}
        whole = sum(shares.values()) == 100 and all(shares.values())
        made = snapshots.freeze(
            dataset=proposal.dataset,
            actor=actor,
            seed=old.seed,
            shares=shares if whole else None,
            note=f"{proposal} for {proposal.endpoint}",
        )
        change(proposal, job=made, blocked_by="")
    elif ended(job, "The snapshot"):
        change(proposal, snapshot=Snapshot.objects.get(uuid=job.args["snapshot"]), job=None, blocked_by="")


def recipe_of(run: Run) -> dict[str, Any]:
    """Everything of a run's spec that is not its data or its base: the same again."""
    values = {name: value for name, value in run.spec.items() if name not in NOT_IN_RECIPE and value is not None}
    strategy = run.spec.get("strategy") or {}
    inner = {name: strategy[name] for name in ("rank", "alpha", "dropout") if strategy.get(name) is not None}
    return values | (inner if run.strategy == Run.Strategy.LORA else {})


def train(proposal: Proposal, actor: User) -> None:
    """Launch the live version's recipe on the new snapshot, and wait for the model. Who approved the proposal counts as who launched it."""
    run, live = proposal.run, proposal.live.run
    assert proposal.snapshot is not None  # noqa: S101  the step before
    if run is None:
        text = f"{proposal}: {proposal.live.semver} again, on {proposal.snapshot}"
        made = training.launch(
            snapshot=proposal.snapshot, base=live.base, strategy=live.strategy, actor=actor, options=recipe_of(live), note=text
        )
        change(proposal, run=made, blocked_by="")
    elif run.state in RUN_ENDED:
        said = (run.error or {}).get("message") or f"{run} was stopped."
        raise Stuck(
            f"{run} did not finish: {said}", (run.error or {}).get("next_step") or "Try again; it goes on from its last checkpoint."
        )


def measure(proposal: Proposal, actor: User) -> None:
    """Measure the new model and the live one on the test rows of the new snapshot, one after the other."""
    assert proposal.run is not None  # noqa: S101  the steps before
    assert proposal.snapshot is not None  # noqa: S101
    if proposal.live_evaluation is None and not live_knows(proposal):
        change(proposal, live_evaluation=proposal.live.evaluation, blocked_by="")
        return
    name = "live_evaluation" if proposal.live_evaluation is None else "evaluation"
    run = proposal.live.run if name == "live_evaluation" else proposal.run
    found = versions.frozen_evaluation(run, proposal.snapshot)
    if found is None and proposal.job is None:
        job = evaluation.evaluate(run=run, split=TEST, actor=actor, snapshot=proposal.snapshot)
        change(proposal, job=job, blocked_by="")
    elif found is not None:
        change(proposal, job=None, blocked_by="", **{name: found})
    elif ended(proposal.job, f"The evaluation of {run}"):
        raise Stuck(f"The evaluation of {run} left no result.", "Try again.")


def live_knows(proposal: Proposal) -> bool:
    """Whether the live version has learnt every label of the new snapshot; else only its own evaluation can be shown beside."""
    try:
        evaluation.check_measurable(proposal.live.run, proposal.snapshot)  # type: ignore[arg-type]  # there is one
    except Refused:
        return False
    return True


# ── Comparison ──────────────────────────────────────────────────────────────
def compare_ahead(proposal_id: UUID) -> dict[str, Any] | None:
    """The comparison, computed before the lock is taken; None where it is not its turn."""
    proposal = queries.singly().get(uuid=proposal_id)
    if proposal.state != State.RUNNING or proposal.step != Step.COMPARISON:
        return None
    new, old = proposal.evaluation, proposal.live_evaluation
    return compared_with(old, new) if old and new else None


def compared_with(old: Evaluation, new: Evaluation) -> dict[str, Any]:
    """Paired differences on the items that both answered, and what they come to: better, unclear, worse, or incomparable with why."""
    try:
        report = compare.paired_report(old, new)
    except Refused as refusal:
        return {"verdict": "incomparable", "why": refusal.message}
    metrics = {name: report["metrics"][name] for name in ("macro_f1", "accuracy") if name in report["metrics"]}
    verdict, why = rules.judge(metrics)
    return {
        "verdict": verdict, "why": why, "rows": report["rows"], "left_out": report["left_out"], "metrics": metrics,
        "digest": report["digest"],
    }  # fmt: skip


def judge(proposal: Proposal, compared: dict[str, Any] | None, now: datetime) -> None:
    """Note the comparison. A model that is not better ends the proposal: no promotion is opened unless a lead goes on by hand."""
    if compared is None:
        return
    change(proposal, comparison=compared, blocked_by="")
    if compared["verdict"] == "better":
        return
    outcome = Outcome.INCOMPARABLE if compared["verdict"] == "incomparable" else Outcome.NOT_BETTER
    done(proposal, outcome, now, f"{proposal} to retrain {proposal.endpoint} opened no promotion: {compared['why']}")


# ── Version and promotion ───────────────────────────────────────────────────
def register(proposal: Proposal, actor: User) -> None:
    """Have the run sealed as the next version. One that somebody registered by hand is taken."""
    run, model = proposal.run, proposal.endpoint.model
    assert run is not None  # noqa: S101  the steps before
    assert run.artifact is not None  # noqa: S101
    known = ModelVersion.objects.filter(model=model, root_digest=run.artifact.root_digest).first()
    if known is not None:
        change(proposal, version=known, semver=known.semver, job=None, blocked_by="")
    elif proposal.job is None:
        newest = model.versions.order_by("-number").first()
        semver, card = next_semver(newest.semver if newest else None), versions.newest_card(proposal.live)
        job = catalog.register(model=model, run=run, semver=semver, actor=actor, stated=dict(card.stated) if card else None)
        change(proposal, job=job, semver=semver, blocked_by="")
    elif ended(proposal.job, "The version"):
        raise Stuck("The version was not registered.", "Try again.")


def ask(proposal: Proposal, actor: User) -> None:
    """Open the promotion, in the name of who approved the proposal: they launched it, so that they cannot approve it."""
    version = proposal.version
    assert version is not None  # noqa: S101  the step before
    known = PromotionRequest.objects.filter(version=version, endpoint=proposal.endpoint, status__in=sorted(OPEN)).first()
    asked = known or promotions.request(
        version=version, endpoint=proposal.endpoint, note=note_of(proposal), actor=requester(proposal, actor)
    )
    move(proposal, State.REQUESTED, promotion=asked, blocked_by="")
    tell_leads(proposal, f"{version.semver} of {proposal} waits for its promotion to {proposal.endpoint}.")


def requester(proposal: Proposal, actor: User) -> User:
    """Who approved the proposal, while their role still allows it; else who answers for the steps."""
    who = proposal.decided_by
    return who if who and who.is_active and queries.may_request(who, proposal) else actor


def note_of(proposal: Proposal) -> str:
    """What the promotion says of where it comes from."""
    why = "; ".join(reason["fact"] for reason in proposal.reasons_for) or proposal.note or "a person asked for it"
    said = (proposal.comparison or {}).get("why", "")
    more = f" Asked for by hand: {proposal.insist_reason}" if proposal.insisted_by else ""
    return f"{proposal}: {proposal.live.semver} retrained, because: {why}. {said}{more}".strip()[:2_000]


def follow_promotion(proposal: Proposal, now: datetime) -> None:
    """See what became of the promotion, which is people's to decide."""
    asked = proposal.promotion
    assert asked is not None  # noqa: S101  its state says so
    if asked.status == Status.FULFILLED:
        done(proposal, Outcome.PROMOTED, now, f"{proposal.semver} of {proposal} is live on {proposal.endpoint}.")
    elif asked.status not in OPEN:
        said = f"{proposal.semver} of {proposal} did not go live: request {asked.number} is {asked.get_status_display().lower()}."
        done(proposal, Outcome.PROMOTION_ENDED, now, said)
    else:
        wait(proposal, f"Request {asked.number} is {asked.get_status_display().lower()}.")


def stop_run(proposal: Proposal) -> None:
    """Spare the device a training that nobody needs any more."""
    if proposal.run is None or proposal.acting is None or proposal.run.state not in queries.RUN_ACTIVE:
        return
    try:
        with transaction.atomic():
            training.stop(run_id=proposal.run.uuid, actor=proposal.acting)
    except (Refusal, PermissionDenied) as refusal:
        log.info("retraining_run_not_stopped proposal=%s why=%s", proposal.uuid, type(refusal).__name__)


STEPS: dict[Step, Callable[[Proposal, User], None]] = {
    Step.SNAPSHOT: take_snapshot, Step.RUN: train, Step.EVALUATION: measure, Step.VERSION: register, Step.PROMOTION: ask,
}  # fmt: skip


def restart(proposal: Proposal, actor: User) -> None:
    """Let the failed step be done again: forget the job that failed, and have a run that stopped go on from its checkpoint."""
    change(proposal, job=None)
    if proposal.run is not None and proposal.run.state in RUN_ENDED:
        training.resume(run_id=proposal.run.uuid, actor=actor)


def resumed(proposal: Proposal, actor: User, reason: str) -> None:
    """One event about going on by hand."""
    note(actor, Verb.RETRAIN_APPROVED, proposal, again=True, step=proposal.step, reason=reason)
