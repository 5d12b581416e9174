"""Ports for higher apps: label import, item filters, and columns. Filled in ready()."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from django import forms
from django.db.models import QuerySet

if TYPE_CHECKING:
    from datasets_app.datasets.importing.labeling import Labeling
    from datasets_app.datasets.models import Dataset, Item, Upload
    from lifecycle.runtime.task_types.answers import Value
    from registry.ground.access.models import User


class LabelImporter(Protocol):
    """Turns the labels of a file into decisions or suggestions (`upload.labels_as`), under
    `upload.accepted_by`'s responsibility.

    The import job calls begin once, write for each batch, and finish once; after a crash it starts over, so
    each call must be idempotent. Rows with an existing text are never passed: the text keeps its label.
    """

    def begin(self, upload: Upload, names: Sequence[str]) -> None:
        """Before the first batch, in a transaction of its own. names: all label names of the file, without
        blanks around them: in the order of the configuration beside it, then sorted.

        Makes the schema version that holds them (the present one where it already does).
        """

    def write(self, upload: Upload, rows: Sequence[tuple[Item, Value]]) -> None:
        """One batch of at most 1,000 new items of this upload with their annotations, labels by name, in the
        transaction that makes the items. Every value was parsed about its item.

        The items are not visible yet: their upload is still importing.
        """

    def write_labeling(self, upload: Upload, rows: Sequence[tuple[Item, Labeling]]) -> None:
        """One batch of rows from another labeling tool, like `write`: annotations and predictions.

        A text in several rows is passed once per row.
        """

    def settle(self, upload: Upload, after: int) -> int | None:
        """Resolve unanimous imported annotations, for the next items after this key, at most a batch, in the
        caller's transaction.

        Called when all is written, until it returns None. Returns the last item's key.
        """

    def publish(self, dataset: Dataset, actor: User, names: Sequence[str]) -> None:
        """The first classes of a dataset that the actor has just made, in the caller's transaction. Raises
        Refused for a bad name.
        """

    def accounts(self, dataset: Dataset, people: Sequence[str]) -> dict[str, str]:
        """The names of accounts that may annotate in the dataset, by person as named in a file; others are
        left out.
        """

    def known_names(self, dataset: Dataset) -> Sequence[str]:
        """The names of the dataset's classes."""

    def withdraw(self, item_ids: Sequence[int]) -> None:
        """Remove what `write` saved for these items of an upload in progress: other rows of the file
        contradict it.
        """

    def finish(self, upload: Upload) -> None:
        """Record the decisions, in the short transaction that marks the upload as imported and shows its
        items.
        """

    def undo(self, upload: Upload, item_ids: Sequence[int]) -> None:
        """Delete what `write` created for these items of a cancelled or failed import, in the transaction
        that deletes them.
        """

    def values_of(self, item_ids: Sequence[int]) -> dict[int, Value]:
        """The present value, labels by name (decided, or else suggested), of those of these items that have
        one: to count contradicting duplicates.
        """


_importers: list[LabelImporter] = []


def register_label_importer(importer: LabelImporter) -> None:
    """Register the only label importer, in place of any earlier one."""
    _importers[:] = [importer]


def label_importer() -> LabelImporter | None:
    """The label importer, or None: then a label column can't be imported."""
    return _importers[0] if _importers else None


# ── Filters of items ────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Scope:
    """A range of a dataset's items, for one person: from key `low` (included) to `high` (excluded)."""

    dataset: Dataset
    viewer: User
    low: int
    high: int

    def of(self, rows: QuerySet[Any], column: str = "item_id") -> QuerySet[Any]:
        """The item keys of another table's rows, for `pk__in`, limited to the scope."""
        return (
            rows.filter(**{f"{column}__gte": self.low, f"{column}__lt": self.high}).order_by().values(column)
        )


Fields = dict[str, forms.Field]


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """One item filter. Its fields have the same names on the page, in URLs and in the API, unique in the
    product.

    title: the filter's name. group: its heading on the page. names: of all its fields.
    fields: by name, for a dataset and a viewer; empty if the filter isn't available to them or doesn't apply.
    A missing field takes its `initial` if another field of the filter is set.
    apply: filters the items by the cleaned values that are set. It adds conditions that an index can answer
    (`pk__in` of Scope.of), and never a DISTINCT, a join that repeats rows, or a COUNT.
    words: one line that describes the active filter, from the display values by field.
    """

    title: str
    group: str
    names: tuple[str, ...]
    fields: Callable[[Dataset, User], Fields]
    apply: Callable[[QuerySet[Item], dict[str, Any], Scope], QuerySet[Item]]
    words: Callable[[dict[str, str]], str]


_filters: dict[str, ItemFilter] = {}


def register_item_filter(*filters: ItemFilter) -> None:
    """Register filters, in the order of the page; a filter of the same title is replaced."""
    _filters.update({each.title: each for each in filters})


def item_filters() -> list[ItemFilter]:
    """All filters, in order of registration."""
    return list(_filters.values())


# ── Columns of items ────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class ItemColumns:
    """Columns that a higher app adds to an item export.

    names: of the columns. cells: for at most 500 items, by key, in a constant number of statements; items
    without any are left out.
    """

    names: tuple[str, ...]
    cells: Callable[[Dataset, Sequence[int]], dict[int, tuple[str, ...]]]


_columns: dict[tuple[str, ...], ItemColumns] = {}


def register_item_columns(columns: ItemColumns) -> None:
    """Register columns; columns of the same names are replaced."""
    _columns[columns.names] = columns


def item_columns() -> list[ItemColumns]:
    """All columns, in order of registration."""
    return list(_columns.values())
