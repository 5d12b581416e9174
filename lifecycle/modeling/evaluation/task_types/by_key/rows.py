"""Row readers by task, keyed by the type that its model learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.generation import rows as generation
from lifecycle.modeling.evaluation.task_types.multi_label import rows as multi_label
from lifecycle.modeling.evaluation.task_types.preference import rows as preference
from lifecycle.modeling.evaluation.task_types.ranking import rows as ranking
from lifecycle.modeling.evaluation.task_types.rows import ReportRows
from lifecycle.modeling.evaluation.task_types.single_label import rows as single_label
from lifecycle.modeling.evaluation.task_types.spans import rows as spans
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.types import learned_as
from lifecycle.runtime.task_types.plugins import with_plugins

ROWS: Mapping[str, ReportRows[Any, Any]] = with_plugins(
    "rows",
    {
        "single_label": single_label.ENTRY,
        "multi_label": multi_label.ENTRY,
        "spans": spans.ENTRY,
        "generation": generation.ENTRY,
        "preference": preference.ENTRY,
        "ranking": ranking.ENTRY,
    },
)


def rows_of(task: str) -> ReportRows[Any, Any]:
    """The row reader for a task. Raises KeyError."""
    return ROWS[learned_as(task).key]


def rows_for(evaluation: Evaluation) -> ReportRows[Any, Any]:
    """The row reader for an evaluation's task."""
    return rows_of(evaluation.task_type.key)


def unlabeled(evaluation: Evaluation) -> Refused:
    """The error for a per-label analysis of a model that predicts no labels."""
    rows = rows_for(evaluation)
    text = f"This model {rows.does}. This analysis needs a model that predicts labels."
    return Refused(text, next_step=f"See the report for metrics on {rows.measures}.")


def check_groupable(evaluation: Evaluation) -> None:
    """Raise Refused if the model's errors can't be clustered."""
    rows = rows_for(evaluation)
    if rows.ungrouped:
        raise Refused(f"This model {rows.does} and {rows.ungrouped}.", next_step=rows.instead)


def check_written(evaluation: Evaluation) -> None:
    """Raise Refused if the model doesn't generate text."""
    if not evaluation.task_type.writes_text:
        raise Refused(
            "This model predicts labels and generates no responses.",
            next_step="See the report for its predictions.",
        )
