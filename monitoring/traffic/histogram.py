"""Histograms that can be added up: sparse, bucket → count, so that any minutes, hours or versions merge
without loss. Pure.

Latencies (ms) and lengths (characters, tokens) are in buckets on one log scale; shares in equal bins
(rules.share_bin); labels by name. Keys are text, as JSON has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

GROWTH = 1.1  # each bucket ends 10 % above the one before
FLOOR_MS = 0.1
LOG_GROWTH = math.log(GROWTH)

Histogram = dict[str, int]


def bucket(value: float) -> int:
    """The index of the bucket that holds a value (ms, or a length): 0 up to 0.1, then (0.1·1.1^(i-1),
    0.1·1.1^i].
    """
    if value <= FLOOR_MS:
        return 0
    return math.ceil(math.log(value / FLOOR_MS) / LOG_GROWTH - 1e-9)


def upper_ms(index: int) -> float:
    """The largest value that a bucket holds, in ms."""
    return float(FLOOR_MS * GROWTH**index)


def add(histogram: Histogram, values_ms: Iterable[float]) -> Histogram:
    """The histogram with more values in it; keys are text, as JSON has them."""
    counts = dict(histogram)
    for value in values_ms:
        count(counts, bucket(value))
    return counts


def count(histogram: Histogram, key: int | str, times: int = 1) -> None:
    """Count one more in a bucket, in place."""
    name = str(key)
    histogram[name] = histogram.get(name, 0) + times


def add_to(histogram: Histogram, other: Mapping[str, int]) -> None:
    """Add another histogram, in place."""
    get = histogram.get
    for key, number in other.items():
        histogram[key] = get(key, 0) + number


def merge(histograms: Iterable[Mapping[str, int]]) -> Histogram:
    """All of them as one."""
    counts: Histogram = {}
    for histogram in histograms:
        add_to(counts, histogram)
    return counts


def quantile(histogram: Mapping[str, int], share: float) -> float | None:
    """The value in ms below which a share (0 to 1) of the values lies, at most 10 % too high and never too
    low; None when empty.

    By the definition of the inverted distribution function (numpy's "inverted_cdf"): the smallest value with
    at least that share at or below it, rounded up to the end of its bucket.
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


def above(histogram: Mapping[str, int], bound_ms: float) -> int:
    """How many took longer than a bound; a bucket that holds the bound counts as quick."""
    end = bucket(bound_ms)
    return sum(number for key, number in histogram.items() if int(key) > end)


def mean_share(histogram: Mapping[str, int], bins: int) -> float | None:
    """The mean of shares in equal bins of 0 to 1, each taken as the middle of its bin; None when empty."""
    total = sum(histogram.values())
    if not total:
        return None
    return sum((int(key) + 0.5) * number for key, number in histogram.items()) / (bins * total)


def share_quantile(histogram: Mapping[str, int], bins: int, share: float) -> float | None:
    """The value below which a share of the shares lies, rounded up to the end of its bin; None when empty."""
    total = sum(histogram.values())
    if not total:
        return None
    rank, seen = max(1, math.ceil(share * total - 1e-9)), 0
    for index in sorted(int(key) for key in histogram):
        seen += histogram[str(index)]
        if seen >= rank:
            return (index + 1) / bins
    return None
