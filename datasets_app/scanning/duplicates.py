"""Groups of near-duplicate texts, in nearly constant memory. No Django.

A group is a connected component of confirmed pairs: each text has a Jaccard similarity of 0.8 or more with at
least one other, but not always with all of them. The similarity of each text to the group's first text is
therefore stored too.
"""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets_app.datasets.rules import normal_form
from datasets_app.scanning.shingles import jaccard, shingles, units_of
from datasets_app.scanning.signatures import BANDS, Signatures

THRESHOLD = 0.8
BATCH = 1_000
Step = Callable[[str, int, int], None]  # stage, done, total; may raise to stop


class Member(NamedTuple):
    """One text of a group. key: as added. nearest, first: similarity to the text that links it to the group,
    and to the group's first.
    """

    key: int
    nearest: float
    first: float


class Corpus:
    """Texts on disk in `folder`, in the order they are added. Each text takes 40 bytes of memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "texts"
        self._file = self._path.open("wb")
        self._keys, self._ends, self._digests = array("q"), array("Q", [0]), bytearray()

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, rows: Sequence[tuple[int, str, str]]) -> None:
        """Append (key, normal digest in hex, text) rows."""
        for key, digest, text in rows:
            form = normal_form(text).encode("utf-8")
            self._file.write(form)
            self._keys.append(key)
            self._ends.append(self._ends[-1] + len(form))
            self._digests += bytes.fromhex(digest)[:16]

    def groups(self, step: Step) -> Iterator[list[Member]]:
        """The groups of two texts or more, ordered by their first text; the texts of each in the order
        added.
        """
        self._file.close()
        if not self._ends[-1]:
            return
        first_of = self._first_of_each_form()
        with self._path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as texts:
            union = Union(len(self))
            self._link(union, self._signed(texts, first_of, step), texts, step)
            yield from self._read_off(union, first_of, texts)

    def _form(self, texts: mmap.mmap, row: int) -> str:
        return texts[self._ends[row] : self._ends[row + 1]].decode("utf-8")

    def _first_of_each_form(self) -> NDArray[np.int64]:
        """For each row the first row with the same normal digest."""
        digests = np.frombuffer(bytes(self._digests), dtype="V16")
        _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
        found: NDArray[np.int64] = first[inverse].astype(np.int64)
        return found

    def _signed(
        self, texts: mmap.mmap, first_of: NDArray[np.int64], step: Step
    ) -> Iterator[NDArray[np.int64]]:
        """Candidate pairs of rows, in any unit, for each band."""
        signatures = Signatures(self._folder)
        rows = array("q")
        forms = np.flatnonzero(first_of == np.arange(len(first_of)))
        for at in range(0, len(forms), BATCH):
            step("Signing texts", at, len(forms))
            batch = []
            for row in forms[at : at + BATCH].tolist():
                form = self._form(texts, row)
                for unit in units_of(form):
                    batch.append(shingles(form, unit))
                    rows.append(row)
            signatures.add(batch)
        signatures.close()
        row_of = np.array(rows, dtype=np.int64)
        for band, pairs in enumerate(signatures.candidates(THRESHOLD)):
            step("Comparing bands", band, BANDS)
            yield row_of[pairs]

    def _link(self, union: Union, bands: Iterator[NDArray[np.int64]], texts: mmap.mmap, step: Step) -> None:
        """Join pairs confirmed as near duplicates."""
        size = np.int64(len(self))
        codes = [np.unique(pairs[:, 0] * size + pairs[:, 1]) for pairs in bands]
        pairs = np.unique(np.concatenate(codes)) if codes else np.empty(0, dtype=np.int64)
        for at in range(0, len(pairs), BATCH):
            step("Confirming pairs", at, len(pairs))
            for code in pairs[at : at + BATCH].tolist():
                one, other = divmod(code, int(size))
                if union.root(one) == union.root(other):
                    continue
                near = jaccard(self._form(texts, one), self._form(texts, other))
                if near >= THRESHOLD:
                    union.join(one, other, near)

    def _read_off(
        self, union: Union, first_of: NDArray[np.int64], texts: mmap.mmap
    ) -> Iterator[list[Member]]:
        roots = np.array([union.root(row) for row in first_of.tolist()], dtype=np.int64)
        order = np.argsort(roots, kind="stable")
        starts = np.flatnonzero(np.diff(roots[order], prepend=-1))
        ends = np.append(starts[1:], len(order))
        for start, end in zip(
            starts[ends - starts > 1].tolist(), ends[ends - starts > 1].tolist(), strict=True
        ):
            rows = order[start:end].tolist()
            opening = self._form(texts, rows[0])
            repeated = {int(first_of[row]) for row in rows if first_of[row] != row}
            yield [
                Member(
                    self._keys[row],
                    1.0 if first_of[row] != row or row in repeated else round(union.nearest[row], 6),
                    round(jaccard(opening, self._form(texts, row)), 6),
                )
                for row in rows
            ]


class Union:
    """Union-find over rows; the root of a group is its first row. nearest: the highest similarity of a row in
    a join, 0 for none.
    """

    def __init__(self, size: int) -> None:
        self._parents = array("q", range(size))
        self.nearest = array("d", bytes(8 * size))

    def root(self, row: int) -> int:
        """The first row of a row's group."""
        parents = self._parents
        while parents[row] != row:
            parents[row] = parents[parents[row]]
            row = parents[row]
        return row

    def join(self, one: int, other: int, similarity: float) -> None:
        """Join the groups of two rows."""
        self.nearest[one] = max(self.nearest[one], similarity)
        self.nearest[other] = max(self.nearest[other], similarity)
        first, second = sorted((self.root(one), self.root(other)))
        self._parents[second] = first
