"""What a task is: its key, its name, and what is true of it. Asked instead of the key wherever the product behaves differently by task."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lifecycle.runtime.task_types.answers import Answers


class Content(StrEnum):
    """What an item is."""

    TEXT = "text"  # which may have a context
    DIALOGUE = "dialogue"
    RESPONSES = "responses"  # to a prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What is true of a task. A flag is added when a second task needs it.

    has_labels: an annotation names labels of the schema. one_label: exactly one, stored as a foreign key. labels_texts: labels are of the
    whole text, so that the built-in model can learn them and a pre-label is a row for each. has_gold: an annotation can be right or wrong.
    has_confidence: a prediction has a probability, which can be calibrated. has_thresholds: each label is given from a threshold of its
    own. writes_text: annotations are text that can be erased and is in no manifest. prelabels: its models pre-label.
    """

    has_labels: bool = False
    one_label: bool = False
    labels_texts: bool = False
    has_gold: bool = True
    has_confidence: bool = False
    has_thresholds: bool = False
    writes_text: bool = False
    prelabels: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskType(Capabilities):
    """A kind of annotation. key: as datasets, runs and files name it. title: its name for people; asks: what an annotation is, behind the
    name. learns_as: the key of the type whose model learns it; empty: its own. does, gives: of such a model, "predicts spans" and "spans".
    hub_tag: the task as the Hugging Face Hub names it."""

    key: str
    title: str
    asks: str
    answers: Answers
    content: Content = Content.TEXT
    learns_as: str = ""
    does: str = ""
    gives: str = ""
    hub_tag: str = ""

    @property
    def has_responses(self) -> bool:
        """Whether an item is responses to a prompt, which are put in order."""
        return self.content is Content.RESPONSES

    @property
    def unserved(self) -> str:
        """Why no server gives its models' answers, where none does."""
        return f"{self.does}; serving {self.gives} isn't supported yet"
