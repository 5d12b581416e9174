"""Group rows by a value of each. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.refusals import Refused

BANDS = 5
MOST = 50  # maximum groups in a table
NUMBERS_FROM = 12  # different numbers above which they are binned
# 0123 is a code, not a number
NUMBER = re.compile(r"[+-]?(0|[1-9]\d{0,300})(\.\d+)?([eE][+-]?\d{1,2})?", re.ASCII)
NO_VALUE = "No value"


@dataclass(frozen=True, slots=True)
class Grouping:
    """names: of the groups; codes: number of each row's group (N,). has_missing: the last group is of rows
    without a value.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64]
    has_missing: bool = False


def grouped(values: Sequence[str | None]) -> Grouping:
    """A group for each value, largest first; numbers are binned at quantiles; rows without a value form the
    last group.

    Raises Refused if there are more than MOST different texts.
    """
    texts = [value.strip() if value else "" for value in values]
    counts = Counter(value for value in texts if value)
    if len(counts) > NUMBERS_FROM and all(NUMBER.fullmatch(value) for value in counts):
        return banded(texts)
    if len(counts) > MOST:
        raise Refused(
            f"It has {len(counts):,} different values, too many for slices.",
            next_step=(
                f"Choose a column with at most {MOST} values, or a numeric one, which is split into ranges."
            ),
        )
    order = {
        value: number
        for number, (value, _) in enumerate(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
    }
    return with_missing(
        tuple(order), np.array([order.get(value, len(order)) for value in texts], dtype=np.int64)
    )


def banded(texts: Sequence[str]) -> Grouping:
    """Numbers in up to five bins of about equal size, each closed on the right at an existing value. An empty
    text is a missing value.
    """
    numbers = np.array([float(value) if value else np.nan for value in texts])
    known = numbers[~np.isnan(numbers)]
    if known.min() == known.max():  # one number in several notations
        return with_missing((f"{known[0]:,.6g}",), np.isnan(numbers).astype(np.int64))
    edges = np.unique(np.quantile(known, np.arange(1, BANDS) / BANDS, method="inverted_cdf"))
    edges = edges[edges < known.max()]
    if not len(edges):  # most rows have the largest value
        edges = known[known < known.max()].max(keepdims=True)
    ends = [f"{edge:,.6g}" for edge in edges]
    between = [f"Over {low} to {high}" for low, high in zip(ends, ends[1:], strict=False)]
    names = (f"Up to {ends[0]}", *between, f"Over {ends[-1]}")
    return with_missing(
        names,
        np.where(np.isnan(numbers), len(names), np.searchsorted(edges, numbers, side="left")).astype(
            np.int64
        ),
    )


def with_missing(names: tuple[str, ...], codes: NDArray[np.int64]) -> Grouping:
    """Append a group for rows whose code is beyond the names, if there are any."""
    missing = bool((codes == len(names)).any())
    return Grouping((*names, NO_VALUE) if missing else names, codes, missing)
