"""The figures of single predictions that rollups don't count, such as spans per 100 characters, from the
window's sample.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.watched import Figure
from lifecycle.ui.numbers import count, decimals
from monitoring.drift import statistics
from monitoring.drift.measuring.bins import ranged
from monitoring.drift.measuring.measured import Measured, Reference, small_reference, too_few
from monitoring.drift.rules import ALPHA, MIN_ROWS, Mark, Monitor
from monitoring.drift.senders import Senders
from monitoring.traffic import histogram
from monitoring.traffic.queries import Sampled

WHOLE = (Monitor.CANDIDATES,)
DIGITS = {Monitor.DENSITY: 2, Monitor.SPAN_LENGTH: 1}
NONE, SOME = "none", "some"


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of sampled predictions. values: of each figure the fine bin of each row, None without one;
    senders: of the same rows, None where they are unknown.
    """

    values: Mapping[str, Sequence[int | None]]
    senders: Senders | None


UNREAD = Figures({}, None)


def of_sample(figures: Sequence[Figure], rows: Sequence[Sampled], senders: Senders | None) -> Figures:
    """The figures of a window's sample."""
    return Figures(
        {each.name: [fine_of(each, row.value, row.chars) for row in rows] for each in figures}, senders
    )


def fine_of(figure: Figure, value: Value | None, chars: int) -> int | None:
    """The fine bin of a prediction: a count itself; of a quantity 0 for none, else from 1 on traffic's log
    scale.
    """
    found = None if value is None else figure.of(value, chars)
    if found is None:
        return None
    return int(found) if figure.whole else 1 + histogram.bucket(found) if found else 0


def edges_of(monitor: str, known: Mapping[str, int]) -> list[int]:
    """The last fine bin of each coarse one but the last, from the reference alone. A quantity of 0 is a bin
    of its own.
    """
    if monitor in WHOLE:
        return statistics.quantile_edges({int(key): number for key, number in known.items()})
    some = {int(key): number for key, number in known.items() if int(key)}
    return [0, *(edge for edge in statistics.quantile_edges(some) if edge)]


def names_of(monitor: str, edges: Sequence[int]) -> list[str]:
    """The coarse bins as people read them."""
    if monitor in WHOLE:
        return ranged([count(edge) for edge in edges], [count(edge + 1) for edge in edges])
    ends = [decimals(histogram.upper_ms(edge - 1), DIGITS[Monitor(monitor)]) for edge in edges[1:]]
    return [NONE, *(ranged(ends, ends) if ends else [SOME])]


def name_of(monitor: str, known: Mapping[str, int], fine: int | None) -> str:
    """The coarse bin of a fine one."""
    edges = edges_of(monitor, known)
    return "" if fine is None else names_of(monitor, edges)[bisect_left(edges, fine)]


def measure(monitor: str, reference: Reference, answers: int, figures: Figures) -> Measured:
    """How far a figure shifted, as PSI. Predictions without it are left out on both sides. answers: in the
    window.
    """
    known, values, senders = reference.histograms[monitor] or {}, figures.values[monitor], figures.senders
    if answers < MIN_ROWS:
        return too_few(monitor, answers, MIN_ROWS)
    places = [at for at, value in enumerate(values) if value is not None]
    if len(places) < MIN_ROWS:
        why = f"{len(places)} stored predictions have it; at least {MIN_ROWS} are needed."
        return Measured(monitor, Mark.INSUFFICIENT, why, m=len(places))
    n = sum(known.values())
    if n < MIN_ROWS:
        return small_reference(monitor, n, len(places))
    now = Counter(value for value in values if value is not None)
    edges = edges_of(monitor, known)
    bins = statistics.numeric_bins(
        {int(key): number for key, number in known.items()}, now, names_of(monitor, edges), edges
    )
    design = None
    if senders is not None:
        cut = [bisect_left(edges, value) for value in values if value is not None]
        design = clustered.design(cut, senders.codes[places], len(places))
    shift = statistics.shift(bins, ALPHA, design, reference.each)
    if shift is None:
        raise ValueError(f"{monitor} has no rows to compare.")
    return Measured(
        monitor,
        Mark.OK,
        f"A sample of {count(len(values))} predictions." if len(values) < answers else "",
        shift.value,
        shift.critical,
        shift.p,
        shift.n,
        shift.m,
        bins.filled,
        shift.js,
        shift.kl_current,
        shift.kl_reference,
        senders.known if senders and design else None,
        design.effect if design else None,
    )
