"""The PSI monitors: how far labels, confidences, lengths, and unknown words shifted."""

from __future__ import annotations

from collections.abc import Sequence

from lifecycle.ui.numbers import percent
from monitoring.drift import statistics
from monitoring.drift.measuring import rates
from monitoring.drift.measuring.bins import FIELD, bins_of, design_of
from monitoring.drift.measuring.measured import Measured, Reference, small_reference, too_few
from monitoring.drift.rules import ALPHA, MIN_ROWS, Mark, Monitor
from monitoring.drift.senders import Senders
from monitoring.traffic.counts import Counts

HOW = {
    Monitor.OOV: (
        "The reference or the window has no count of unknown words. Update the servers to report it."
    ),
    Monitor.LENGTH: "Text lengths of the reference or the window are unknown.",
}


def measure(monitor: str, reference: Reference, counts: Counts, senders: Senders | None = None) -> Measured:
    """One of the PSI monitors. senders: of the predictions; None: unknown, predictions are treated as
    independent.
    """
    if monitor == Monitor.LABEL and reference.several:
        return rates.measure(reference, counts, senders)
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


def sure(found: Sequence[Measured]) -> dict[str, bool]:
    """Of the measured ones, which are significant once all are looked at together (Benjamini and Hochberg at
    ALPHA).
    """
    tested = [(each.monitor, each.p) for each in found if each.p is not None]
    adjusted = statistics.adjusted([p for _, p in tested])
    return {monitor: q <= ALPHA for (monitor, _), q in zip(tested, adjusted, strict=True)}
