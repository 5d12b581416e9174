"""Pre-labels of an item from a model, a labeling function, or a file. They are stored as received; what
annotators and reviewers see first is derived from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from lifecycle.runtime.task_types.answers import Value

Place = tuple[int, int]  # start and end in code points, end exclusive


class Scored(NamedTuple):
    """value: an annotation; its parts may have a "score". score: from 0 to 1; None if the source has none."""

    value: Value
    score: float | None = None


class Suggestions:
    """Pre-labels of tasks whose annotations are taken as a whole, which no model or labeling function makes.
    offered: what a model suggests per text, as a phrase; remark: an additional sentence.
    """

    offered: ClassVar[str] = ""
    remark: ClassVar[str] = ""

    def from_model(self, prediction: Mapping[str, Any], known: Mapping[str, str]) -> list[Scored]:
        """A model's suggestions for one text, most confident first. prediction: from the engine, with the
        model's labels, thresholds, and deciding label. known: stable ids by model label; other labels are
        left out.
        """
        return []

    def of_label(self, label: str, places: Sequence[Place] = (), score: float | None = None) -> Value:
        """The value with one label, as from a labeling function. places: for parts of a text. score: of each.

        Raises LookupError for a task without labels.
        """
        raise LookupError("Annotations of this task have no labels.")

    def contradict(self, one: Value, other: Value) -> bool:
        """Whether the claims of two labeling functions about a text exclude each other."""
        return False

    def unscored(self, raw: Any) -> Any:
        """The input without its parts' scores, which don't belong to annotations, for `Answers.parse`. Raises
        BadAnswer for an invalid score.
        """
        return raw

    def rename(self, value: Value, names: Mapping[str, str]) -> Value:
        """The value with labels mapped and scores kept; parts with unknown labels are left out."""
        return value

    def combine(self, scored: Sequence[Scored]) -> Value | None:
        """All of a source's values for an item, oldest first, as one value; None if it has none."""
        return scored[-1].value if scored else None
