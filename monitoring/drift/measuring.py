"""From counts of a window and of the reference to what each monitor shows. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used
from django.db.models import Q

from lifecycle.ui.numbers import decimals, percent
from monitoring.drift import cbpe, statistics
from monitoring.drift.cbpe import Curve, Estimate
from monitoring.drift.rules import ALPHA, JUDGED_LEAST, MIN_ROWS, UNIT, Mark, Monitor, floor_of, limit_of, ratio_of
from monitoring.drift.statistics import Bins
from monitoring.traffic import histogram
from monitoring.traffic.counts import Counts
from monitoring.traffic.rules import CONFIDENCE_BINS, OOV_BINS

HOW = {
    Monitor.OOV: "Reference or window does not say how many words the vocabulary lacks. Servers report it once they are up to date.",
    Monitor.LENGTH: "The lengths of the reference's texts, or of the window's, are not known.",
}
ONE_SIDED = "All answers of the evaluation were right, or all wrong, so it does not tell how far its accuracy varies by chance."


@dataclass(frozen=True, slots=True)
class Reference:
    """What a baseline holds. histograms: by field, None where it is not known. calibration: see reference.calibrate."""

    rows: int
    histograms: Mapping[str, Mapping[str, int] | None]
    calibration: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """One monitor in one window. value, critical: in the monitor's unit; None where it was not measured, and why says so. p: by chance."""

    monitor: str
    mark: str
    why: str = ""
    value: float | None = None
    critical: float | None = None
    p: float | None = None
    n: int = 0
    m: int = 0
    bins: Bins | None = None
    js: float | None = None
    kl_current: float | None = None
    kl_reference: float | None = None

    @property
    def limit(self) -> float | None:
        """What the value must exceed."""
        return None if self.critical is None else limit_of(self.monitor, self.critical)

    @property
    def ratio(self) -> float:
        """The value on the way to its limit, 1 there. Only where it was measured."""
        if self.value is None or self.critical is None:
            raise ValueError(f"{self.monitor} was not measured.")
        return ratio_of(self.monitor, self.value, self.critical)

    @property
    def matters(self) -> bool:
        """Whether the value is above its floor."""
        return self.value is not None and self.value > floor_of(self.monitor)

    def plain(self) -> dict[str, Any]:
        """As JSON holds it; the bins are kept apart, since they are large and only one page draws them."""
        fields = {name: value for name, value in asdict(self).items() if name not in ("monitor", "bins")}
        return fields | {"limit": self.limit, "unit": UNIT.get(Monitor(self.monitor), "PSI")}

    @property
    def rows(self) -> list[list[Any]]:
        """The bins as JSON holds them: [name, count of the reference, count of the window]."""
        return [list(each) for each in zip(self.bins.names, self.bins.reference, self.bins.current, strict=True)] if self.bins else []


def too_few(monitor: str, m: int, least: int) -> Measured:
    """A window in which the monitor has too little to say anything."""
    return Measured(monitor, Mark.INSUFFICIENT, f"{m} answers; at least {least} are needed.", m=m)


def small_reference(monitor: str, n: int, m: int) -> Measured:
    """A reference that has too little to be compared with."""
    return Measured(monitor, Mark.INSUFFICIENT, f"The evaluation has {n} rows; at least {MIN_ROWS} are needed.", n=n, m=m)


# ── Bins of each monitor ────────────────────────────────────────────────────
def bins_of(monitor: str, reference: Reference, counts: Counts) -> Bins | None:
    """The same bins of reference and window; None where the reference does not know, or the window says nothing of it."""
    known, now = reference.histograms.get(FIELD[monitor]), getattr(counts, NOW[monitor])
    if known is None or (monitor != Monitor.LABEL and not now):
        return None
    missing = (0, 0 if monitor == Monitor.OOV else max(0, counts.answers - sum(now.values())))  # a server may not report unknown words yet
    if monitor == Monitor.LABEL:
        return statistics.categorical_bins(known, now, missing=missing)
    old, new = {int(key): count for key, count in known.items()}, {int(key): count for key, count in now.items()}
    edges = statistics.quantile_edges(old)
    return statistics.numeric_bins(old, new, names_of(monitor, edges), edges, missing)


