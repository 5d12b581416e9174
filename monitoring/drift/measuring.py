"""From counts of a window and of the reference to what each monitor shows. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used
from django.db.models import Q

from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.clustered import Design, Sums
from lifecycle.ui.numbers import count, decimals, percent
from monitoring.drift import cbpe, statistics
from monitoring.drift.cbpe import Curve, Estimate, Floats
from monitoring.drift.rules import (
    ALPHA,
    JUDGED_LEAST,
    MIN_ROWS,
    OUTSIDE_MOST,
    UNIT,
    Mark,
    Monitor,
    floor_of,
    limit_of,
    ratio_of,
)
from monitoring.drift.senders import Senders
from monitoring.drift.statistics import Bins
from monitoring.traffic import histogram
from monitoring.traffic.counts import Counts
from monitoring.traffic.rules import CONFIDENCE_BINS, OOV_BINS
from monitoring.traffic.senders import by_group, sender_share

F1_ROWS_A_LABEL = 5
HOW = {
    Monitor.OOV: (
        "The reference or the window has no count of unknown words. Update the servers to report it."
    ),
    Monitor.LENGTH: "Text lengths of the reference or the window are unknown.",
}
ONE_GROUP = (
    "All evaluation rows are near duplicates of each other, so chance variation of its accuracy is unknown."
)
ONE_SIDED = (
    "All evaluation predictions were correct, or all wrong, so chance variation of its accuracy is unknown."
)


@dataclass(frozen=True, slots=True)
class Reference:
    """What a baseline holds. histograms: by field, None where it is not known. calibration: see
    reference.calibrate.
    """

    rows: int
    histograms: Mapping[str, Mapping[str, int] | None]
    calibration: Mapping[str, Any]

    @property
    def groups(self) -> Sums | None:
        """Right rows of all rows, by group of near duplicates; None where each is one of its own."""
        known = self.calibration["groups"]
        return Sums(**known) if known else None

    def effective(self, z: float) -> float:
        """How many independent rows would measure the accuracy as precisely."""
        return clustered.effective(self.groups, z) if self.groups else self.rows

    @property
    def each(self) -> float:
        """How much of a row each counts, 0 to 1: that of independent ones if all of a group are alike, as
        near duplicates are.
        """
        return self.groups.equal / self.groups.below if self.groups else 1.0

    @property
    def one_group(self) -> bool:
        """Whether all rows are near duplicates of each other, so that nothing is known of chance."""
        return self.groups is not None and self.groups.clusters < 2


@dataclass(frozen=True, slots=True)
class Measured:
    """One monitor in one window. value, critical: in the monitor's unit; None where it was not measured, see
    `why`. p: by chance.

    senders: how many, in the sample that the design effect was estimated from. Both None: the window's rows
    are taken as independent.
    """

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
    senders: int | None = None
    design_effect: float | None = None

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
        return (
            [list(each) for each in zip(self.bins.names, self.bins.reference, self.bins.current, strict=True)]
            if self.bins
            else []
        )


def too_few(monitor: str, m: int, least: int) -> Measured:
    """A window in which the monitor has too few rows."""
    return Measured(monitor, Mark.INSUFFICIENT, f"{m} predictions; at least {least} are needed.", m=m)


def small_reference(monitor: str, n: int, m: int) -> Measured:
    """A reference that has too little to be compared with."""
    return Measured(
        monitor, Mark.INSUFFICIENT, f"The evaluation has {n} rows; at least {MIN_ROWS} are needed.", n=n, m=m
    )


# ── Bins of each monitor ────────────────────────────────────────────────────
def bins_of(monitor: str, reference: Reference, counts: Counts) -> Bins | None:
    """The same bins of reference and window; None where the reference or the window lacks them."""
    known, now = reference.histograms.get(FIELD[monitor]), getattr(counts, NOW[monitor])
    if known is None or (monitor != Monitor.LABEL and not now):
        return None
    # a server may not report unknown words yet
    missing = (0, 0 if monitor == Monitor.OOV else max(0, counts.answers - sum(now.values())))
    if monitor == Monitor.LABEL:
        return statistics.categorical_bins(known, now, missing=missing)
    old, new = (
        {int(key): count for key, count in known.items()},
        {int(key): count for key, count in now.items()},
    )
    edges = statistics.quantile_edges(old)
    return statistics.numeric_bins(old, new, names_of(monitor, edges), edges, missing)


FIELD: Mapping[str, str] = {
    Monitor.LABEL: "label",
    Monitor.CONFIDENCE: "confidence",
    Monitor.LENGTH: "chars",
    Monitor.OOV: "oov",
}
NOW: Mapping[str, str] = {
    Monitor.LABEL: "labels",
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
            if monitor == Monitor.LABEL
            else Q(**{f"{column}__isnull": True})
        )
    if monitor == Monitor.LABEL:
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
    if monitor == Monitor.LABEL:
        place = {name: at for at, name in enumerate(statistics.categorical_bins(known, {}).names)}
        bins = [
            place[statistics.MISSING] if now[at] is None else place.get(now[at], place[statistics.OTHER])
            for at in at_values
        ]
    else:
        edges = statistics.quantile_edges({int(key): count for key, count in known.items()})
        bins = [len(edges) + 1 if now[at] is None else bisect_left(edges, now[at]) for at in at_values]
    return clustered.design(bins, senders.codes[at_values], counts.answers)


def measure(monitor: str, reference: Reference, counts: Counts, senders: Senders | None = None) -> Measured:
    """One of the PSI monitors. senders: of the predictions; None: unknown, predictions are treated as
    independent.
    """
    if reference.histograms.get(FIELD[monitor]) is not None and counts.answers < MIN_ROWS:
        return too_few(monitor, counts.answers, MIN_ROWS)
    bins = bins_of(monitor, reference, counts)
    if bins is None:
        return Measured(
            monitor, Mark.NOT_MEASURED, HOW.get(Monitor(monitor), "The window has no data for it.")
        )
    design = design_of(monitor, reference, counts, senders)
    shift = statistics.shift(bins, ALPHA, design, reference.each)
    if shift is None or shift.m < MIN_ROWS:
        return too_few(monitor, shift.m if shift else 0, MIN_ROWS)
    if shift.n < MIN_ROWS:
        return small_reference(monitor, shift.n, shift.m)
    return Measured(
        monitor,
        Mark.OK,
        unknown_labels(reference, counts) if monitor == Monitor.LABEL else "",
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


def unknown_labels(reference: Reference, counts: Counts) -> str:
    """A sentence on labels that the reference never saw; empty where there are none."""
    known = set(reference.calibration["labels"])
    new = {label: count for label, count in counts.labels.items() if label not in known}
    if not new:
        return ""
    names = ", ".join(sorted(new)[:3]) + ("…" if len(new) > 3 else "")
    share = percent(sum(new.values()) / max(1, sum(counts.labels.values())), 1)
    return (
        f"The label set changed: {share} of predictions have labels that aren't in the evaluation ({names})."
    )


# ── Expected accuracy ───────────────────────────────────────────────────────
def expected_accuracy(
    reference: Reference, counts: Counts, senders: Senders | None = None
) -> Estimate | None:
    """The accuracy to be expected of a window from its 50 bins of confidence; None without any.

    A bin represents the mean calibrated confidence of the reference rows in it.
    """
    known = reference.calibration
    if not (weight := confidences(counts)).any() or reference.one_group:
        return None
    effect = effect_on_accuracy(reference, counts, senders) or 1.0
    return cbpe.accuracy(
        np.array(known["expected"]), weight, errors_of(known)[:, :-1], reference.effective(cbpe.BAND), effect
    )


def confidences(counts: Counts) -> Floats:
    """The window's answers in each of the 50 bins."""
    return np.array([counts.confidence.get(str(at), 0) for at in range(CONFIDENCE_BINS)], dtype=np.float64)


