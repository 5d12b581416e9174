"""Rows of a split: texts and targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.clustered import Ints


@dataclass(frozen=True)
class Rows:
    """Rows in file order. targets: as the learner reads them; empty if not requested. left_out: why lines are
    excluded, such as "with tool calls". clusters: name of the cluster each row was split with, such as
    near-duplicates; the row's id if the file has none.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    targets: tuple[Any, ...] = ()
    left_out: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()

    @property
    def codes(self) -> Ints:
        """Number of each row's cluster (N,), as in `clustered.numbered`."""
        return clustered.numbered(self.clusters or self.ids)

    def __len__(self) -> int:
        return len(self.ids)


# embeddings of rows by the base before fine-tuning: (N, H), or as the task's baselines expect
Vectors = Callable[[Rows], Any]


def some(rows: Rows, kept: Sequence[int]) -> Rows:
    """Some of the rows, in this order."""
    parts = {
        "ids": rows.ids,
        "texts": rows.texts,
        "targets": rows.targets,
        "clusters": rows.clusters or rows.ids,
    }
    return Rows(**{name: tuple(each[at] for at in kept) for name, each in parts.items()})


def parts(rows: Rows, at_once: int) -> Iterator[Rows]:
    """The rows in order, in batches."""
    for start in range(0, len(rows), at_once):
        yield some(rows, range(start, min(start + at_once, len(rows))))
