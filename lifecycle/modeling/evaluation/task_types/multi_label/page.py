"""Evaluation pages of multi-label classification."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lifecycle.modeling.evaluation import charts, queries
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.multi_label.rows import ENTRY as ROWS
from lifecycle.modeling.evaluation.task_types.page import AttributionTexts, Read
from lifecycle.modeling.evaluation.task_types.single_label.page import LABEL, LabelPage
from lifecycle.modeling.evaluation.threshold_words import Question, Thresholds, words_of
from lifecycle.modeling.training.thresholds import promises
from lifecycle.runtime.statistics.calibration import THRESHOLD_ROWS
from lifecycle.ui.numbers import decimals

SEVERAL = replace(
    LABEL,
    called="Predicted positive",
    act="Assign {label}",
    below="don't assign it",
    never="Never assigning {label} costs least.",
)


class SetThresholds(Thresholds):
    """Thresholds per label."""

    def question(self, label: str) -> Question:
        """Whether a row gets the label."""
        return SEVERAL

    def begin(self, evaluation: Evaluation) -> dict[str, str]:
        """The label with most errors."""
        return {"label": most_mistaken(evaluation.report)}

    def beside(self, evaluation: Evaluation) -> tuple[str, str]:
        """The model's own thresholds."""
        return "its own thresholds", "Own thresholds"

    def answers(self, evaluation: Evaluation, label: str) -> str:
        """The model's own threshold for the label, and how it was chosen."""
        found = {each["label"]: each["threshold"] for each in evaluation.report["per_class"]}
        if label not in found:
            return "predicting each label from its own threshold"
        spec, snapshot = evaluation.run.spec, evaluation.run.snapshot
        there = f"validation of v{snapshot.number}"
        if snapshot.counts["labels"].get(label, {}).get("validation", 0) < THRESHOLD_ROWS:
            why = f"because fewer than {THRESHOLD_ROWS} rows of {there} have the label"
        elif spec.get("operating_point", "f1") == "f1":
            why = f"chosen on {there} for the best F1"
        else:
            found_there = evaluation.run.result["operating"]
            basis = "missed" if label in found_there["missed"] else words_of(label in found_there["promised"])
            wanted = f"a {spec['operating_point']} of {decimals(spec['operating_target'], 2)} or more"
            why = f"chosen on {there} for {wanted} ({basis})"
        return f"predicting {label} from {decimals(found[label])}, {why}"


def most_mistaken(report: Mapping[str, Any]) -> str:
    """The label with most misses and false positives; ties go to the first by name."""
    return str(
        min(report["per_class"], key=lambda each: (-each["missed"] - each["extra"], each["label"]))["label"]
    )


class SetPage(LabelPage):
    """A row counts for each pair of a missed and a wrongly predicted label."""

    templates = "multi_label"
    loss = "the mean over all labels of the negative log-probability of their true value"
    flips = (
        "Changed predictions are shown with their F1 before and after, and with the confidence of the most"
        " confident changed label."
    )
    threshold = SetThresholds()
    wrong = "Texts with any wrong label count."
    attribution = AttributionTexts(
        "a label",
        "Label",
        "Each label is explained separately: a word can support one and oppose another.",
        "True labels",
        sure=False,
    )
    read_as = "replaced by"
    lines_are = "rows are missed labels, columns labels predicted instead"
    confusion = charts.Confusion(
        true="missed label",
        read_as="replaced by",
        predicted="given",
        errors="{rows} with a wrong label.",
        caption="A row counts for each missed label and each label predicted instead.",
    )
    reliability = charts.Reliability(sure="probability", right="true", counted="decisions")

    def summary(self, evaluation: Evaluation) -> dict[str, Any]:
        """Leaves out the comparison with baselines if thresholds were chosen on the same rows."""
        flattering = queries.is_flattering(evaluation)
        found = super().summary(evaluation) | {"flattering": flattering, "promises": promises_of(evaluation)}
        return found | ({"rival": None} if flattering else {})

    def cell(self, given: Mapping[str, str]) -> dict[str, str]:
        """Adds `wrong`: rows that miss a label or get it wrongly."""
        return super().cell(given) | ({"wrong": "1"} if given.get("wrong") == "1" else {})

    def names(self, kept: str, read: Read) -> tuple[str, ...]:
        """Each label."""
        return tuple(json.loads(kept))

    def explanations(self, kept: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Predicted labels, then the most likely others."""
        found: Sequence[Mapping[str, Any]] = kept.get("classes", [])
        return found


def promises_of(evaluation: Evaluation) -> str:
    """The labels with a guaranteed precision or recall; empty if none was requested."""
    spec = evaluation.run.spec
    has_target = spec.get("operating_point", "f1") != "f1"
    return promises(evaluation.run.result["operating"], spec["labels"]) if has_target else ""


ENTRY = SetPage(ROWS)
