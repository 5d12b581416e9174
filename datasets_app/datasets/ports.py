"""Ports for higher apps: label import, item filters, and columns. Filled in ready()."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from django import forms
from django.db.models import QuerySet

if TYPE_CHECKING:
    from datasets_app.datasets.importing.brought import Told
    from datasets_app.datasets.models import Dataset, Item, Upload
    from lifecycle.runtime.task_types.answers import Value
    from registry.ground.access.models import User


class LabelImporter(Protocol):
    """Turns the labels of a file into decisions or suggestions, as `upload.labels_as` says; `upload.accepted_by` answers for them.

    The import job calls begin once, write for each batch, and finish once; after a crash it begins again, so each call must be safe twice.
    Rows whose text was already in the dataset are never handed over: their present label stays.
    """

    def begin(self, upload: Upload, names: Sequence[str]) -> None:
        """Before the first batch, in a transaction of its own. names: all label names of the file, without blanks around them: in
        the order of the configuration beside it, then sorted.

        Makes the schema version that holds them (the present one where it already does).
        """

    def write(self, upload: Upload, rows: Sequence[tuple[Item, Value]]) -> None:
        """One batch of at most 1,000 new items of this upload with their annotations, labels by name, in the transaction that makes the
        items. Every value was parsed about its item.

        The items are not visible yet: their upload is still importing.
        """

    def bring(self, upload: Upload, rows: Sequence[tuple[Item, Told]]) -> None:
        """One batch of rows of another labeling tool, like `write`: annotations and predictions.

        A text in several rows is passed once per row.
        """

    def settle(self, upload: Upload, after: int) -> int | None:
        """Resolve unanimous imported annotations, for the next items after this key, at most a batch, in the caller's transaction.

        Called when all is written, until it returns None. Returns the last item's key.
        """

    def publish(self, dataset: Dataset, actor: User, names: Sequence[str]) -> None:
        """The first classes of a dataset that the actor has just made, in the caller's transaction. Raises Refused for a bad name."""

    def accounts(self, dataset: Dataset, people: Sequence[str]) -> dict[str, str]:
        """Of the people whom a file names, those who have an account that may annotate in the dataset, with its name."""

    def known_names(self, dataset: Dataset) -> Sequence[str]:
        """The names of the dataset's classes."""

    def withdraw(self, item_ids: Sequence[int]) -> None:
        """Remove what `write` saved for these items of an upload in progress: other rows of the file contradict it."""

    def finish(self, upload: Upload) -> None:
        """All is written: called in the short transaction that makes the upload imported and its items visible. Records the decisions."""

    def undo(self, upload: Upload, item_ids: Sequence[int]) -> None:
        """The import was cancelled or failed for good: delete what `write` made for these items, in the transaction that deletes them."""

    def values_of(self, item_ids: Sequence[int]) -> dict[int, Value]:
        """The present value, labels by name (decided, or else suggested), of those of these items that have one: to count contradicting
        duplicates."""


_importers: list[LabelImporter] = []


def register_label_importer(importer: LabelImporter) -> None:
    """Make the one label importer known; registering again replaces it."""
    _importers[:] = [importer]


def label_importer() -> LabelImporter | None:
    """The label importer, or None where no room understands labels: a column of labels can then not be imported."""
    return _importers[0] if _importers else None


# ── Filters of items ────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Scope:
    """Which items are looked at, and for whom: those of a dataset from key `low` up to and without `high`."""

    dataset: Dataset
    viewer: User
    low: int
    high: int

    def of(self, rows: QuerySet[Any], column: str = "item_id") -> QuerySet[Any]:
        """The keys of the items that rows of another table are about: to be used as `pk__in`. It reads no more than the scope."""
        return rows.filter(**{f"{column}__gte": self.low, f"{column}__lt": self.high}).order_by().values(column)


Fields = dict[str, forms.Field]


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """One way to choose items. Its fields are asked on the page, in addresses and in the API under the same names, unique in the product.

    title: what the filter is called. group: the heading under which the page asks it. names: of all its fields.
    fields: for a dataset and who looks, by name; none where the filter is not for them or says nothing here. A field that the person leaves
    out takes its `initial` once another field of the filter is given.
    apply: keeps the items that fit; given only the values that are set, as the fields clean them. It adds conditions that an index answers
    (`pk__in` of Scope.of) and never a DISTINCT, a join that repeats rows or a COUNT.
    words: the filter in force, as a line. Takes in what the person chose, in words, by field.
    """

    title: str
    group: str
    names: tuple[str, ...]
    fields: Callable[[Dataset, User], Fields]
    apply: Callable[[QuerySet[Item], dict[str, Any], Scope], QuerySet[Item]]
    words: Callable[[dict[str, str]], str]


_filters: dict[str, ItemFilter] = {}


def register_item_filter(*filters: ItemFilter) -> None:
    """Make filters known, in the order of the page; registering a title again replaces it."""
    _filters.update({each.title: each for each in filters})


def item_filters() -> list[ItemFilter]:
    """All filters, in the order in which they were registered."""
    return list(_filters.values())


# ── Columns of items ────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class ItemColumns:
    """What a room above knows of items, as columns of a file of them.

    names: of the columns. cells: for at most 500 items, by key, in a constant number of statements; an item that has none is left out.
    """

    names: tuple[str, ...]
    cells: Callable[[Dataset, Sequence[int]], dict[int, tuple[str, ...]]]


_columns: dict[tuple[str, ...], ItemColumns] = {}


def register_item_columns(columns: ItemColumns) -> None:
    """Make columns known; registering the same names again replaces them."""
    _columns[columns.names] = columns


def item_columns() -> list[ItemColumns]:
    """All of them, in the order in which they were registered."""
    return list(_columns.values())
