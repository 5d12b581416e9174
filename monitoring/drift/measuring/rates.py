"""The label monitor where a prediction may have several labels, or none: the share of predictions that have
each.
"""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.runtime.statistics import clustered
from lifecycle.ui.numbers import percent
from monitoring.drift import statistics
from monitoring.drift.measuring.measured import Measured, Reference, small_reference, too_few
from monitoring.drift.rules import ALPHA, MIN_ROWS, Mark, Monitor, ratio_of
from monitoring.drift.senders import Senders
from monitoring.drift.statistics import Bins, Shift
from monitoring.traffic.counts import Counts

WITH, WITHOUT = "with", "without"


@dataclass(frozen=True, slots=True)
class Rate:
    """A label's share of the predictions. before, now: how many have it; design_effect: of the senders on
    that share, None where they are unknown.
    """

    label: str
    before: int
    now: int
    shift: Shift
    design_effect: float | None

    def ratio(self) -> float:
        """How far on the way to its limit."""
        return ratio_of(Monitor.LABEL, self.shift.value, self.shift.critical)


def measure(reference: Reference, counts: Counts, senders: Senders | None) -> Measured:
    """The label whose share shifted furthest, as the PSI of having it or not. All labels share ALPHA
    (Bonferroni), whatever their number.
    """
    n, m = reference.rows, counts.answers
    if m < MIN_ROWS:
        return too_few(Monitor.LABEL, m, MIN_ROWS)
    if n < MIN_ROWS:
        return small_reference(Monitor.LABEL, n, m)
    labels = sorted({*reference.calibration["labels"], *counts.labels})
    found = [rate(label, len(labels), reference, counts, senders) for label in labels]
    worst = max(found, key=Rate.ratio)
    shown = sorted(found, key=lambda each: (-each.ratio(), -each.before, each.label))[: statistics.TOP]
    shift, effect = worst.shift, worst.design_effect
    return Measured(
        Monitor.LABEL,
        Mark.OK,
        f"{worst.label}: {percent(worst.before / n, 1)} to {percent(worst.now / m, 1)} of predictions.",
        shift.value,
        shift.critical,
        min(1.0, len(labels) * shift.p),
        n,
        m,
        Bins(*zip(*((each.label, each.before, each.now) for each in shown), strict=True)),
        shift.js,
        shift.kl_current,
        shift.kl_reference,
        senders.known if senders and effect is not None else None,
        effect,
        rates=True,
    )


def rate(label: str, among: int, reference: Reference, counts: Counts, senders: Senders | None) -> Rate:
    """One label's. among: how many labels share ALPHA."""
    n, m = reference.rows, counts.answers
    before, now = (reference.histograms["label"] or {}).get(label, 0), min(m, counts.labels.get(label, 0))
    design = None
    if senders is not None:
        has = [label in labels for labels in senders.values["label"]]
        design = clustered.design(has, senders.codes, m)
    bins = Bins((WITH, WITHOUT), (before, n - before), (now, m - now))
    shift = statistics.shift(bins, ALPHA / among, design, reference.each)
    if shift is None:
        raise ValueError(f"There are no rows with or without {label!r}.")
    return Rate(label, before, now, shift, design.effect if design else None)
