"""Word attribution of an item's prediction."""

from __future__ import annotations

from pathlib import Path

from datasets_app.snapshots import queries as snapshots
from lifecycle.ground.jobs.context import JobContext
from lifecycle.modeling.evaluation import rules
from lifecycle.modeling.evaluation.child import carried_out
from lifecycle.modeling.evaluation.findings import Finding
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.by_key.rows import rows_for
from lifecycle.modeling.training.folders import local_folder
from lifecycle.runtime.engine.spec import Base, ExplainSpec


def check(evaluation: Evaluation, item: str) -> None:
    """Raise Refused if the item has no word to leave out, as in `ReportRows.explain_row`."""
    rows_for(evaluation).explain_row(evaluation, item)


def compute(ctx: JobContext, evaluation: Evaluation, item: str) -> Finding:
    """Word attribution of a prediction, as in `ReportRows.explain` and the engine's verb `explain`: offsets
    only, no text.
    """
    if evaluation.task_type.writes_text:
        return of_written(ctx, evaluation, item)
    ctx.progress(0, stage="Computing word effects")
    rows = rows_for(evaluation)
    return Finding(
        rows.explain(local_folder("artifacts", evaluation.run.artifact), rows.explain_row(evaluation, item))
    )


def of_written(ctx: JobContext, evaluation: Evaluation, item: str) -> Finding:
    """Attribution of generated text, in a separate process that may take minutes."""

    def prepare(folder: Path, base: Base) -> ExplainSpec:
        row = rows_for(evaluation).explain_row(evaluation, item)
        ended = not row.pop("cut")
        snapshots.write_lines(folder / "data.jsonl", iter([row]))
        return ExplainSpec(artifact="artifact", base=base, ended=ended)

    with carried_out(ctx, "explain", evaluation.run, prepare) as (_, found):
        return Finding(rules.report_of(found))
