"""Robustness tests: perturb the texts of an evaluation and predict them again."""

from __future__ import annotations

from pathlib import Path

from datasets_app.snapshots import queries as snapshots
from lifecycle.ground.jobs.context import JobContext
from lifecycle.modeling.evaluation import rules
from lifecycle.modeling.evaluation.actions.measuring import PARQUET
from lifecycle.modeling.evaluation.child import carried_out
from lifecycle.modeling.evaluation.findings import Finding
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.by_key.rows import rows_for
from lifecycle.runtime.engine.spec import Base, RobustnessSpec
from registry.ground.artifacts import actions as artifacts


def check(evaluation: Evaluation, item: str) -> None:
    """Any evaluation can be tested."""


def compute(ctx: JobContext, evaluation: Evaluation, item: str) -> Finding:
    """The engine's scores by kind of perturbation; rows: the changed predictions."""

    def prepare(folder: Path, base: Base) -> RobustnessSpec:
        snapshots.write_split(evaluation.snapshot, evaluation.split, folder / "data.jsonl")
        return RobustnessSpec(artifact="artifact", base=base, rows=rows_for(evaluation).probed)

    with carried_out(ctx, "robustness", evaluation.run, prepare) as (folder, found):
        return Finding(
            rules.report_of(found), artifacts.put_file(folder / "flips.parquet", media_type=PARQUET)
        )
