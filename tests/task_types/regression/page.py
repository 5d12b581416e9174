"""Evaluation pages of regression: scores, baselines, and rows by distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.modeling.evaluation import queries, rules
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.parts import beside, may_read
from lifecycle.modeling.evaluation.rules import Answer
from lifecycle.modeling.evaluation.task_types.page import (
    AttributionTexts,
    Line,
    ReportPage,
    held_against,
    line_of,
    why,
)
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count
from registry.ground.access.models import User
from tests.task_types.regression.answers import in_words
from tests.task_types.regression.rows import ENTRY as ROWS
from tests.task_types.regression.rows import SORTS, NumberRow

FAR = 10  # rows in the report


@dataclass(frozen=True, slots=True)
class NumberLine(Line):
    """A row with its item."""

    row: NumberRow


class NumberPage(ReportPage[NumberRow]):
    """Shows annotated and predicted numbers side by side."""

    templates = "regression"
    changes = "lifecycle/modeling/evaluation/task_types/regression/changes.html"
    name = "Rows"
    loss = "the squared distance between the predicted and the annotated number"
    heads = {"text": "Text", "true": "People"}
    flips = (
        "Changed predictions are shown with their nearness before and after: 1 at the annotated number, 0 at"
        " the other end of the range."
    )
    attribution = AttributionTexts(
        part="the number", true="Annotators", given="Model", scale="the number", sure=False, judged=False
    )

    def summary(self, evaluation: Evaluation) -> dict[str, Any]:
        """Baselines."""
        report = evaluation.report
        return {"rival": rules.rival(report), **beside(report), "against": held_against(evaluation)}

    def report(self, viewer: User, evaluation: Evaluation, given: Mapping[str, str]) -> dict[str, Any]:
        """Adds the rows with the largest distance."""
        with self.rows.opened(evaluation) as opened:
            shown = self.listed(viewer, evaluation, opened, self.rows.find(opened, {})[:FAR])
        return super().report(viewer, evaluation, given) | shown

    def counted(self, report: Mapping[str, Any]) -> Figure:
        """Rows."""
        return Figure("Rows", count(report["rows"]), sub="a number each")

    def cell(self, given: Mapping[str, str]) -> dict[str, str]:
        """The sort order of rows."""
        return {"sort": given.get("sort", "") if given.get("sort") in SORTS else "far"}

    def heading(self, cell: Mapping[str, str]) -> dict[str, Any]:
        """The sort order and its choices."""
        return {**cell, "choice": True, "sorts": SORTS.items(), "sorted": SORTS[cell["sort"]].lower()}

    def lines(self, viewer: User, evaluation: Evaluation, rows: Sequence[NumberRow]) -> list[NumberLine]:
        """Rows with the texts of their items."""
        items, readable = (
            queries.items_by_digest(evaluation, [row.item for row in rows]),
            may_read(viewer, evaluation),
        )
        found = []
        for row in rows:
            line = line_of(evaluation, items.get(row.item), row.item, readable)
            found.append(
                NumberLine(**line | {"why": why(evaluation, row.item) if line["text"] else ""}, row=row)
            )
        return found

    def answered(self, row: NumberRow, text: str) -> Answer:
        """Both numbers as text."""
        return Answer(row.item, (f"{row.true:g}",), (in_words(row.predicted),), 0.0, 0.0)


ENTRY = NumberPage(ROWS)
