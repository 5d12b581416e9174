"""What files of a task look like: the rows that the engine reads, and the formats in which dataset versions are exported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.task_types.answers import ItemContent, Value
from lifecycle.task_types.exports import Export, Lines
from lifecycle.task_types.hub import HubColumns


class Unlearnable(Exception):
    """No model can learn from a row. Its text says what is the matter, such as "with calls of tools"."""


class Formats(ABC):
    """The files of one task.

    rows_in_words: what each row of a dataset version has, where annotations name no labels. exports: formats of its own beside those of
    every task, by their keys.
    """

    rows_in_words: str = ""
    exports: Mapping[str, Export] = {}

    @abstractmethod
    def hub(self, labels: Sequence[str]) -> HubColumns | Lines:
        """The columns of a Hugging Face data set; lines of JSON where rows have keys that others haven't."""

    def engine_row(self, item: ItemContent, value: Value) -> Mapping[str, Any] | None:
        """A line of train.jsonl: what a model reads of an item and learns of it. value: its labels by name.

        None where the item was erased. Raises Unlearnable.
        """
        return {"text": item.text, **value}
