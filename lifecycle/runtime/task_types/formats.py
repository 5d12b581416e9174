"""File formats of a task: imports, training rows, and exports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
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
    """A row can't be used for training. The message is the reason, such as "with tool calls"."""


class Remark(NamedTuple):
    """A problem that doesn't prevent an item's import. words: follow the location of the row."""

    code: str
    words: str
    next_step: str = "No action needed if this is intended."


class Formats(ABC):
    """File formats of one task. Items are texts unless overridden.

    Import. cells: kinds of labeling tool cells that can hold annotations, best first. takes_lists: whether a
    list of names beside a text can be an annotation. ways: column roles that make up an item, for each
    layout; optional: additional roles. columns: recognised names that replace `NAMES`. layouts: supported
    file layouts, with the role of each column.

    Export. tools: labeling tools that can store annotations. tags: the Label Studio controls that ask for
    them; "multiple" after choices if several are allowed. rows_in_words: description of a dataset version's
    rows for tasks without labels. exports: formats of this task besides the common ones, by key.
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
        """Column roles that can make up an item."""
        return frozenset({role for way in self.ways for role in way} | {*self.optional})

    # ── Importing items ──────────────────────────────────────────────────────
    def text(self, cell: str) -> str:
        """The text in a text column's cell. Raises BadInput."""
        return cell

    def content(self, cells: Mapping[Role, str]) -> dict[str, Any] | None:
        """The item's content as in `Item.content`; None for plain text. cells: of the columns with item
        roles. Raises BadInput.
        """
        return text.with_context(cells[Role.TEXT], cells.get(Role.CONTEXT, ""))

    def whole(self, cell: str) -> dict[str, Any]:
        """The content from one JSON object, as exports write it. Raises BadInput."""
        raw = loaded(cell, "contents")
        if not isinstance(raw, dict) or (found := self.content_in(raw)) is None:
            raise BadContent("content", "The content isn't an object that this dataset's items can have.")
        return found

    def content_in(self, raw: Mapping[str, Any]) -> dict[str, Any] | None:
        """Validate an object as content; None if it isn't one. Raises BadContent."""
        if isinstance(raw.get("text"), str) and isinstance(raw.get("context"), str):
            return {"text": raw["text"], "context": raw["context"]}
        return None

    def asked(self, text: str, beside: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The content of an item for what a model was asked; None for plain text. beside: of the request,
        beside its text; None if there was nothing, or it isn't stored. Raises BadContent if an item can't
        have it.
        """
        return None

    def readable(self, content: Mapping[str, Any]) -> str:
        """The content as one text for display and search."""
        return text.as_read(content)

    def remarks(self, content: Mapping[str, Any]) -> Sequence[Remark]:
        """Problems with a content that don't prevent its import."""
        return ()

    def implied(self, item: ItemContent, columns: Mapping[Role, str]) -> Any:
        """The annotation in a row without a label column, as input for `Answers.parse`; None if there is
        none. columns: names by role.
        """
        return None

    # ── Labeling tools ──────────────────────────────────────────────────────
    @abstractmethod
    def label_config(self, labels: Sequence[str]) -> Sequence[str]:
        """Label Studio controls for the same annotations, as XML."""

    # ── Exporting rows ───────────────────────────────────────────────────────
    def beside_kept(self, label: Any, text: str, kept: Callable[[str], str]) -> Any:
        """The label of a row in a file that changes its text. kept: a text, or the start of one, as in the
        file.
        """
        return label

    @abstractmethod
    def hub(self, labels: Sequence[str]) -> HubColumns | Lines:
        """Columns of a Hugging Face dataset; JSON lines if rows differ in their keys."""

    def engine_row(self, item: ItemContent, value: Value) -> Mapping[str, Any] | None:
        """A row of train.jsonl: the model's input and target. value: with label names.

        None if the item was erased. Raises Unlearnable.
        """
        return {"text": item.text, **value}
