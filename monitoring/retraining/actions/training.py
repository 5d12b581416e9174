"""From the new snapshot to the comparison of both models on its test rows."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction

from datasets_app.snapshots import actions as snapshots
from datasets_app.snapshots.actions.freezing import SHARES
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs import queries as jobs
from lifecycle.modeling.evaluation import actions as evaluation
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training import actions as training
from lifecycle.modeling.training.actions.launch import CONTINUING
from lifecycle.modeling.training.models import BaseModel, Run
from lifecycle.modeling.training.suggesting import strategy_settings, threshold_settings
from lifecycle.runtime.refusals import Refusal, Refused
from lifecycle.runtime.task_types.by_key.measures import metrics_of
from monitoring.retraining import rules
from monitoring.retraining.actions.moves import Stuck, change, done, ended
from monitoring.retraining.models import Proposal
from monitoring.retraining.queries import people, proposals
from monitoring.retraining.rules import Outcome, Start, State, Step
from registry.catalog import queries as versions
from registry.ground.access.models import User

log = logging.getLogger(__name__)
TEST = "test"
NOT_IN_RECIPE = ("base", "labels", "strategy", "format", "task")


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
            by_system=True,
        )
        change(proposal, job=made, blocked_by="")
    elif ended(job, "The dataset version"):
        change(proposal, snapshot=Snapshot.objects.get(uuid=job.args["snapshot"]), job=None, blocked_by="")


def recipe_of(run: Run, snapshot: Snapshot) -> dict[str, Any]:
    """Everything of a run's spec that is not its data or its base: the same again. A class with a threshold
    is called as the snapshot calls it; where it is gone the likeliest class answers.
    """
    values = {
        name: value for name, value in run.spec.items() if name not in NOT_IN_RECIPE and value is not None
    }
    return values | strategy_settings(run) | threshold_settings(run.spec, run.snapshot, snapshot)


def behind_ahead(proposal: Proposal) -> frozenset[UUID] | None:
    """Who is behind the run that is launched next, looked up before the lock is taken; None where it is not
    its turn.
    """
    is_next = (
        proposal.state == State.RUNNING
        and proposal.step == Step.RUN
        and proposal.snapshot
        and proposal.run is None
    )
    return people.people_behind(proposal) if is_next else None


def train(proposal: Proposal, actor: User, behind: frozenset[UUID] | None) -> None:
    """Launch the live version's recipe on the new snapshot, and wait for the model. Who approved the start is
    not who trained.
    """
    run, live = proposal.run, proposal.live.run
    assert proposal.snapshot is not None  # noqa: S101  the step before
    if run is None:
        if behind is None:
            return
        base = base_of(proposal, actor)
        if base is None:
            return
        text = f"{proposal}: {proposal.live.semver} retrained on {proposal.snapshot}"
        options = recipe_of(live, proposal.snapshot)
        if proposal.start == Start.LIVE:  # suggested anew for this base
            options = {name: value for name, value in options.items() if name not in CONTINUING}
        made = training.launch(
            snapshot=proposal.snapshot,
            base=base,
            strategy=live.strategy,
            actor=actor,
            options=options,
            note=text,
            by_system=True,
            behind=behind,
        )
        change(proposal, run=made, job=None, blocked_by="")
    elif run.state in proposals.RUN_ENDED:
        error = run.error or {}
        problem = error.get("message") or f"{run} was stopped."
        raise Stuck(
            f"{run} didn't finish: {problem}",
            error.get("next_step") or "Try again; it resumes from its last checkpoint.",
        )


def base_of(proposal: Proposal, actor: User) -> BaseModel | None:
    """What the new model starts from; None while a job merges the live version's weights."""
    live = proposal.live.run
    if proposal.start == Start.BASE:
        return live.base
    base = training.add_run_base(run=live, actor=actor, by_system=True)
    if base.folder_id is not None:
        return base
    if proposal.job is None:
        change(proposal, job=jobs.of_subject(base).first(), blocked_by="")
    else:
        ended(proposal.job, f"A base model from {live}")
    return None


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
        raise Stuck(f"The evaluation of {run} has no result.", "Try again.")


def live_knows(proposal: Proposal) -> bool:
    """Whether the live version has learned every label of the new snapshot; else only its own evaluation can
    be shown beside.
    """
    try:
        evaluation.check_measurable(proposal.live.run, proposal.snapshot)  # type: ignore[arg-type]  # there is one
    except Refused:
        return False
    return True


def restart(proposal: Proposal, actor: User) -> None:
    """Let the failed step be done again: forget the job that failed, and have a run that stopped continue
    from its checkpoint.
    """
    change(proposal, job=None)
    if proposal.run is not None and proposal.run.state in proposals.RUN_ENDED:
        training.resume(run_id=proposal.run.uuid, actor=actor)


def stop_run(proposal: Proposal) -> None:
    """Spare the device a training that no one needs any more."""
    if proposal.run is None or proposal.acting is None or proposal.run.state not in proposals.RUN_ACTIVE:
        return
    try:
        with transaction.atomic():
            training.stop(run_id=proposal.run.uuid, actor=proposal.acting)
    except (Refusal, PermissionDenied) as refusal:
        log.info("retraining_run_not_stopped proposal=%s why=%s", proposal.uuid, type(refusal).__name__)


# ── Comparison ──────────────────────────────────────────────────────────────
def compare_ahead(proposal: Proposal) -> dict[str, Any] | None:
    """The comparison, computed before the lock is taken; None where it is not its turn."""
    if proposal.state != State.RUNNING or proposal.step != Step.COMPARISON:
        return None
    new, old = proposal.evaluation, proposal.live_evaluation
    return compared_with(old, new) if old and new else None


def compared_with(old: Evaluation, new: Evaluation) -> dict[str, Any]:
    """Paired differences on the items that both answered, and what they come to: better, unclear, worse, or
    incomparable with why.
    """
    try:
        report = evaluation.compare_uncached(old, new)
    except Refused as refusal:
        return {"verdict": "incomparable", "why": refusal.message}
    of_task = metrics_of(new.run.task)
    names = dict.fromkeys((of_task.leading.name, *of_task.beside))
    metrics = {name: report["metrics"][name] for name in names if name in report["metrics"]}
    verdict, why = rules.judge(metrics)
    return {
        "verdict": verdict,
        "why": why,
        "rows": report["rows"],
        "left_out": report["left_out"],
        "metrics": metrics,
        "digest": report["digest"],
    }


def judge(proposal: Proposal, compared: dict[str, Any] | None, now: datetime) -> None:
    """Note the comparison. A model that is not better ends the proposal: no promotion is opened unless a lead
    continues by hand.
    """
    if compared is None:
        return
    change(proposal, comparison=compared, blocked_by="")
    if compared["verdict"] == "better":
        return
    outcome = Outcome.INCOMPARABLE if compared["verdict"] == "incomparable" else Outcome.NOT_BETTER
    done(
        proposal,
        outcome,
        now,
        f"{proposal} to retrain {proposal.endpoint} didn't request a promotion: {compared['why']}",
    )