FIELD: Mapping[str, str] = {Monitor.LABEL: "label", Monitor.CONFIDENCE: "confidence", Monitor.LENGTH: "chars", Monitor.OOV: "oov"}
NOW: Mapping[str, str] = {Monitor.LABEL: "labels", Monitor.CONFIDENCE: "confidence", Monitor.LENGTH: "chars", Monitor.OOV: "oov"}


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
    inner = [f"{begins[at]}–{ends[at + 1]}" if begins[at] != ends[at + 1] else ends[at + 1] for at in range(len(ends) - 1)]
    return [f"up to {ends[0]}", *inner, f"from {begins[-1]}"]


def answers_in(monitor: str, known: Mapping[str, Mapping[str, int] | None], name: str) -> Q | None:
    """Which answers lie in a bin, as a condition on Prediction; None for a bin that the reference does not cut."""
    counts_ = known.get(FIELD[monitor])
    if counts_ is None:
        return None
    column = COLUMN[monitor]
    if name == statistics.MISSING:
        return Q(chars=0) if monitor == Monitor.LENGTH else Q(label="") if monitor == Monitor.LABEL else Q(**{f"{column}__isnull": True})
    if monitor == Monitor.LABEL:
        kept = [each for each in statistics.categorical_bins(counts_, {}).names if each not in (statistics.OTHER, statistics.MISSING)]
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


COLUMN: Mapping[str, str] = {Monitor.LABEL: "label", Monitor.CONFIDENCE: "confidence", Monitor.LENGTH: "chars", Monitor.OOV: "oov"}


def ends_of(monitor: str, edges: Sequence[int]) -> list[float]:
    """Where the coarse bins end, but the last: characters, or shares."""
    if monitor == Monitor.LENGTH:
        return [max(0, math.floor(histogram.upper_ms(edge) + 1e-9)) for edge in edges]
    bins = CONFIDENCE_BINS if monitor == Monitor.CONFIDENCE else OOV_BINS
    return [(edge + 1) / bins for edge in edges]


def measure(monitor: str, reference: Reference, counts: Counts) -> Measured:
    """One of the PSI monitors."""
    if reference.histograms.get(FIELD[monitor]) is not None and counts.answers < MIN_ROWS:
        return too_few(monitor, counts.answers, MIN_ROWS)
    bins = bins_of(monitor, reference, counts)
    if bins is None:
        return Measured(monitor, Mark.NOT_MEASURED, HOW.get(Monitor(monitor), "The window says nothing of it."))
    shift = statistics.shift(bins, ALPHA)
    if shift is None or shift.m < MIN_ROWS:
        return too_few(monitor, shift.m if shift else 0, MIN_ROWS)
    if shift.n < MIN_ROWS:
        return small_reference(monitor, shift.n, shift.m)
    return Measured(
        monitor, Mark.OK, unknown_labels(reference, counts) if monitor == Monitor.LABEL else "", shift.value, shift.critical, shift.p,
        shift.n, shift.m, bins.filled, shift.js, shift.kl_current, shift.kl_reference,
    )  # fmt: skip


def unknown_labels(reference: Reference, counts: Counts) -> str:
    """A sentence on labels that the reference never saw; empty where there are none."""
    known = set(reference.calibration["labels"])
    new = {label: count for label, count in counts.labels.items() if label not in known}
    if not new:
        return ""
    names = ", ".join(sorted(new)[:3]) + ("…" if len(new) > 3 else "")
    share = percent(sum(new.values()) / max(1, sum(counts.labels.values())), 1)
    return f"The label set changed: {share} of the answers carry labels that the evaluation does not know ({names})."


