"""How the rows of each task are read, by the key of what it is learned as."""

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
from lifecycle.runtime.task_types.plugins import with_plugins

ROWS: Mapping[str, ReportRows[Any, Any]] = with_plugins("rows", {
    "single_label": single_label.ENTRY, "multi_label": multi_label.ENTRY, "spans": spans.ENTRY, "generation": generation.ENTRY,
    "preference": preference.ENTRY, "ranking": ranking.ENTRY,
})  # fmt: skip


def rows_for(evaluation: Evaluation) -> ReportRows[Any, Any]:
    """How the rows of an evaluation are read."""
    return ROWS[evaluation.task_type.key]


def unlabelled(evaluation: Evaluation) -> Refused:
    """The refusal of what is computed of a label, where a model gives none."""
    rows = rows_for(evaluation)
    text = f"This model {rows.does}, so it gives no class of which this could be computed."
    return Refused(text, next_step=f"Its report shows what is measured of {rows.measures}.")


def check_groupable(evaluation: Evaluation) -> None:
    """Raises Refused where the errors of a model cannot be grouped."""
    rows = rows_for(evaluation)
    if rows.ungrouped:
        raise Refused(f"This model {rows.does} and {rows.ungrouped}.", next_step=rows.instead)


def check_written(evaluation: Evaluation) -> None:
    """Raises Refused for what is read of written answers, where a model writes none."""
    if not evaluation.task_type.writes_text:
        raise Refused("This model gives classes, so it has written no answers.", next_step="Its report shows them.")