def errors_of(calibration: Mapping[str, Any]) -> Floats:
    """How far chance moves the expected value of each bin and the mean, as `cbpe.factor` gave it (R, 51)."""
    return np.array(calibration["errors"], dtype=np.float64).reshape(-1, CONFIDENCE_BINS + 1)


def effect_on_accuracy(reference: Reference, counts: Counts, senders: Senders | None) -> float | None:
    """The design effect of the senders on the mean expected value; None where senders are unknown."""
    if senders is None:
        return None
    bins, expected = senders.values[FIELD[Monitor.CONFIDENCE]], reference.calibration["expected"]
    at_values = [at for at, value in enumerate(bins) if value is not None]
    if not at_values:
        return None
    return clustered.effect_of_mean(
        [expected[bins[at]] for at in at_values], senders.codes[at_values], sum(counts.confidence.values())
    )


def measure_fall(
    reference: Reference, counts: Counts, senders: Senders | None = None, outside: float = 0.0
) -> Measured:
    """How far accuracy fell below the evaluation's: where all predictions have feedback by it, where too few
    have by what is to be expected without it, in between by whichever is further on the way to its limit, at
    half of ALPHA each (Bonferroni): feedback on a part bounds a fall alone, and confidences don't know what
    became wrong with them. outside: the share of texts unlike any evaluated (0 to 1).
    """
    estimates = outside <= OUTSIDE_MOST
    if not has_enough_feedback(counts):
        return measure_accuracy(reference, counts, senders) if estimates else not_estimable(outside)
    if counts.right + counts.wrong < counts.answers and estimates:
        realised, expected = (
            measure_realised(reference, counts, 2),
            measure_accuracy(reference, counts, senders, 2),
        )
        if realised.value is not None and expected.value is not None:
            return max(realised, expected, key=lambda each: each.ratio)
    return measure_realised(reference, counts)


