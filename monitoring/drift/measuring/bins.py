"""The bins in which a monitor counts, their names, and which predictions are in one."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence

from django.db.models import Q

from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.clustered import Design
from lifecycle.ui.numbers import decimals, percent
from monitoring.drift import statistics
from monitoring.drift.measuring.measured import Reference
from monitoring.drift.rules import Monitor
from monitoring.drift.senders import Senders
from monitoring.drift.statistics import Bins
from monitoring.traffic import histogram
from monitoring.traffic.counts import Counts
from monitoring.traffic.rules import CONFIDENCE_BINS, OOV_BINS

CATEGORIES = (Monitor.LABEL, Monitor.POSITION)


def bins_of(monitor: str, reference: Reference, counts: Counts) -> Bins | None:
    """The same bins of reference and window; None where the reference or the window lacks them."""
    known, now = reference.histograms.get(FIELD[monitor]), getattr(counts, NOW[monitor])
    if known is None or (monitor not in CATEGORIES and not now):
        return None
    # an item's text may be gone since it was evaluated; a text without spans has no confidence
    without = reference.rows - sum(known.values()) if monitor == Monitor.CONFIDENCE else 0
    # a server may not report unknown words yet
    missing = (without, 0 if monitor == Monitor.OOV else max(0, counts.answers - sum(now.values())))
    if monitor in CATEGORIES:
        return statistics.categorical_bins(known, now, missing=missing)
    old, new = (
        {int(key): count for key, count in known.items()},
        {int(key): count for key, count in now.items()},
    )
    edges = statistics.quantile_edges(old)
    return statistics.numeric_bins(old, new, names_of(monitor, edges), edges, missing)


FIELD: Mapping[str, str] = {
    Monitor.LABEL: "label",
    Monitor.POSITION: "position",
    Monitor.CONFIDENCE: "confidence",
    Monitor.LENGTH: "chars",
    Monitor.OOV: "oov",
}
NOW: Mapping[str, str] = {
    Monitor.LABEL: "labels",
    Monitor.POSITION: "labels",
    Monitor.CONFIDENCE: "confidence",
    Monitor.LENGTH: "chars",
    Monitor.OOV: "oov",
}


def names_of(monitor: str, edges: Sequence[int]) -> list[str]:
    """The coarse bins as people read them."""
    ends = ends_of(monitor, edges)
    if monitor == Monitor.LENGTH:
        return ranged([decimals(end, 0) for end in ends], [decimals(end + 1, 0) for end in ends])
    texts = [decimals(end, 2) if monitor == Monitor.CONFIDENCE else percent(end) for end in ends]
    return ranged(texts, texts)


def ranged(ends: Sequence[str], begins: Sequence[str]) -> list[str]:
    """up to 12, 13–25, from 26."""
    if not ends:
        return ["all"]
    inner = [
        f"{begins[at]}–{ends[at + 1]}" if begins[at] != ends[at + 1] else ends[at + 1]
        for at in range(len(ends) - 1)
    ]
    return [f"up to {ends[0]}", *inner, f"from {begins[-1]}"]


def answers_in(monitor: str, known: Mapping[str, Mapping[str, int] | None], name: str) -> Q | None:
    """Which answers are in a bin, as a condition on Prediction; None for a bin that the reference does not
    cut.
    """
    counts_ = known.get(FIELD[monitor])
    if counts_ is None:
        return None
    column = COLUMN[monitor]
    if name == statistics.MISSING:
        return (
            Q(chars=0)
            if monitor == Monitor.LENGTH
            else Q(label="")
            if monitor in CATEGORIES
            else Q(**{f"{column}__isnull": True})
        )
    if monitor in CATEGORIES:
        kept = [
            each
            for each in statistics.categorical_bins(counts_, {}).names
            if each not in (statistics.OTHER, statistics.MISSING)
        ]
        return ~Q(label__in=kept) if name == statistics.OTHER else Q(label=name)
    edges = statistics.quantile_edges({int(key): count for key, count in counts_.items()})
    names = names_of(monitor, edges)
    if name not in names:
        return None
    at, ends = names.index(name), ends_of(monitor, edges)
    if monitor == Monitor.LENGTH:  # a whole number of characters; the end belongs to the bin
        low = Q(chars__gt=ends[at - 1]) if at else Q(chars__gt=0)
        return low & (Q(chars__lte=ends[at]) if at < len(ends) else Q())
    low = Q(**{f"{column}__gte": ends[at - 1]}) if at else Q(**{f"{column}__isnull": False})
    return low & (Q(**{f"{column}__lt": ends[at]}) if at < len(ends) else Q())


COLUMN: Mapping[str, str] = {
    Monitor.LABEL: "label",
    Monitor.POSITION: "label",
    Monitor.CONFIDENCE: "confidence",
    Monitor.LENGTH: "chars",
    Monitor.OOV: "oov",
}


def ends_of(monitor: str, edges: Sequence[int]) -> list[float]:
    """Where the coarse bins end, but the last: characters, or shares."""
    if monitor == Monitor.LENGTH:
        return [max(0, math.floor(histogram.upper_ms(edge) + 1e-9)) for edge in edges]
    bins = CONFIDENCE_BINS if monitor == Monitor.CONFIDENCE else OOV_BINS
    return [(edge + 1) / bins for edge in edges]


def design_of(monitor: str, reference: Reference, counts: Counts, senders: Senders | None) -> Design | None:
    """The effect of the window's senders on the shares of a monitor's bins; None where senders are
    unknown.
    """
    if senders is None:
        return None
    known, now = reference.histograms[FIELD[monitor]] or {}, senders.values[FIELD[monitor]]
    # which has no bin for what is missing
    at_values = [at for at, value in enumerate(now) if value is not None or monitor != Monitor.OOV]
    if monitor in CATEGORIES:
        place = {name: at for at, name in enumerate(statistics.categorical_bins(known, {}).names)}
        bins = [
            place.get(now[at][0], place[statistics.OTHER]) if now[at] else place[statistics.MISSING]
            for at in at_values
        ]
    else:
        edges = statistics.quantile_edges({int(key): count for key, count in known.items()})
        bins = [len(edges) + 1 if now[at] is None else bisect_left(edges, now[at]) for at in at_values]
    return clustered.design(bins, senders.codes[at_values], counts.answers)
