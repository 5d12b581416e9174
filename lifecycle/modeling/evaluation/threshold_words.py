"""What a threshold is asked for, in the words of each task. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.runtime.statistics.operating import SURE
from lifecycle.ui.numbers import GAP, count, decimals

GOALS = {"precision": "Target precision", "recall": "Target recall", "cost": "Lowest cost"}
GOALS_OF_ANY = {"precision": "Target accuracy", "recall": "Target coverage", "cost": "Lowest cost"}


@dataclass(frozen=True, slots=True)
class Question:
    """The words of one. divides: rows below a threshold are not called, so that some are missed, and handing over is a third way; else all
    rows that are not answered are handed over. act, below, never: what is done with a row; {label} represents the class. unit: what is
    called; in_texts: of which a text holds several, and some that nothing was found of."""

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
    """What can be asked of the models of a task. every: what choosing no label is called; empty where one is to be chosen."""

    every: ClassVar[str] = ""

    @abstractmethod
    def question(self, label: str) -> Question:
        """What is asked of a label, or where it is empty of any."""

    @abstractmethod
    def begin(self, evaluation: Evaluation) -> dict[str, str]:
        """With what the form begins."""

    @abstractmethod
    def beside(self, evaluation: Evaluation) -> tuple[str, str]:
        """(heading, column) of what a chosen point is beside: the model's own answers."""

    @abstractmethod
    def answers(self, evaluation: Evaluation, label: str) -> str:
        """What the model continues doing, whatever is chosen here, after "the model continues"."""

    def effect(self, evaluation: Evaluation, label: str = "") -> str:
        """What choosing a threshold does to the model's answers. label: the one that is asked about."""
        return f"None: the model continues {self.answers(evaluation, label)}. Your client has to apply the threshold."


def advice(question: Question, found: Mapping[str, Any]) -> str:
    """What to do from where on. found: of `confidence.operating_point`, with a threshold."""
    label, low, high = found["class"], found["low"], found["high"]
    if high is None:
        over = f" Hand over from {decimals(low)}." if question.divides and low is not None else ""
        return question.never.format(label=label) + over
    if not question.divides:
        return f"{question.act} with a confidence of at least {decimals(high)}, and hand over the other rows."
    over = f", hand over from {decimals(low)}" if low < high else ""
    return f"{question.act.format(label=label)} from {decimals(high)}{over}, and {question.below} below."


def instead(question: Question, found: Mapping[str, Any]) -> str:
    """What to do where no threshold reaches the target."""
    split, most = found["chosen_on"]["split"], found["most_recall"]
    if found["class"] and not found["positives"]:
        none = f"No {question.unit[:-1]} of {split} has the label {found['class']}, so no threshold can be chosen."
        return f"{none} Label some and evaluate again."
    if question.in_texts and found["goal"] == "recall" and most is not None:
        what = f"on {split}, keeping all predicted spans gives a recall of {decimals(most)}"
        return f"Missed spans have no confidence: {what}. Lower the target, or train on more texts with such spans."
    return f"Lower the target, or train on more {question.unit} of the confused labels."


def words_of(promised: bool | None) -> str:
    """What is told of a target that is reached where the threshold was chosen; empty where there is none."""
    return "" if promised is None else "guaranteed" if promised else "estimated"


def basis(question: Question, found: Mapping[str, Any]) -> str:
    """Whether the target is promised for other rows, in a sentence; empty where there is none, or it is not reached."""
    if found["promised"] is None:
        return ""
    split, unit, target = found["chosen_on"]["split"], question.unit, decimals(found["target"])
    if found["promised"]:
        return f"Guaranteed: new {unit} like those of {split} reach {target} too, with {SURE * 100:.0f}{GAP}% confidence."
    shown = "" if found["same_rows"] else f" The interval on {found['measured_on']['split']} shows what to expect."
    return f"Estimated: {target} isn’t guaranteed for new {unit}.{shown}"


def places(question: Question, found: Mapping[str, Any]) -> str:
    """Where it was chosen, and where it is measured."""
    chosen, measured = found["chosen_on"], found["measured_on"]
    if question.in_texts:
        where = f"Chosen on the spans of {count(chosen['rows'])} texts of {chosen['split']}"
        return f"{where}, measured on those of {count(measured['rows'])} of {measured['split']}."
    return f"Chosen on {count(chosen['rows'])} rows of {chosen['split']}, measured on {count(measured['rows'])} of {measured['split']}."