def measure_accuracy(
    reference: Reference, counts: Counts, senders: Senders | None = None, tests: int = 1
) -> Measured:
    """How far the expected accuracy of a window fell below what is expected of the reference. tests: how many
    share ALPHA.

    Chance moves it by the window's own answers, and by how few rows the calibration is from; what the
    calibration does to both sides alike cancels out.
    """
    weight, known = confidences(counts), reference.calibration
    n, m = reference.rows, int(weight.sum())
    if m < MIN_ROWS or n < MIN_ROWS:
        return too_few(Monitor.ACCURACY, m, MIN_ROWS)
    if not known["spread"]:
        return Measured(Monitor.ACCURACY, Mark.NOT_MEASURED, ONE_SIDED, n=n, m=m)
    if reference.one_group:
        return Measured(Monitor.ACCURACY, Mark.NOT_MEASURED, ONE_GROUP, n=n, m=m)
    effect, z = effect_on_accuracy(reference, counts, senders), float(scipy.special.ndtri(1 - ALPHA / tests))
    own = cbpe.of_share(known["mean"], reference.effective(z)) * math.sqrt((effect or 1.0) / m)
    error = math.hypot(own, cbpe.error(errors_of(known), np.append(weight / m, -1.0)))
    fall = known["mean"] - float(weight @ np.array(known["expected"])) / m
    return Measured(
        Monitor.ACCURACY,
        Mark.OK,
        "",
        fall,
        z * error,
        min(1.0, tests * float(scipy.special.ndtr(-fall / error))),
        n,
        m,
        senders=senders.known if senders and effect else None,
        design_effect=effect,
    )


def has_enough_feedback(counts: Counts) -> bool:
    """Whether enough of the window's predictions have feedback, in number and share, that it's worth more
    than an estimate.

    Where only a few have feedback they are mostly wrong ones, since people rarely report correct predictions.
    """
    judged = counts.right + counts.wrong
    return judged >= MIN_ROWS and judged >= JUDGED_LEAST * counts.answers


def realised(counts: Counts) -> dict[str, Any] | None:
    """The share of correct predictions by feedback, with its interval, by sender; None without feedback."""
    found = sender_share(counts.by_sender, counts.right, counts.wrong)
    return asdict(found) if found else None


