"""The jobs of this room: measuring an artifact on a split; where the results of analyses stand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.db import transaction

from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.engine.spec import Base, EvaluateSpec
from lifecycle.evaluation import actions, queries
from lifecycle.evaluation.child import carried_out
from lifecycle.evaluation.models import Analysis
from lifecycle.jobs.context import JobContext
from lifecycle.jobs.models import Job
from lifecycle.training.models import Run


def evaluate(ctx: JobContext) -> None:
    """Measure in a process of its own, and keep the report."""
    run = Run.objects.select_related("project", "snapshot__dataset", "base__folder", "artifact").get(uuid=ctx.args["run"])
    other, split = ctx.args.get("snapshot"), ctx.args["split"]
    snapshot = Snapshot.objects.select_related("dataset").get(uuid=other) if other else run.snapshot

    def prepare(folder: Path, base: Base) -> EvaluateSpec:
        snapshots.write_split(snapshot, split, folder / "data.jsonl")
        snapshots.write_split(snapshot, "train", folder / "train.jsonl")  # for the baselines
        return EvaluateSpec(artifact="artifact", base=base, baselines=True, split=split)

    with carried_out(ctx, "evaluate", run, prepare) as (folder, found), transaction.atomic():
        ctx.hold()
        answers = folder / "predictions.parquet"
        actions.keep(run=run, split=split, result=found, predictions=answers, actor=ctx.job.created_by, snapshot=snapshot)


def page_of(kind: Analysis.Kind) -> Callable[[Job], str]:
    """Where the result of a job stands that makes this kind of analysis."""
    return lambda job: queries.address_of(kind, job.args["evaluation"], job.args["item"])
