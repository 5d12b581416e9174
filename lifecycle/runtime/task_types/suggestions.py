"""What a source says of an item before people do: a model, a labeling function, or a file. It is stored as it came, and what annotators and
reviewers see first is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from lifecycle.runtime.task_types.answers import Value

Place = tuple[int, int]  # start and end in code points, the end exclusive


class Scored(NamedTuple):
    """value: an annotation; its parts may have a "score" of their own. score: from 0 to 1; None where the source gives none."""

    value: Value
    score: float | None = None


class Suggestions:
    """Those of a task whose annotations are taken whole, and that no model and no labeling function of ours makes. offered: what a model
    suggests for texts, in a sentence; remark: a sentence beside it."""

    offered: ClassVar[str] = ""
    remark: ClassVar[str] = ""

    def from_model(self, prediction: Mapping[str, Any], known: Mapping[str, str]) -> list[Scored]:
        """What a model says of one text, the surest first. prediction: as the engine gives it, with the model's labels, thresholds and
        deciding label. known: stable ids by the model's labels; other labels are left out."""
        return []

    def of_label(self, label: str, places: Sequence[Place] = (), score: float | None = None) -> Value:
        """What names one label, such as a labeling function. places: where it is said of parts of a text. score: of each of these.

        Raises LookupError for a task that names no labels.
        """
        raise LookupError("Annotations of this task name no labels.")

    def contradict(self, one: Value, other: Value) -> bool:
        """Whether what two labeling functions claim of a text can't both be meant."""
        return False

    def unscored(self, raw: Any) -> Any:
        """What somebody sent without the scores of its parts, which are no part of an annotation, for `Answers.parse`. Raises BadAnswer
        for a score that isn't one."""
        return raw

    def rename(self, value: Value, names: Mapping[str, str]) -> Value:
        """The value with its labels by these names, and with its scores; parts are left out whose label has none."""
        return value

    def combine(self, scored: Sequence[Scored]) -> Value | None:
        """All that one source says of an item, oldest first, as one value; None where it says nothing."""
        return scored[-1].value if scored else None