def measure_realised(reference: Reference, counts: Counts, tests: int = 1) -> Measured:
    """How far accuracy fell at least below that on the reference: an answer without feedback counts as
    correct, so that anyone who reports wrong ones more often than correct ones makes no fall (C. F. Manski,
    "Anatomy of the selection problem", Journal of Human Resources 24(3), 1989); where all have feedback
    nothing is given away. tests: how many share ALPHA.

    Answers of a sender resemble each other, as near duplicates of the reference do, so that both count as the
    effective number of rows; the senders of those without feedback are taken to be the same.
    """
    n, judged = reference.rows, counts.right + counts.wrong
    m = max(counts.answers, judged)  # a minute's answers may be lost with a server, and their feedback not
    if n < MIN_ROWS:
        return small_reference(Monitor.ACCURACY, n, m)
    z = float(scipy.special.ndtri(1 - ALPHA / tests))
    effect = 1 + (judged / clustered.effective(counts.correct, z) - 1) * clustered.more_alike(judged, m)
    known, now, tested, rows = (
        reference.calibration["accuracy"],
        1 - counts.wrong / m,
        reference.effective(z),
        m / effect,
    )
    pooled = (known * tested + now * rows) / (tested + rows)
    error = math.sqrt(pooled * (1 - pooled) * (1 / tested + 1 / rows))
    fall, senders = known - now, len(by_group(counts.by_sender)) or None
    p = min(1.0, tests * float(scipy.special.ndtr(-fall / error))) if error else 1.0
    part = f"By feedback on {count(judged)} of {count(m)} predictions; the others count as correct."
    return Measured(
        Monitor.ACCURACY,
        Mark.OK,
        part if judged < m else f"By feedback on all {count(m)} predictions.",
        fall,
        z * error,
        p,
        n,
        m,
        senders=senders,
        design_effect=effect if senders else None,
    )


def not_estimable(outside: float) -> Measured:
    """No accuracy is estimated of a window of which such a share of the texts (0 to 1) is unlike any
    evaluated.
    """
    why = (
        f"{percent(outside, 1)} of texts are unlike anything evaluated, so the calibration doesn't apply to"
        " them."
    )
    return Measured(Monitor.ACCURACY, Mark.NOT_MEASURED, why)


def expected_f1(
    reference: Reference, rows: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]
) -> Estimate | None:
    """Macro-F1 to be expected, from answers (label, best scores). None where there are too few, or labels the
    calibration does not know.

    Put right by how far the same curves were off on the reference: calibrating label by label does not make
    macro-F1 come out there.
    """
    known = reference.calibration
    place = {label: at for at, label in enumerate(known["labels"])}
    scored = [(place[label], scores) for label, scores in rows if label in place and scores]
    if len(scored) < max(MIN_ROWS, F1_ROWS_A_LABEL * len(place)):
        return None
    probabilities = np.stack([cbpe.spread_out(scores, place) for _, scores in scored])
    curves = [Curve(tuple(each["x"]), tuple(each["y"])) for each in known["curves"]]
    expected = cbpe.macro_f1(np.array([at for at, _ in scored]), cbpe.renormalised(curves, probabilities))
    value = min(1.0, max(0.0, expected + known["macro_f1"] - known["f1_expected"]))
    return cbpe.banded(value, math.hypot(known["f1_spread"] / math.sqrt(len(scored)), known["f1_error"]))


# ── All of a window ─────────────────────────────────────────────────────────
def sure(found: Sequence[Measured]) -> dict[str, bool]:
    """Of the measured ones, which are significant once all are looked at together (Benjamini and Hochberg at
    ALPHA).
    """
    tested = [(each.monitor, each.p) for each in found if each.p is not None]
    adjusted = statistics.adjusted([p for _, p in tested])
    return {monitor: q <= ALPHA for (monitor, _), q in zip(tested, adjusted, strict=True)}
