"""What files of a task look like: those that come in, the rows that the engine reads, and the formats of exports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lifecycle.runtime.task_types.answers import ItemContent, Value
from lifecycle.runtime.task_types.columns import Role
from lifecycle.runtime.task_types.contents import text
from lifecycle.runtime.task_types.exports import Export, Lines
from lifecycle.runtime.task_types.hub import HubColumns
from lifecycle.runtime.task_types.inputs import BadContent, CellKind, loaded
from lifecycle.runtime.task_types.layouts import Layout
from lifecycle.runtime.task_types.tools import Tool


class Unlearnable(Exception):
    """No model can learn from a row. Its text says what is the matter, such as "with calls of tools"."""


class Remark(NamedTuple):
    """What is odd about an item that is kept all the same. words: behind the place of its row."""

    code: str
    words: str
    next_step: str = "Nothing, if that is right."


class Formats(ABC):
    """The files of one task, whose items are texts where it doesn't say otherwise.

    What comes in. cells: the kinds of a labeling tool's cells that answer
    it, the best first. takes_lists: whether a list of names beside a text can be an annotation. ways: the columns that make an item, for
    each way to lay it out; optional: those that may be beside them. columns: names that are recognised in the place of `NAMES`. layouts: of
    files that it takes, with what each of their columns is used for.

    What goes out. tools: the labeling tools that can keep annotations. tags: of Label Studio's configuration that ask for them; of
    choices with "multiple" behind where there may be several. rows_in_words: what each row of a dataset version has, where annotations name
    no labels. exports: formats of its own beside those of every task, by their keys.
    """

    cells: tuple[CellKind, ...]
    takes_lists: bool = True
    ways: tuple[tuple[Role, ...], ...] = ((Role.TEXT,),)
    optional: tuple[Role, ...] = ()
    columns: Mapping[Role, tuple[str, ...]] = {}
    layouts: Mapping[Layout, tuple[Role, ...]] = {}
    tools: Mapping[str, Tool]
    tags: tuple[str, ...]
    rows_in_words: str = ""
    exports: Mapping[str, Export] = {}

    @property
    def item_roles(self) -> frozenset[Role]:
        """What columns can be used for to make an item."""
        return frozenset({role for way in self.ways for role in way} | {*self.optional})

    # ── Items of a file ──────────────────────────────────────────────────────
    def text(self, cell: str) -> str:
        """The text in a text column's cell. Raises BadInput."""
        return cell

    def content(self, cells: Mapping[Role, str]) -> dict[str, Any] | None:
        """What an item is, as `Item.content`; None where the text is all. cells: of the columns that are used for it. Raises BadInput."""
        return text.with_context(cells[Role.TEXT], cells.get(Role.CONTEXT, ""))

    def whole(self, cell: str) -> dict[str, Any]:
        """The same as one JSON object, as exports write it. Raises BadInput."""
        raw = loaded(cell, "contents")
        if not isinstance(raw, dict) or (found := self.content_in(raw)) is None:
            raise BadContent("content", "The content isn't an object of what this dataset's items are.")
        return found

    def content_in(self, raw: Mapping[str, Any]) -> dict[str, Any] | None:
        """What an object says of an item; None where it isn't one. Raises BadContent."""
        if isinstance(raw.get("text"), str) and isinstance(raw.get("context"), str):
            return {"text": raw["text"], "context": raw["context"]}
        return None

    def readable(self, content: Mapping[str, Any]) -> str:
        """A content as one text to be read and searched."""
        return text.as_read(content)

    def remarks(self, content: Mapping[str, Any]) -> Sequence[Remark]:
        """What is odd about a content that can be kept."""
        return ()

    def implied(self, item: ItemContent, columns: Mapping[Role, str]) -> Any:
        """What a row without a label says, for `Answers.parse`; None for nothing. columns: their names by what they are used for."""
        return None

    # ── Labeling tools ───────────────────────────────────────────────────────
    @abstractmethod
    def label_config(self, labels: Sequence[str]) -> Sequence[str]:
        """The elements of a configuration with which the same annotations can be given in Label Studio, as XML."""

    # ── Rows that go out ─────────────────────────────────────────────────────
    @abstractmethod
    def hub(self, labels: Sequence[str]) -> HubColumns | Lines:
        """The columns of a Hugging Face data set; lines of JSON where rows have keys that others haven't."""

    def engine_row(self, item: ItemContent, value: Value) -> Mapping[str, Any] | None:
        """A line of train.jsonl: what a model reads of an item and learns of it. value: its labels by name.

        None where the item was erased. Raises Unlearnable.
        """
        return {"text": item.text, **value}
