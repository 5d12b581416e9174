"""Rows that a base trained here has seen: those to rehearse, and those that measure forgetting. No texts."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.manifest import ManifestRow
from datasets_app.snapshots.models import Snapshot
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.values import labels_of

MEASURED = 5_000  # maximum rows; sorted by digest, so the first are a fair sample


def to_rehearse(
    earlier: Snapshot, snapshot: Snapshot, labels: Collection[str], most: int
) -> Iterator[ManifestRow]:
    """Training rows of the earlier version that aren't in the new one and have only current classes."""
    rows = snapshots.rows_of(earlier, "train")
    return islice(
        fitting(unknown(rows, snapshots.open_snapshot(snapshot)), snapshot.dataset.task, labels), most
    )


def measured_split(earlier: Snapshot) -> str:
    """The split of the earlier version that measures forgetting: test if it has one."""
    return "test" if earlier.counts["splits"].get("test") else "validation"


def to_measure(earlier: Snapshot, snapshot: Snapshot, labels: Collection[str]) -> Iterator[ManifestRow]:
    """Rows of `measured_split` that the new run neither trains nor selects its best step on, with classes
    that both know.
    """
    used = (row for row in snapshots.open_snapshot(snapshot) if row.split != "test")
    rows = snapshots.rows_of(earlier, measured_split(earlier))
    return islice(fitting(unknown(rows, used), snapshot.dataset.task, labels), MEASURED)


def unknown(rows: Iterable[ManifestRow], known: Iterable[ManifestRow]) -> Iterator[ManifestRow]:
    """The rows whose item isn't among the known ones. Both are sorted by digest, so neither is held in
    memory.
    """
    others = iter(known)
    other = next(others, None)
    for row in rows:
        while other is not None and other.item < row.item:
            other = next(others, None)
        if other is None or other.item != row.item:
            yield row


def fitting(rows: Iterable[ManifestRow], task: str, labels: Collection[str]) -> Iterator[ManifestRow]:
    """The rows with only these labels; all rows for tasks without labels."""
    return (row for row in rows if classes(row, task).issubset(labels))


def classes(row: ManifestRow, task: str) -> set[str]:
    """The classes of a row; none for tasks without labels."""
    kind = type_of(task)
    value = row.label if kind.one_label or not kind.has_labels else json.loads(row.label)
    return set(labels_of({kind.answers.name: value}))
