"""Rows of a split: their texts, and what each says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.clustered import Ints


@dataclass(frozen=True)
class Rows:
    """Rows in file order. targets: what each says, as its learner reads it; empty where that was not asked for. left_out: what is the
    matter with each line that is no row, such as "with calls of tools". clusters: name of the cluster that each row was split with, such as
    near duplicates; its own id where the file names none."""

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    targets: tuple[Any, ...] = ()
    left_out: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()

    @property
    def codes(self) -> Ints:
        """Number of each row's cluster (N,), as of `clustered.numbered`."""
        return clustered.numbered(self.clusters or self.ids)

    def __len__(self) -> int:
        return len(self.ids)


Vectors = Callable[[Rows], Any]  # of rows by a base that nobody tuned: (N, H), or what the task's baselines say


def some(rows: Rows, kept: Sequence[int]) -> Rows:
    """A few of the rows, in this order."""
    parts = {"ids": rows.ids, "texts": rows.texts, "targets": rows.targets, "clusters": rows.clusters or rows.ids}
    return Rows(**{name: tuple(each[at] for at in kept) for name, each in parts.items()})


def parts(rows: Rows, at_once: int) -> Iterator[Rows]:
    """The rows in order, so many at a time."""
    for start in range(0, len(rows), at_once):
        yield some(rows, range(start, min(start + at_once, len(rows))))
