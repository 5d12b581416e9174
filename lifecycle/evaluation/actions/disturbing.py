"""Disturbing the texts of an evaluation and having its model answer them."""

from __future__ import annotations

import shutil
from pathlib import Path

from datasets_app.snapshots import queries as snapshots
from lifecycle.compute.child import run_child
from lifecycle.engine.spec import Base, RobustnessSpec
from lifecycle.evaluation import rules
from lifecycle.evaluation.actions.measuring import PARQUET
from lifecycle.evaluation.findings import Finding
from lifecycle.evaluation.models import Evaluation
from lifecycle.jobs.context import JobContext
from lifecycle.refusals import Refused
from lifecycle.training.folders import link, local_folder, scratch
from registry.artifacts import actions as artifacts


def check(evaluation: Evaluation, item: str) -> None:
    """Any evaluation's rows can be disturbed."""


def compute(ctx: JobContext, evaluation: Evaluation, item: str) -> Finding:
    """The engine's scores by kind of disturbance, in a child process; rows: the answers that changed.

    The child's folder holds texts, so it goes away whatever happens.
    """
    folder = scratch(ctx.job)
    try:
        ctx.progress(0, stage="Preparing the data")
        lay_out(evaluation, folder)
        ctx.raise_if_cancelled()
        result = run_child(ctx, "robustness", folder, lambda events: None)
        ctx.raise_if_cancelled()
        if not result.ok:
            raise Refused(result.message or "The computation stopped before its end.", next_step=result.next_step)
        return Finding(rules.report_of(result.data), artifacts.put_file(folder / "flips.parquet", media_type=PARQUET))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def lay_out(evaluation: Evaluation, folder: Path) -> None:
    """Lay out the artifact, the base and the rows of the split."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run = evaluation.run
    snapshots.write_split(evaluation.snapshot, evaluation.split, folder / "data.jsonl")
    link(folder / "artifact", local_folder("artifacts", run.artifact))
    link(folder / "base", local_folder("bases", run.base.folder))
    base = Base(path="base", name=run.base.name, digest=run.base.facts["engine_digest"])
    RobustnessSpec(artifact="artifact", base=base, rows=rules.most_probed(evaluation.report)).write(folder / "spec.json")
