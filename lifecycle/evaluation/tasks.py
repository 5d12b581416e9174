"""The jobs of this room: measuring an artifact on a split; where the results of analyses stand."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from django.db import transaction

from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.compute.child import run_child
from lifecycle.engine.spec import Base, EvaluateSpec
from lifecycle.evaluation import actions, queries
from lifecycle.evaluation.models import Analysis
from lifecycle.jobs.context import JobContext
from lifecycle.jobs.models import Job
from lifecycle.refusals import Refused
from lifecycle.training.folders import link, local_folder, scratch
from lifecycle.training.models import Run


def evaluate(ctx: JobContext) -> None:
    """Measure in a child process and keep the report. Its folder holds texts, so it goes away whatever happens."""
    run = Run.objects.select_related("project", "snapshot__dataset", "base__folder", "artifact").get(uuid=ctx.args["run"])
    other, split = ctx.args.get("snapshot"), ctx.args["split"]
    snapshot = Snapshot.objects.select_related("dataset").get(uuid=other) if other else run.snapshot
    folder = scratch(ctx.job)
    try:
        ctx.progress(0, stage="Preparing the data")
        prepare(run, snapshot, split, folder)
        ctx.raise_if_cancelled()
        result = run_child(ctx, "evaluate", folder, lambda events: None)
        ctx.raise_if_cancelled()
        if not result.ok:
            raise Refused(result.message or "The evaluation stopped before its end.", next_step=result.next_step)
        with transaction.atomic():
            ctx.hold()
            actor = ctx.job.created_by
            answers = folder / "predictions.parquet"
            actions.keep(run=run, split=split, result=result.data, predictions=answers, actor=actor, snapshot=snapshot)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def prepare(run: Run, snapshot: Snapshot, split: str, folder: Path) -> None:
    """Lay out the artifact, the base and the rows of the split and of train (for the baselines)."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    snapshots.write_split(snapshot, split, folder / "data.jsonl")
    snapshots.write_split(snapshot, "train", folder / "train.jsonl")
    link(folder / "artifact", local_folder("artifacts", run.artifact))
    link(folder / "base", local_folder("bases", run.base.folder))
    base = Base(path="base", name=run.base.name, digest=run.base.facts["engine_digest"])
    EvaluateSpec(artifact="artifact", base=base, baselines=True, split=split).write(folder / "spec.json")


def page_of(kind: Analysis.Kind) -> Callable[[Job], str]:
    """Where the result of a job stands that makes this kind of analysis."""
    return lambda job: queries.address_of(kind, job.args["evaluation"], job.args["item"])
