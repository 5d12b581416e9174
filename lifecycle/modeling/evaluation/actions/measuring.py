"""Start an evaluation and store its result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import transaction

from datasets_app.queues.queries.decisions import asking
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs import queries as jobs
from lifecycle.ground.jobs.actions import enqueue
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import rules
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training import queries as training
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.rules import RunState
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.access.models import User
from registry.ground.access.policy import require
from registry.ground.artifacts import actions as artifacts
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

SPLITS = ("validation", "test")
PARQUET = "application/vnd.apache.parquet"


@transaction.atomic
def export_rows(*, evaluation: Evaluation, form: str, actor: User) -> None:
    """Record in the audit log that a person exports all predictions. Raises PermissionDenied, as for reading
    texts, or Refused if a queue asks this person about items of the split.
    """
    require(actor, "datasets.read_samples", evaluation)
    if asking(actor, evaluation.snapshot.dataset).filter(item__assignment__split=evaluation.split).exists():
        raise Refused(
            "Queues ask you about items of this split, so you can't download their labels and predictions.",
            next_step="Label the items first.",
        )
    record(
        actor,
        Verb.PREDICTIONS_EXPORTED,
        evaluation,
        project=evaluation.run.project.uuid,
        form=form,
        digest=evaluation.predictions.digest,
        rows=evaluation.rows,
    )


@transaction.atomic
def evaluate(*, run: Run, split: str, actor: User | None, snapshot: Snapshot | None = None) -> Job:
    """Queue the evaluation of a run's artifact and of the baselines on one split. If one is queued, return
    that job.

    actor: None is the system itself. snapshot: a later version of the same dataset, for comparison with
    another run; by default the run's own. Raises PermissionDenied, Conflict (the run has no artifact), or
    Refused (no such split, no rows in it, unknown labels).
    """
    if actor is not None:
        require(actor, "evaluation.evaluate", run)
    if run.state != RunState.SUCCEEDED or run.artifact_id is None:
        raise Conflict(
            f"{run} has no model to evaluate because it is {run.get_state_display().lower()}.",
            next_step="Wait until it finishes.",
        )
    if split not in SPLITS:
        raise Refused("Unknown split.", fields={"split": [f"Choose one of {', '.join(SPLITS)}."]})
    other = snapshot if snapshot is not None and snapshot.pk != run.snapshot_id else None
    measured = other or run.snapshot
    if not measured.counts["splits"].get(split):
        text = f"{measured} has no {split} rows."
        raise Refused(
            text,
            next_step="Create a dataset version with this split and train on it.",
            fields={"split": [text]},
        )
    if other is not None:
        check_measurable(run, other)
    if waiting := waiting_for(run, split, other):
        return waiting
    if actor is not None:
        record(
            actor,
            Verb.EVALUATION_REQUESTED,
            run,
            project=run.project.uuid,
            split=split,
            snapshot=measured.uuid,
        )
    return queue(run, [split], actor, other)


def waiting_for(run: Run, split: str, snapshot: Snapshot | None) -> Job | None:
    """The unfinished job that evaluates a run on this split. snapshot: one other than the run's."""
    unfinished = jobs.of_subject(run).filter(kind="evaluation.evaluate", state__in=["queued", "running"])
    wanted = str(snapshot.uuid) if snapshot else None
    return next(
        (job for job in unfinished if split in job.args["splits"] and job.args.get("snapshot") == wanted),
        None,
    )


def queue(run: Run, splits: list[str], actor: User | None, snapshot: Snapshot | None = None) -> Job:
    """The job that evaluates a run on these splits, in one process."""
    args = {"run": str(run.uuid), "splits": splits} | ({"snapshot": str(snapshot.uuid)} if snapshot else {})
    key = ":".join(["evaluate", str(run.uuid), *splits, *([str(snapshot.uuid)] if snapshot else [])])
    return enqueue("evaluation.evaluate", actor=actor, project=run.project, args=args, subject=run, key=key)


def check_measurable(run: Run, snapshot: Snapshot) -> None:
    """Raise Refused if a run can't be evaluated on a dataset version: another dataset, or labels it wasn't
    trained on.
    """
    if snapshot.dataset_id != run.snapshot.dataset_id:
        raise Refused(
            f"{run} was trained on a different dataset than {snapshot}.",
            fields={"dataset_version": ["Choose a version of its dataset."]},
        )
    if fresh := sorted(set(training.labels_of(snapshot)) - set(run.spec["labels"])):
        text = (
            f"{run} wasn't trained on {', '.join(fresh[:3])}{' and others' if len(fresh) > 3 else ''}, which"
            f" {snapshot} contains."
        )
        raise Refused(text, next_step="Compare on labels that both know.", fields={"dataset_version": [text]})


def after_success(run: Run) -> None:
    """Evaluate a succeeded run on validation and test, if they have rows."""
    if splits := [split for split in SPLITS if run.snapshot.counts["splits"].get(split)]:
        queue(run, splits, None)


def keep(
    *,
    run: Run,
    split: str,
    result: dict[str, Any],
    predictions: Path,
    actor: User | None,
    snapshot: Snapshot | None = None,
) -> Evaluation:
    """Store a finished evaluation permanently; the same result again is the same evaluation.

    result: the engine's result.json. predictions: its Parquet file. snapshot: the version of the predicted
    rows; by default the run's own.
    """
    measured = snapshot or run.snapshot
    blob = artifacts.put_file(predictions, media_type=PARQUET)
    report = rules.finite(rules.report_of(result))
    artifact = run.artifact
    if artifact is None:
        raise Conflict(f"{run} has no model.")
    with transaction.atomic():
        evaluation, created = Evaluation.objects.get_or_create(
            run=run,  # another run with identical weights has its own evaluations
            root_digest=artifact.root_digest,
            snapshot=measured,
            split=split,
            report_digest=Evaluation(report=report, predictions=blob).computed_digest,
            defaults={"rows": report["rows"], "report": report, "predictions": blob, "created_by": actor},
        )
        if created:
            record(
                actor,
                Verb.EVALUATION_RECORDED,
                evaluation,
                project=run.project.uuid,
                run=run.uuid,
                split=split,
                rows=evaluation.rows,
                root_digest=evaluation.root_digest,
                report_digest=evaluation.report_digest,
                snapshot_digest=measured.digest,
            )
    return evaluation
