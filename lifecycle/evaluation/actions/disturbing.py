"""Disturbing the texts of an evaluation and having its model answer them."""

from __future__ import annotations

from pathlib import Path

from datasets_app.snapshots import queries as snapshots
from lifecycle.engine.spec import Base, RobustnessSpec
from lifecycle.evaluation import rules
from lifecycle.evaluation.actions.measuring import PARQUET
from lifecycle.evaluation.child import carried_out
from lifecycle.evaluation.findings import Finding
from lifecycle.evaluation.models import Evaluation
from lifecycle.evaluation.task_types.by_key.rows import rows_for
from lifecycle.jobs.context import JobContext
from registry.artifacts import actions as artifacts


def check(evaluation: Evaluation, item: str) -> None:
    """Any evaluation's rows can be disturbed."""


def compute(ctx: JobContext, evaluation: Evaluation, item: str) -> Finding:
    """The engine's scores by kind of disturbance; rows: the answers that changed."""

    def prepare(folder: Path, base: Base) -> RobustnessSpec:
        snapshots.write_split(evaluation.snapshot, evaluation.split, folder / "data.jsonl")
        return RobustnessSpec(artifact="artifact", base=base, rows=rows_for(evaluation).probed)

    with carried_out(ctx, "robustness", evaluation.run, prepare) as (folder, found):
        return Finding(rules.report_of(found), artifacts.put_file(folder / "flips.parquet", media_type=PARQUET))
