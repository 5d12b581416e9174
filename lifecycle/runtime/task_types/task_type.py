"""Task types: key, name, and capabilities. Code checks these instead of the key wherever behaviour differs by
task.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lifecycle.runtime.task_types.answers import Answers


class Content(StrEnum):
    """What an item contains."""

    TEXT = "text"  # with an optional context
    DIALOGUE = "dialogue"
    RESPONSES = "responses"  # to a prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """Capabilities of a task. A flag is added when a second task needs it.

    has_labels: an annotation references labels of the schema. one_label: exactly one, stored as a foreign
    key. labels_texts: labels apply to the whole text, so that the built-in model can learn them and each gets
    a pre-label row. has_gold: an annotation can be right or wrong. has_confidence: a prediction has a
    probability, which can be calibrated. has_thresholds: each label has its own threshold. writes_text:
    annotations are text, which can be erased and isn't in manifests. prelabels: its models pre-label.
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
    """A task type. key: in datasets, runs, and files. title: display name; asks: what an annotation is, after
    the title. learns_as: key of the type its model learns; empty: its own. gives: of such a model,
    as in "spans". hub_tag: its task on the Hugging Face Hub.
    """

    key: str
    title: str
    asks: str
    answers: Answers
    content: Content = Content.TEXT
    learns_as: str = ""
    gives: str = ""
    hub_tag: str = ""

    @property
    def has_responses(self) -> bool:
        """Whether an item is a set of responses to a prompt."""
        return self.content is Content.RESPONSES
