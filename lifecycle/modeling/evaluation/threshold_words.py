"""Wording of thresholds by task. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.runtime.statistics.operating.choices import SURE
from lifecycle.ui.numbers import GAP, count, decimals

GOALS = {"precision": "Target precision", "recall": "Target recall", "cost": "Lowest cost"}
GOALS_OF_ANY = {"precision": "Target accuracy", "recall": "Target coverage", "cost": "Lowest cost"}


@dataclass(frozen=True, slots=True)
class Question:
    """The wording of a question. divides: rows below a threshold aren't predicted, so some are missed, and
    handing over is a third option; else all rows without a prediction are handed over. act, below, never:
    what is done with a row; {label} is the class. unit: what is predicted; in_texts: a text has several, some
    of which may be missed.
    """

    goals: Mapping[str, str]
    precision: str
    recall: str
    called: str
    false: str
    missed: str
    act: str
    below: str
    never: str
    unit: str = "rows"
    divides: bool = True
    in_texts: bool = False


class Thresholds(ABC):
    """The threshold questions of a task. every: the option for no label; empty if a label is required."""

    every: ClassVar[str] = ""

    @abstractmethod
    def question(self, label: str) -> Question:
        """The question for a label, or for any if it is empty."""

    @abstractmethod
    def begin(self, evaluation: Evaluation) -> dict[str, str]:
        """The initial values of the form."""

    @abstractmethod
    def beside(self, evaluation: Evaluation) -> tuple[str, str]:
        """(heading, column) of the comparison with the model's own predictions."""

    @abstractmethod
    def answers(self, evaluation: Evaluation, label: str) -> str:
        """How the model continues to predict, after "the model continues"."""

    def effect(self, evaluation: Evaluation, label: str = "") -> str:
        """The effect of a threshold on the model's predictions. label: the selected one."""
        return (
            f"None: the model continues {self.answers(evaluation, label)}. Your client has to apply the"
            " threshold."
        )


def advice(question: Question, found: Mapping[str, Any]) -> str:
    """What to do from which threshold on. found: from `confidence.operating_point`, with a threshold."""
    label, low, high = found["label"], found["low"], found["high"]
    if high is None:
        over = f" Hand over from {decimals(low)}." if question.divides and low is not None else ""
        return question.never.format(label=label) + over
    if not question.divides:
        return f"{question.act} with a confidence of at least {decimals(high)}, and hand over the other rows."
    over = f", hand over from {decimals(low)}" if low < high else ""
    return f"{question.act.format(label=label)} from {decimals(high)}{over}, and {question.below} below."


def instead(question: Question, found: Mapping[str, Any]) -> str:
    """What to do if no threshold reaches the target."""
    split, most = found["chosen_on"]["split"], found["most_recall"]
    if found["label"] and not found["positives"]:
        none = (
            f"No {question.unit[:-1]} of {split} has the label {found['label']}, so no threshold can be"
            " chosen."
        )
        return f"{none} Label some and evaluate again."
    if question.in_texts and found["goal"] == "recall" and most is not None:
        what = f"on {split}, keeping all predicted spans gives a recall of {decimals(most)}"
        return (
            f"Missed spans have no confidence: {what}. Lower the target, or train on more texts with such"
            " spans."
        )
    return f"Lower the target, or train on more {question.unit} of the confused labels."


def words_of(promised: bool | None) -> str:
    """The sentence about a target that is reached on the rows that chose the threshold; empty if there is
    none.
    """
    return "" if promised is None else "guaranteed" if promised else "estimated"


def basis(question: Question, found: Mapping[str, Any]) -> str:
    """Whether the target is guaranteed for other rows, in a sentence; empty if there is none or it isn't
    reached.
    """
    if found["promised"] is None:
        return ""
    split, unit, target = found["chosen_on"]["split"], question.unit, decimals(found["target"])
    if found["promised"]:
        return (
            f"Guaranteed: new {unit} like those of {split} reach {target} too, with {SURE * 100:.0f}{GAP}%"
            " confidence."
        )
    shown = (
        ""
        if found["same_rows"]
        else f" The interval on {found['measured_on']['split']} shows what to expect."
    )
    return f"Estimated: {target} isn’t guaranteed for new {unit}.{shown}"


def places(question: Question, found: Mapping[str, Any]) -> str:
    """Where it was chosen, and where it is measured."""
    chosen, measured = found["chosen_on"], found["measured_on"]
    if question.in_texts:
        where = f"Chosen on the spans of {count(chosen['rows'])} texts of {chosen['split']}"
        return f"{where}, measured on those of {count(measured['rows'])} of {measured['split']}."
    return (
        f"Chosen on {count(chosen['rows'])} rows of {chosen['split']}, measured on {count(measured['rows'])}"
        f" of {measured['split']}."
    )
