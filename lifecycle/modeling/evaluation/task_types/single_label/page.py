"""Evaluation pages of single-label classification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from lifecycle.ground.remembered import cache
from lifecycle.modeling.evaluation import charts, confidence, queries, rules
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.parts import may_read
from lifecycle.modeling.evaluation.rules import Answer
from lifecycle.modeling.evaluation.task_types.page import Line, ReportPage, by_label, line_of, matrix, why
from lifecycle.modeling.evaluation.task_types.single_label.rows import ENTRY as ROWS
from lifecycle.modeling.evaluation.threshold_words import GOALS, Question, Thresholds
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count
from registry.ground.access.models import User

WORST, PAIRS = 10, 8
SORTS = {"label": False, "support": True, "precision": False, "recall": False, "f1": False}
KEPT_SECONDS = 3_600

LABEL = Question(
    GOALS,
    "Precision",
    "Recall",
    "Predicted positive",
    "Cost of a false positive",
    "Cost of a missed row",
    "Predict {label}",
    "predict another label",
    "Never predicting {label} costs least.",
)
ANY = Question(
    {"precision": "Target accuracy", "recall": "Target coverage", "cost": "Lowest cost"},
    "Accuracy of answered rows",
    "Coverage",
    "Answered",
    "Cost of a wrong prediction",
    "",
    "Answer",
    "",
    "Handing over every row costs least.",
    divides=False,
)


@dataclass(frozen=True, slots=True)
class LabelLine(Line):
    """A prediction with its item."""

    answer: Answer


class LabelThresholds(Thresholds):
    """The threshold of one label, or of the confidence of any prediction."""

    every = "Any: hand over uncertain rows"

    def question(self, label: str) -> Question:
        """Whether a row gets the label, or whether its prediction is accepted."""
        return LABEL if label else ANY

    def begin(self, evaluation: Evaluation) -> dict[str, str]:
        """The label and goal of the model's own threshold."""
        own = confidence.own(evaluation)
        return {"label": own["label"], "goal": own["by"], "target": str(own["target"])} if own else {}

    def beside(self, evaluation: Evaluation) -> tuple[str, str]:
        """The most likely label, or the model's own threshold if it has one."""
        return (
            ("its own threshold", "Own threshold")
            if confidence.own(evaluation)
            else ("the most likely label", "Most likely label")
        )

    def answers(self, evaluation: Evaluation, label: str) -> str:
        """How the model decides: the most likely label, or its own threshold."""
        if own := confidence.own(evaluation):
            return f"predicting {own['label']} from {own['threshold']:.3f}, as trained"
        return "predicting the most likely label"


class LabelPage(ReportPage[Answer]):
    """read_as: the phrase between the true and the predicted label of a pair. lines_are: meaning of the
    matrix's rows and columns.
    """

    templates = "single_label"
    loss = "the negative log-probability of its label"
    threshold: ClassVar[Thresholds] = LabelThresholds()
    read_as: ClassVar[str] = "predicted as"
    lines_are: ClassVar[str] = "rows are true labels, columns predicted labels"
    confusion: ClassVar[charts.Confusion] = charts.Confusion()
    reliability: ClassVar[charts.Reliability] = charts.Reliability()

    def summary(self, evaluation: Evaluation) -> dict[str, Any]:
        """Confused pairs, the matrix of the ten labels with most errors, F1 by label, and reliability."""
        report = evaluation.report
        pairs = rules.confused(report, PAIRS)
        return {
            "pairs": pairs,
            "pair_count": rules.count_confused(report),
            "rival": rules.rival(report),
            "read_as": self.read_as,
            "errors": rules.errors(report),
            "held": sum(pair.count for pair in pairs),
            "classes": len(report["confusion"]["labels"]),
            "confusion": charts.confusion(report, self.confusion, limit=WORST),
            "f1": charts.f1_by_class(report),
            "reliability": charts.reliability(report, self.reliability),
        }

    def report(self, viewer: User, evaluation: Evaluation, given: Mapping[str, str]) -> dict[str, Any]:
        """Adds the most confident errors, the matrix, and each label."""
        report, every = evaluation.report, given.get("classes") == "all"
        calibration = confidence.calibration(evaluation)
        worst = rules.worst(report, WORST)
        return super().report(viewer, evaluation, given) | {
            "calibration": calibration,
            "reliability": charts.reliability(
                report, self.reliability, calibration["before"]["reliability"] if calibration else ()
            ),
            "every": every,
            "matrix_caption": (
                f"Confusion matrix of the {len(worst)} labels with most errors: {self.lines_are}"
            ),
            "matrix": matrix(*rules.matrix(report, worst)) if worst and not every else None,
            "all_chart": charts.confusion(report, self.confusion, limit=None) if every else None,
            "all_pairs": rules.confused(report, charts.TABLE) if every else [],
            **by_label(report, SORTS, given.get("sort", "")),
            "lines": self.lines(viewer, evaluation, self.worst_errors(evaluation)),
        }

    def worst_errors(self, evaluation: Evaluation) -> list[Answer]:
        """The ten most confident errors; cached for an hour, as they never change."""
        key = f"evaluation:worst:1:{evaluation.predictions_id}"
        known: list[Answer] | None = cache.get(key)
        if known is None:
            known = self.rows.first(evaluation, WORST)
            cache.set(key, known, KEPT_SECONDS)
        return known

    def counted(self, report: Mapping[str, Any]) -> Figure:
        """Number of rows and labels."""
        return Figure(
            "Rows", count(report["rows"]), sub=f"{count(len(report['confusion']['labels']))} labels"
        )

    def cell(self, given: Mapping[str, str]) -> dict[str, str]:
        """A cell, row, or column of the matrix."""
        return {name: given.get(name, "") for name in ("true", "predicted")}

    def heading(self, cell: Mapping[str, str]) -> dict[str, Any]:
        """The labels of the filter."""
        return {**cell, "read_as": self.read_as}

    def lines(self, viewer: User, evaluation: Evaluation, rows: Sequence[Answer]) -> list[LabelLine]:
        """Predictions with the texts of their items."""
        items, readable = (
            queries.items_by_digest(evaluation, [row.item for row in rows], viewer),
            may_read(viewer, evaluation),
        )
        found = []
        for row in rows:
            line = line_of(evaluation, items.get(row.item), row.item, readable)
            found.append(
                LabelLine(**line | {"why": why(evaluation, row.item) if line["text"] else ""}, answer=row)
            )
        return found


ENTRY = LabelPage(ROWS)
