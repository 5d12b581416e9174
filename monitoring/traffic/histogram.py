"""Latency histograms that can be added up: buckets on a log scale, so that any minutes, hours or versions merge without loss. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

GROWTH = 1.1  # each bucket ends 10 % above the one before
FLOOR_MS = 0.1

Histogram = dict[str, int]


def bucket(value_ms: float) -> int:
    """The index of the bucket that holds a value in ms: 0 up to 0.1 ms, then (0.1·1.1^(i-1), 0.1·1.1^i]."""
    if value_ms <= FLOOR_MS:
        return 0
    return math.ceil(math.log(value_ms / FLOOR_MS) / math.log(GROWTH) - 1e-9)


def upper_ms(index: int) -> float:
    """The largest value that a bucket holds, in ms."""
    return float(FLOOR_MS * GROWTH**index)


def add(histogram: Histogram, values_ms: Iterable[float]) -> Histogram:
    """The histogram with more values in it; keys are text, as JSON has them."""
    counts = dict(histogram)
    for value in values_ms:
        key = str(bucket(value))
        counts[key] = counts.get(key, 0) + 1
    return counts


def merge(histograms: Iterable[Mapping[str, int]]) -> Histogram:
    """All of them as one."""
    counts: Histogram = {}
    for histogram in histograms:
        for key, count in histogram.items():
            counts[key] = counts.get(key, 0) + count
    return counts


def quantile(histogram: Mapping[str, int], share: float) -> float | None:
    """The value in ms below which a share (0 to 1) of the values lies, at most 10 % too high and never too low; None when empty.

    By the definition of the inverted distribution function (numpy's "inverted_cdf"): the smallest value with at least that share at or
    below it, rounded up to the end of its bucket.
    """
    total = sum(histogram.values())
    if not total:
        return None
    rank, seen = max(1, math.ceil(share * total - 1e-9)), 0
    for index in sorted(int(key) for key in histogram):
        seen += histogram[str(index)]
        if seen >= rank:
            return upper_ms(index)
    return None
