"""Objectives: their kinds, what may be asked for, and what is proposed from measured traffic. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import TextChoices

from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.words import things
from monitoring.alerts.rules.burn import Count, never_fires
from monitoring.traffic import histogram
from monitoring.traffic.counts import Counts

WINDOW_DAYS = (28, 30)
TARGET_MIN, TARGET_MAX = 0.5, 0.9999
THRESHOLD_MAX_MS = 60_000.0
LADDER = (0.9999, 0.9995, 0.999, 0.998, 0.995, 0.99, 0.98, 0.95, 0.9)  # what a target is rounded down to
LATENCY_STEPS_MS = (5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000)
ENOUGH = 1000  # events from which a proposal rests on what was measured
# predictions with feedback from which a proposed target rests on them; a page shows their share from fewer
JUDGED_ENOUGH = 100


class Kind(TextChoices):
    """availability: answered without 5xx, and not lost while no server answered; refused (4xx) and shed (429)
    requests do not count. latency: answered within a threshold.
    quality: answers that people called right, of those they judged.
    """

    AVAILABILITY = "availability", "Availability"
    LATENCY = "latency", "Latency"
    QUALITY = "quality", "Quality"


GOOD = {
    Kind.AVAILABILITY: "requests without an error",
    Kind.LATENCY: "responses within the threshold",
    Kind.QUALITY: "correct predictions among those with feedback",
}
BAD = {
    Kind.AVAILABILITY: "failed requests",
    Kind.LATENCY: "slow responses",
    Kind.QUALITY: "wrong predictions",
}


def count_of(kind: str, threshold_ms: float | None, counts: Counts) -> Count:
    """What counts for an objective. What was lost while no server answered is a failed request that none
    wrote down.

    Refused (4xx) and shed (429) requests never count; latency is of answered requests.
    """
    if kind == Kind.AVAILABILITY:
        return Count(
            counts.errors + counts.lost, counts.requests - counts.refused - counts.shed + counts.lost
        )
    if kind == Kind.QUALITY:
        return Count(counts.wrong, counts.right + counts.wrong)
    return Count(histogram.above(counts.latency, threshold_ms or 0.0), sum(counts.latency.values()))


def check_objective(kind: str, target: float, threshold_ms: float | None, window_days: int) -> None:
    """Raises Refused naming the fields that do not fit together."""
    fields: dict[str, list[str]] = {}
    if not TARGET_MIN <= target <= TARGET_MAX:
        fields["target"] = ["Enter a target from 50 % to 99.99 %. 100 % leaves no error budget."]
    if window_days not in WINDOW_DAYS:
        fields["window_days"] = ["Choose a window of 28 or 30 days."]
    if kind == Kind.LATENCY and not (threshold_ms and 0 < threshold_ms <= THRESHOLD_MAX_MS):
        fields["threshold_ms"] = ["Enter a threshold of up to 60,000 ms."]
    if kind != Kind.LATENCY and threshold_ms is not None:
        fields["threshold_ms"] = ["Only latency has a threshold in ms."]
    if fields:
        raise Refused("The objective wasn't saved.", fields=fields)


def warnings(target: float, window_days: int) -> list[str]:
    """What is worth knowing of an objective when it is set: rows that can never fire."""
    window = timedelta(days=window_days)
    found = []
    for row in never_fires(target, window):
        least = math.ceil(1000 * (1 - 1 / row.burn(window))) / 1000
        found.append(
            f"The {row.severity.label.lower()} rule {row.name} can never fire: even if all events are bad, a"
            f" target of {share(target)} burns at {1 / (1 - target):.1f}, and the rule needs"
            f" {row.burn(window):.1f}. It can fire with a target of {share(least)} or more."
        )
    return found


def share(value: float) -> str:
    """A target as people write it: 99.5 %."""
    return f"{value * 100:.4f}".rstrip("0").rstrip(".") + "\u00a0%"


@dataclass(frozen=True, slots=True)
class Proposal:
    """An objective that the measured traffic would have met, and why."""

    kind: Kind
    target: float
    threshold_ms: float | None
    why: str


def rounded_down(measured: float) -> float:
    """The highest usual target below what was measured, so that the objective starts with budget left."""
    return next((step for step in LADDER if step < measured), LADDER[-1])


def propose_availability(count: Count) -> Proposal:
    """From the requests of the last days."""
    if count.total < ENOUGH:
        return Proposal(
            Kind.AVAILABILITY,
            0.995,
            None,
            f"A common first target; only {count.total:,} requests measured so far.",
        )
    good = 1 - count.bad / count.total
    target = min(rounded_down(good), 0.999)
    why = (
        f"{share(math.floor(good * 1e5) / 1e5)} of {count.total:,} requests succeeded; this leaves room for a"
        " bad hour."
    )
    return Proposal(Kind.AVAILABILITY, target, None, why)


def propose_latency(p95_ms: float | None, total: int) -> Proposal:
    """A threshold of twice the measured p95, rounded up, at 99 %."""
    if p95_ms is None or total < ENOUGH:
        why = f"A common first target; only {things(total, 'response')} measured so far."
        return Proposal(Kind.LATENCY, 0.99, 500.0, why)
    step = next((float(each) for each in LATENCY_STEPS_MS if each >= 2 * p95_ms), float(LATENCY_STEPS_MS[-1]))
    return Proposal(
        Kind.LATENCY,
        0.99,
        step,
        f"Measured p95 is {p95_ms:.1f} ms over {total:,} responses; twice that, rounded up.",
    )


def propose_quality(count: Count, evaluated: float | None) -> Proposal:
    """From feedback where there is enough, else from the live version's evaluation, five points below."""
    if count.total >= JUDGED_ENOUGH:
        good = 1 - count.bad / count.total
        target = max(TARGET_MIN, math.floor((good - 0.02) * 100 + 1e-9) / 100)
        return Proposal(
            Kind.QUALITY,
            target,
            None,
            f"{share(round(good, 3))} of {count.total:,} predictions with feedback were correct; two points"
            " below.",
        )
    if evaluated is not None:
        target = max(TARGET_MIN, math.floor((evaluated - 0.05) * 100 + 1e-9) / 100)
        return Proposal(
            Kind.QUALITY,
            target,
            None,
            f"The live version has accuracy {evaluated:.3f} on its test split; five points below.",
        )
    return Proposal(
        Kind.QUALITY,
        0.85,
        None,
        f"A common first target; only {count.total:,} predictions have feedback so far.",
    )
