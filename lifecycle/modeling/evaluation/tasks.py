"""The jobs of this room: evaluating an artifact on a split, and the page of an analysis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from django.db import transaction

from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import actions, queries
from lifecycle.modeling.evaluation.child import carried_out
from lifecycle.modeling.evaluation.models import Analysis
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.engine.events import write_json
from lifecycle.runtime.engine.spec import Base, EvaluateEachSpec, EvaluateSpec


def evaluate(ctx: JobContext) -> None:
    """Evaluate on each split in a separate process, and store the reports."""
    run = Run.objects.select_related("project", "snapshot__dataset", "base__folder", "artifact").get(
        uuid=ctx.args["run"]
    )
    other, splits = ctx.args.get("snapshot"), ctx.args["splits"]
    snapshot = Snapshot.objects.select_related("dataset").get(uuid=other) if other else run.snapshot

    def prepare(folder: Path, base: Base) -> EvaluateEachSpec:
        snapshots.write_split(snapshot, "train", folder / "train.jsonl")  # for the baselines
        above = replace(base, path=f"../{base.path}")
        for split in splits:
            (folder / split).mkdir()
            snapshots.write_split(snapshot, split, folder / split / "data.jsonl")
            earlier = queries.baselines_before(run, snapshot, split)
            write_json(folder / split / "earlier.json", earlier)
            spec = EvaluateSpec(
                artifact="../artifact",
                base=above,
                baselines=True,
                train="../train.jsonl",
                earlier="earlier.json",
                split=split,
            )
            spec.write(folder / split / "spec.json")
        return EvaluateEachSpec(folders=tuple(splits))

    with carried_out(ctx, "evaluate_each", run, prepare) as (folder, found), transaction.atomic():
        ctx.hold()
        for split in splits:
            actions.keep(
                run=run,
                split=split,
                result=found["results"][split],
                predictions=folder / split / "predictions.parquet",
                actor=ctx.job.created_by,
                snapshot=snapshot,
            )


def page_of(kind: Analysis.Kind) -> Callable[[Job], str]:
    """The page with the result of a job for this kind of analysis."""
    return lambda job: queries.address_of(kind, job.args["evaluation"], job.args["item"])
