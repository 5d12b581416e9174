"""The pages where a text has any number of labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lifecycle.modeling.evaluation import charts, queries
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.multi_label.rows import ENTRY as ROWS
from lifecycle.modeling.evaluation.task_types.page import Read, Says
from lifecycle.modeling.evaluation.task_types.single_label.page import LABEL, LabelPage
from lifecycle.modeling.evaluation.threshold_words import Question, Thresholds, words_of
from lifecycle.modeling.training.thresholds import promises
from lifecycle.runtime.statistics.calibration import THRESHOLD_ROWS
from lifecycle.ui.numbers import decimals

SEVERAL = replace(
    LABEL, called="Given the class", act="Give {label} to a row", below="leave it out", never="Giving {label} to no row costs least."
)  # fmt: skip


class SetThresholds(Thresholds):
    """Each label has its own."""

    def question(self, label: str) -> Question:
        """Whether a row is given the label."""
        return SEVERAL

    def begin(self, evaluation: Evaluation) -> dict[str, str]:
        """The label with most mistakes."""
        return {"class": most_mistaken(evaluation.report)}

    def beside(self, evaluation: Evaluation) -> tuple[str, str]:
        """Its own thresholds."""
        return "its own answers", "As it answers"

    def answers(self, evaluation: Evaluation, label: str) -> str:
        """From where on the model itself gives the label, and where that was chosen."""
        found = {each["label"]: each["threshold"] for each in evaluation.report["per_class"]}
        if label not in found:
            return "giving each class from its own threshold on"
        spec, learnt_from = evaluation.run.spec, evaluation.run.snapshot
        there = f"validation of v{learnt_from.number}"
        if learnt_from.counts["labels"].get(label, {}).get("validation", 0) < THRESHOLD_ROWS:
            why = f"as fewer than {THRESHOLD_ROWS} rows of {there} have it"
        elif spec.get("operating_point", "f1") == "f1":
            why = f"chosen on {there} for the best F1"
        else:
            operating_point = evaluation.run.result.get("operating") or {}
            basis = "missed" if label in operating_point.get("missed", ()) else words_of(label in operating_point.get("promised", ()))
            wanted = f"a {spec['operating_point']} of {decimals(spec['operating_target'], 2)} or more"
            why = f"chosen on {there}, where {wanted} was asked for ({basis})"
        return f"giving {label} from {decimals(found[label])} on, {why}"


def most_mistaken(report: Mapping[str, Any]) -> str:
    """The label that most rows miss or are wrongly given; of equals the first by name."""
    return str(min(report["per_class"], key=lambda each: (-each["missed"] - each["extra"], each["label"]))["label"])


class SetPage(LabelPage):
    """A row counts in each pair of a label that it misses and one that it is wrongly given."""

    templates = "multi_label"
    loss = "the mean over all classes, of minus the logarithm of the probability of what is true of each"
    flips = "Beside a change stands the F1 of the text’s own classes, before and after; beside classes the surest decision that changed."
    threshold = SetThresholds()
    wrong = "A text counts here whose classes are not all right."
    says = Says(
        "a class", "Class", "Each class is asked for by itself: a word may speak for one and against another.", "True classes", sure=False
    )
    read_as = "missed, and given"
    lines_are = "lines are missed classes, columns those that were given instead"
    confusion = charts.Confusion(
        true="missed class", read_as="missed, and given", predicted="given", errors="{rows} with a wrong class.",
        caption="A row counts for each class that it missed and each that it was given instead.",
    )  # fmt: skip
    reliability = charts.Reliability(sure="probability", right="true", counted="decisions")

    def summary(self, evaluation: Evaluation) -> dict[str, Any]:
        """No baseline is held against thresholds that were chosen on the same rows."""
        flattering = queries.is_flattering(evaluation)
        found = super().summary(evaluation) | {"flattering": flattering, "promises": promises_of(evaluation)}
        return found | ({"rival": None} if flattering else {})

    def cell(self, given: Mapping[str, str]) -> dict[str, str]:
        """With `wrong` the rows that miss a label or are wrongly given it."""
        return super().cell(given) | ({"wrong": "1"} if given.get("wrong") == "1" else {})

    def names(self, kept: str, read: Read) -> tuple[str, ...]:
        """Each label."""
        return tuple(json.loads(kept))

    def explanations(self, kept: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Of the labels that were given, then of the likeliest that were not."""
        found: Sequence[Mapping[str, Any]] = kept.get("classes", [])
        return found


def promises_of(evaluation: Evaluation) -> str:
    """Of which labels a precision or recall is promised from their thresholds on; empty where none was asked for."""
    spec = evaluation.run.spec
    asked = spec.get("operating_point", "f1") != "f1"
    return promises(evaluation.run.result.get("operating"), spec["labels"]) if asked else ""


ENTRY = SetPage(ROWS)
