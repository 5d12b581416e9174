"""Candidate pairs of near duplicates: MinHash signatures on disk, with locality-sensitive hashing of their
bands. No Django.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

PERMUTATIONS = 128
# 21 × 6 of the 128: a pair at Jaccard 0.8 shares a band with probability 0.998, one at 0.5 with 0.28
BANDS, ROWS = 21, 6
SEED = 13
WINDOW = 32  # rows compared after each in one bucket: all of a bucket of 33, a chain through larger ones
MARGIN = 0.2  # below the threshold at which a signature rules a pair out: 5.6 standard deviations at 0.8
PAIRS_AT_ONCE = 50_000


class Signatures:
    """Signatures of texts by row number, from 0. 512 bytes a row for the signature and 168 for its bands, on
    disk in `folder`.
    """

    def __init__(self, folder: Path) -> None:
        self._signatures = folder / "signatures"
        self._bands = [folder / f"band-{band}" for band in range(BANDS)]
        self._files = [path.open("wb") for path in (self._signatures, *self._bands)]

    def add(self, shingles: Sequence[set[str]]) -> None:
        """Append rows."""
        sets = [list(each) for each in shingles]
        rows = np.array(RMinHash.digests_from_token_sets(sets, PERMUTATIONS, SEED), dtype=np.uint32).reshape(
            len(sets), PERMUTATIONS
        )
        self._files[0].write(rows.tobytes())
        for band, file in enumerate(self._files[1:]):
            file.write(mixed(rows[:, band * ROWS : (band + 1) * ROWS]).tobytes())

    def close(self) -> None:
        """Close the files after the last row."""
        for file in self._files:
            file.close()

    def candidates(self, threshold: float) -> Iterator[NDArray[np.int64]]:
        """For each band, the pairs (P, 2) of rows, the earlier first, that share it and may reach `threshold`
        by their signatures.
        """
        if not self._signatures.stat().st_size:
            return
        signatures = np.memmap(self._signatures, dtype=np.uint32, mode="r").reshape(-1, PERMUTATIONS)
        for path in self._bands:
            found = [
                part[likely(signatures, part, threshold)]
                for part in bucket_mates(np.fromfile(path, dtype=np.uint64))
            ]
            yield np.concatenate(found) if found else np.empty((0, 2), dtype=np.int64)


def mixed(columns: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """One 64-bit hash of each row of columns."""
    hashes = np.zeros(len(columns), dtype=np.uint64)
    for column in columns.T:
        hashes = (hashes ^ column) * np.uint64(0x9E3779B97F4A7C15)
        hashes ^= hashes >> np.uint64(29)
    return hashes


def bucket_mates(hashes: NDArray[np.uint64]) -> Iterator[NDArray[np.int64]]:
    """Pairs (P, 2) of rows with the same hash, the earlier first, at most 50,000 at once."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    for distance in range(1, WINDOW + 1):
        starts = np.flatnonzero(ordered[distance:] == ordered[:-distance])
        if not len(starts):
            return
        for at in range(0, len(starts), PAIRS_AT_ONCE):
            some = starts[at : at + PAIRS_AT_ONCE]
            yield np.stack([order[some], order[some + distance]], axis=1)


def likely(signatures: NDArray[np.uint32], pairs: NDArray[np.int64], threshold: float) -> NDArray[np.bool_]:
    """Whether each pair may reach the threshold by its share of equal hashes."""
    equal = np.count_nonzero(signatures[pairs[:, 0]] == signatures[pairs[:, 1]], axis=1)
    return equal >= (threshold - MARGIN) * PERMUTATIONS
