"""Asking for an evaluation, and keeping what it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import transaction

from lifecycle.evaluation import rules
from lifecycle.evaluation.models import Evaluation
from lifecycle.jobs.actions import enqueue
from lifecycle.jobs.models import Job
from lifecycle.refusals import Conflict, Refused
from lifecycle.training.models import Run
from lifecycle.training.rules import RunState
from registry.access.models import User
from registry.access.policy import require
from registry.artifacts import actions as artifacts
from registry.ledger.actions import record
from registry.ledger.rules import digest_of
from registry.ledger.verbs import Verb

SPLITS = ("validation", "test")
PARQUET = "application/vnd.apache.parquet"


@transaction.atomic
def evaluate(*, run: Run, split: str, actor: User | None) -> Job:
    """Queue the measuring of a run's artifact, and of the baselines, on one split of its snapshot. While one waits, that one is returned.

    actor: None is the system itself. Raises PermissionDenied, Conflict (the run has no artifact) or Refused (no such split, no rows in it).
    """
    if actor is not None:
        require(actor, "evaluation.evaluate", run)
    if run.state != RunState.SUCCEEDED or run.artifact_id is None:
        raise Conflict(f"{run} has no model to evaluate: it is {run.get_state_display().lower()}.", next_step="Wait until it has ended.")
    if split not in SPLITS:
        raise Refused("An evaluation is on the validation or the test split.", fields={"split": [f"Choose one of {', '.join(SPLITS)}."]})
    if not run.snapshot.counts["splits"].get(split):
        text = f"{run.snapshot} has no {split} rows."
        raise Refused(text, next_step="Freeze a snapshot with a share for it and train on that.", fields={"split": [text]})
    key = f"evaluate:{run.uuid}:{split}"
    if actor is not None and not Job.objects.filter(key=key, state__in=["queued", "running"]).exists():
        record(actor, Verb.EVALUATION_REQUESTED, run, project=run.project.uuid, split=split)
    args = {"run": str(run.uuid), "split": split}
    return enqueue("evaluation.evaluate", actor=actor, project=run.project, args=args, subject=run, key=key)


def after_success(run: Run) -> None:
    """A run that succeeded is measured on validation, then on test, where its snapshot has rows for them."""
    for split in SPLITS:
        if run.snapshot.counts["splits"].get(split):
            evaluate(run=run, split=split, actor=None)


def keep(*, run: Run, split: str, result: dict[str, Any], predictions: Path, actor: User | None) -> Evaluation:
    """Keep a finished measurement for ever; the same result again is the same evaluation.

    result: the engine's result.json. predictions: its Parquet file.
    """
    blob = artifacts.put_file(predictions, media_type=PARQUET)
    report = rules.finite(rules.report_of(result))
    artifact = run.artifact
    if artifact is None:
        raise Conflict(f"{run} has no model.")
    with transaction.atomic():
        evaluation, created = Evaluation.objects.get_or_create(
            run=run,  # another run with the very same weights has evaluations of its own
            root_digest=artifact.root_digest,
            snapshot=run.snapshot,
            split=split,
            report_digest=digest_of({"report": report, "predictions": blob.digest}),
            defaults={"rows": report["rows"], "report": report, "predictions": blob, "created_by": actor},
        )
        if created:
            record(
                actor, Verb.EVALUATION_RECORDED, evaluation, project=run.project.uuid, run=run.uuid, split=split, rows=evaluation.rows,
                root_digest=evaluation.root_digest, report_digest=evaluation.report_digest, snapshot_digest=run.snapshot.digest,
            )  # fmt: skip
    return evaluation
