"""How far two samples lie apart, from their histograms alone. Pure; natural logarithms unless a base is
named.

PSI as credit scoring has it, with a threshold that knows the sample sizes: without any drift PSI is about
(1/n + 1/m) times a chi-square with B - 1 degrees of freedom (Yurdakul 2018), so a small window does not cry
wolf and a large one does not sleep. Where the same senders ask again and again, 1/m is multiplied by their
design effect (`lifecycle.runtime.statistics.clustered.by_chance`); where the reference's rows are near
duplicates, n is their effective number if those of a group are all alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics.clustered import Design, by_chance

Floats = NDArray[np.float64]

SMOOTHING = 0.5
QUANTILES = 10
TOP = 20  # labels with a bin of their own: one that hides among all others must grow far before it is seen
MISSING, OTHER = " missing", " other"  # no label and no range begins with a blank


@dataclass(frozen=True, slots=True)
class Bins:
    """The same bins filled by two samples: reference and current hold the count of each bin, in the order of
    names.
    """

    names: tuple[str, ...]
    reference: tuple[int, ...]
    current: tuple[int, ...]

    @property
    def filled(self) -> Bins:
        """Without the bins in which neither sample has anything: they carry no degree of freedom."""
        kept = [at for at in range(len(self.names)) if self.reference[at] or self.current[at]]
        return Bins(
            tuple(self.names[at] for at in kept),
            tuple(self.reference[at] for at in kept),
            tuple(self.current[at] for at in kept),
        )


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a current sample of m rows lies from a reference of n rows.

    value: PSI, 0 for equal shares. critical: what PSI exceeds with probability alpha where nothing has
    changed. p: the probability of a PSI at least this large then. kl_current, kl_reference: KL(current ||
    reference) and the other direction, nats; their sum is PSI. js: Jensen-Shannon distance in base 2, 0 to 1.
    """

    value: float
    critical: float
    p: float
    n: int
    m: int
    kl_current: float
    kl_reference: float
    js: float


# ── Bins ────────────────────────────────────────────────────────────────────
def quantile_edges(reference: Mapping[int, int], bins: int = QUANTILES) -> list[int]:
    """The last fine bin of each coarse one but the last, so that the reference is cut into at most `bins`
    parts of like size.

    reference: fine bin → count. Equal quantiles are one edge; the outer bins are open. Where all quantiles
    are the largest value, that value is a bin, with all that is smaller and all that is larger beside it.
    Empty where the reference is.
    """
    total = sum(reference.values())
    if not total:
        return []
    fine = sorted(index for index, count in reference.items() if count)
    edges, seen, wanted = [], 0, 1
    for index in fine[:-1]:
        seen += reference[index]
        reached = seen * bins >= wanted * total
        while wanted < bins and seen * bins >= wanted * total:
            wanted += 1
        if reached:
            edges.append(index)
    return edges or [fine[-1] - 1, fine[-1]]


def numeric_bins(
    reference: Mapping[int, int],
    current: Mapping[int, int],
    names: Sequence[str],
    edges: Sequence[int],
    missing: tuple[int, int] = (0, 0),
) -> Bins:
    """Two fine histograms in the coarse bins that the edges cut, and a bin of its own for what is missing
    (reference's, current's).

    names: of the len(edges) + 1 coarse bins.
    """
    counts = [[0] * (len(edges) + 1) for _ in range(2)]
    for side, fine in zip(counts, (reference, current), strict=True):
        for index, count in fine.items():
            side[int(np.searchsorted(edges, index, side="left"))] += count
    return Bins((*names, MISSING), (*counts[0], missing[0]), (*counts[1], missing[1]))