# ── Expected accuracy ───────────────────────────────────────────────────────
def expected_accuracy(reference: Reference, counts: Counts) -> Estimate | None:
    """The accuracy to be expected of a window from its 50 bins of confidence; None without any.

    A bin stands for the mean calibrated confidence of the reference rows in it.
    """
    bins = {int(key): count for key, count in counts.confidence.items() if count}
    if not bins:
        return None
    expected = np.array([reference.calibration["expected"][at] for at in bins], dtype=np.float64)
    return cbpe.accuracy(expected, np.array(list(bins.values()), dtype=np.float64), reference.calibration["spread"])


def measure_accuracy(reference: Reference, estimate: Estimate | None, m: int) -> Measured:
    """How far the expected accuracy of m answers fell below what is expected of the reference."""
    n = reference.rows
    if estimate is None or m < MIN_ROWS or n < MIN_ROWS:
        return too_few(Monitor.ACCURACY, m, MIN_ROWS)
    if not reference.calibration["spread"]:
        return Measured(Monitor.ACCURACY, Mark.NOT_MEASURED, ONE_SIDED, n=n, m=m)
    error = reference.calibration["spread"] * math.sqrt(1 / n + 1 / m)
    fall = reference.calibration["mean"] - estimate.value
    return Measured(
        Monitor.ACCURACY, Mark.OK, "", fall, float(scipy.special.ndtri(1 - ALPHA)) * error, float(scipy.special.ndtr(-fall / error)), n, m
    )


def tells_enough(counts: Counts) -> bool:
    """Whether people judged so many of the window's answers, and so large a part, that their word is worth more than an estimate.

    Where only a few are judged they are mostly the wrong ones, since nobody reports what went well.
    """
    judged = counts.right + counts.wrong
    return judged >= MIN_ROWS and judged >= JUDGED_LEAST * counts.answers


def measure_realised(reference: Reference, counts: Counts) -> Measured:
    """How far the share of answers called right fell below the accuracy on the reference."""
    n, m = reference.rows, counts.right + counts.wrong
    if n < MIN_ROWS:
        return small_reference(Monitor.ACCURACY, n, m)
    known, now = reference.calibration["accuracy"], counts.right / m
    pooled = (known * n + counts.right) / (n + m)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    fall = known - now
    p = float(scipy.special.ndtr(-fall / error)) if error else 1.0
    return Measured(
        Monitor.ACCURACY, Mark.OK, f"By {m} answers that people judged.", fall, float(scipy.special.ndtri(1 - ALPHA)) * error, p, n, m
    )


def not_estimable(outside: float) -> str:
    """Why no accuracy is estimated."""
    return f"{percent(outside, 1)} of the texts are unlike anything evaluated, so confidences cannot be read as they were there."


def expected_f1(reference: Reference, rows: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> Estimate | None:
    """Macro-F1 to be expected, from answers (label, best scores). None where there are too few, or labels the calibration does not know."""
    calibration = reference.calibration
    place = {label: at for at, label in enumerate(calibration["labels"])}
    known = [(place[label], scores) for label, scores in rows if label in place and scores]
    if len(known) < MIN_ROWS:
        return None
    probabilities = np.stack([cbpe.spread_out(scores, place) for _, scores in known])
    curves = [Curve(tuple(each["x"]), tuple(each["y"])) for each in calibration["curves"]]
    return cbpe.macro_f1(np.array([at for at, _ in known]), cbpe.renormalised(curves, probabilities), calibration["f1_spread"])


# ── All of a window ─────────────────────────────────────────────────────────
def sure(found: Sequence[Measured]) -> dict[str, bool]:
    """Of the measured ones, which are significant once all are looked at together (Benjamini and Hochberg at ALPHA)."""
    tested = [(each.monitor, each.p) for each in found if each.p is not None]
    adjusted = statistics.adjusted([p for _, p in tested])
    return {monitor: q <= ALPHA for (monitor, _), q in zip(tested, adjusted, strict=True)}
