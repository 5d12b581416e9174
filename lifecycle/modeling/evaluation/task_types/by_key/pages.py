"""Evaluation pages by task, keyed by the type that its model learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.by_key.rows import unlabeled
from lifecycle.modeling.evaluation.task_types.generation import page as generation
from lifecycle.modeling.evaluation.task_types.multi_label import page as multi_label
from lifecycle.modeling.evaluation.task_types.page import ReportPage
from lifecycle.modeling.evaluation.task_types.preference import page as preference
from lifecycle.modeling.evaluation.task_types.ranking import page as ranking
from lifecycle.modeling.evaluation.task_types.single_label import page as single_label
from lifecycle.modeling.evaluation.task_types.spans import page as spans
from lifecycle.modeling.evaluation.threshold_words import Thresholds
from lifecycle.runtime.task_types.plugins import with_plugins

PAGES: Mapping[str, ReportPage[Any]] = with_plugins(
    "page",
    {
        "single_label": single_label.ENTRY,
        "multi_label": multi_label.ENTRY,
        "spans": spans.ENTRY,
        "generation": generation.ENTRY,
        "preference": preference.ENTRY,
        "ranking": ranking.ENTRY,
    },
)


def page_of(evaluation: Evaluation) -> ReportPage[Any]:
    """The pages for an evaluation's task."""
    return PAGES[evaluation.task_type.key]


def thresholds_of(evaluation: Evaluation) -> Thresholds:
    """The threshold questions of the evaluation's task. Raises Refused if the task has no thresholds."""
    found = page_of(evaluation).threshold
    if found is None:
        raise unlabeled(evaluation)
    return found
