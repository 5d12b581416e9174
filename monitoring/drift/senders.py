"""Senders: a random sample of a window's answers, by the digest of their sticky key; rollups have no keys.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.traffic import histogram
from monitoring.traffic.queries import Sampled
from monitoring.traffic.rules import CONFIDENCE_BINS, OOV_BINS, share_bin

Ints = NDArray[np.int64]
SAMPLE = 10_000


@dataclass(frozen=True, slots=True)
class Senders:
    """codes: a number for the sender of each answer (N,); an answer without a key has one of its own. known:
    different keys, 2 or more.

    values: by field of the rollups the fine bin, or the labels, of each answer; None where it is missing.
    """

    codes: Ints
    known: int
    values: Mapping[str, Sequence[Any]]


def of_answers(rows: Sequence[Sampled]) -> Senders | None:
    """Senders of these rows; None with fewer than two keys, since a single key doesn't identify senders."""
    number = {key: at for at, key in enumerate(sorted({row.key for row in rows if row.key}))}
    if len(number) < 2:
        return None
    codes = [number[row.key] if row.key else len(number) + at for at, row in enumerate(rows)]
    values: dict[str, Sequence[Any]] = {
        "label": (labels := [row.labels for row in rows]),
        "position": labels,
        "confidence": [
            None if row.confidence is None else share_bin(row.confidence, CONFIDENCE_BINS) for row in rows
        ],
        "chars": [histogram.bucket(row.chars) if row.chars else None for row in rows],
        "oov": [None if row.oov is None else share_bin(row.oov, OOV_BINS) for row in rows],
    }
    return Senders(np.array(codes, dtype=np.int64), len(number), values)