def categorical_bins(
    reference: Mapping[str, int],
    current: Mapping[str, int],
    top: int = TOP,
    missing: tuple[int, int] = (0, 0),
) -> Bins:
    """The reference's `top` most frequent categories (by name among equals), one bin for all others, one for
    what is missing.
    """
    kept = [name for name, count in sorted(reference.items(), key=lambda pair: (-pair[1], pair[0])) if count][
        :top
    ]
    sides = [
        (
            *(side.get(name, 0) for name in kept),
            sum(side.values()) - sum(side.get(name, 0) for name in kept),
            lost,
        )
        for side, lost in ((reference, missing[0]), (current, missing[1]))
    ]
    return Bins((*kept, OTHER, MISSING), sides[0], sides[1])


# ── Distances ───────────────────────────────────────────────────────────────
def smoothed(counts: Sequence[int], each: float = 1.0) -> Floats:
    """Shares of B bins, none of them zero: (count + 0.5) / (n + 0.5 B). each: how much of an independent row
    one counts.
    """
    filled = each * np.asarray(counts, dtype=np.float64) + SMOOTHING
    shares: Floats = filled / filled.sum()
    return shares


def kl(p: Floats, q: Floats) -> float:
    """KL(p || q) in nats: what coding p with q's code costs beyond p's own. Shares without zeros in q where p
    has any.
    """
    held = p > 0
    return float((p[held] * np.log(p[held] / q[held])).sum())


def js_distance(p: Floats, q: Floats) -> float:
    """The Jensen-Shannon distance, root of the divergence in base 2: 0 for equal shares, 1 for shares that
    have nothing in common.
    """
    middle = (p + q) / 2
    return math.sqrt(max(0.0, (kl(p, middle) + kl(q, middle)) / 2 / math.log(2)))


def shift(bins: Bins, alpha: float, design: Design | None = None, each: float = 1.0) -> Shift | None:
    """PSI of two filled samples with its threshold at this alpha; None where one of them is empty.

    design: what the current sample's senders do to its shares; None: its rows are taken as independent. each:
    how much of an independent row one of the reference counts, 0 to 1. Bins that are empty on both sides are
    left out. With one bin left there is nothing to differ in: PSI 0, p 1.
    """
    filled = bins.filled
    n, m = sum(filled.reference), sum(filled.current)
    if not n or not m:
        return None
    degrees = len(filled.names) - 1
    if not degrees:
        return Shift(0.0, 0.0, 1.0, n, m, 0.0, 0.0, 0.0)
    reference, current = smoothed(filled.reference, each), smoothed(filled.current)
    to_reference, to_current = kl(current, reference), kl(reference, current)
    value, chance = to_reference + to_current, by_chance(degrees, n * each, m, design)
    return Shift(
        value=value,
        critical=chance.critical(alpha),
        p=chance.p(value),
        n=n,
        m=m,
        kl_current=to_reference,
        kl_reference=to_current,
        js=js_distance(reference, current),
    )


# ── Several at once ─────────────────────────────────────────────────────────
def adjusted(p_values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's q of each p: rejecting all q up to alpha keeps the expected share of false
    ones among them at alpha.
    """
    count = len(p_values)
    order = sorted(range(count), key=lambda at: p_values[at])
    found, smallest = [1.0] * count, 1.0
    for rank in range(count, 0, -1):
        at = order[rank - 1]
        smallest = min(smallest, p_values[at] * count / rank)
        found[at] = smallest
    return found


# ── A series ────────────────────────────────────────────────────────────────
def ewma(values: Iterable[float], weight: float, start: float | None = None) -> list[float]:
    """Exponentially weighted means: weight * value + (1 - weight) * the mean before; the first value where no
    start is given.
    """
    means: list[float] = []
    mean = start
    for value in values:
        mean = value if mean is None else weight * value + (1 - weight) * mean
        means.append(mean)
    return means


def control_limit(quiet: Sequence[float], weight: float, width: float = 3.0) -> float:
    """The upper limit of an EWMA chart: median + width * s * sqrt(weight / (2 - weight)), s = 1.4826 MAD of
    the quiet values.
    """
    centre = float(np.median(quiet))
    spread = 1.4826 * float(np.median(np.abs(np.asarray(quiet, dtype=np.float64) - centre)))
    return centre + width * spread * math.sqrt(weight / (2 - weight))
