"""What the evidence says: go on, widen, take back, or stop and ask. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import TextChoices

from lifecycle.ui.numbers import count, decimals, duration, signed
from monitoring.rollouts.rules.evidence import log_limit
from monitoring.rollouts.rules.interval import Interval, difference
from monitoring.rollouts.rules.units import Counts
from registry.promotions.plans import METRICS, MIN_PER_ARM, Plan

NAMES = {"errors": "failed requests", "slow": "slow answers", "wrong": "answers called wrong"}
NEAR = 0.5  # of the way to the limit, on the scale of the logarithm, a condition is close


class Kind(TextChoices):
    """What one look decides. hold: the evidence is insufficient and the time is over; a person has to decide, nothing widens by itself."""

    CONTINUE = "continue", "Go on"
    PROMOTE = "promote", "Widen"
    HOLD = "hold", "Hold"
    ROLLBACK = "rollback", "Roll back"


DECISION_MARKS = {Kind.CONTINUE: "half", Kind.PROMOTE: "ok", Kind.HOLD: "warn", Kind.ROLLBACK: "bad"}


@dataclass(frozen=True)
class Evidence:
    """What is known at a look.

    counts: of the present step, one unit for each key and minute. log_e: by metric, over all steps. minutes: at this step. waited: of the
    longest time of a step, in minutes; begins anew when somebody resumes. behind: whether there are minutes that were not counted yet:
    then nothing widens and no time runs out. blocked: why nothing may widen now, as a sentence; empty when nothing is.
    """

    counts: Counts
    log_e: Mapping[str, float]
    minutes: float
    waited: float
    behind: bool = False
    blocked: str = ""

    def interval(self, plan: Plan) -> Interval | None:
        """The difference of the error shares with its always-valid bounds; None while there is too little."""
        return difference(self.counts.of("errors"), self.counts.of("units"), alpha=plan.alpha, tau=plan.tau)


@dataclass(frozen=True)
class Decision:
    """The outcome of a look, and why as a sentence."""

    kind: Kind
    why: str


@dataclass(frozen=True)
class Condition:
    """One line of the rule. mark: a mark of ui.marks (ok, half, warn, bad); word: holds, open, close, fails. stops: it takes back."""

    title: str
    now: str
    mark: str
    word: str
    stops: bool = False

    @property
    def holds(self) -> bool:
        """Whether it stands in the way of nothing."""
        return self.mark in ("ok", "warn")


def decide(plan: Plan, found: Evidence) -> Decision:
    """One look. A rollback comes before all else; widening needs every condition; time that runs out never widens.

    Widening is a test of its own (non-inferiority): that nothing bad was shown is no reason to widen, only a bound below the margin is.
    """
    for metric in METRICS:
        if found.log_e[metric] >= log_limit(plan.alphas[metric]):
            return Decision(Kind.ROLLBACK, accusation(metric, plan, found))
    open_ones = [each for each in conditions(plan, found) if not each.holds]
    bounds = found.interval(plan)
    if bounds and bounds.low >= plan.margin:
        said = f"Errors are higher by at least {signed(100 * bounds.low, 2)} points, and the plan allows less than {points(plan.margin)}."
        return Decision(Kind.HOLD, said)
    if found.waited >= 60 * plan.max_hours and not found.behind and (open_ones or found.blocked):
        missing = "; ".join(f"{each.title}: {each.now}" for each in open_ones) or found.blocked
        return Decision(Kind.HOLD, f"Insufficient evidence after {duration(60 * found.waited)}. {missing}.".replace("..", "."))
    if open_ones:
        return Decision(Kind.CONTINUE, f"{open_ones[0].title}: {open_ones[0].now}.")
    if found.behind:
        return Decision(Kind.CONTINUE, "There are requests that were not counted yet.")
    if found.blocked:
        return Decision(Kind.CONTINUE, found.blocked)
    return Decision(Kind.PROMOTE, "Every condition holds.")


def accusation(metric: str, plan: Plan, found: Evidence) -> str:
    """Why it is rolled back: what happened on either arm, and how strong the evidence is."""
    (bad, bad_stable), (of, of_stable) = found.counts.of(metric), found.counts.of("units")
    shares = f"{count(bad)} of {count(of)} on the canary, {count(bad_stable)} of {count(of_stable)} on the stable arm"
    return f"Too many {NAMES[metric]}: {shares}. Evidence {e_text(found.log_e[metric])}, limit {e_text(log_limit(plan.alphas[metric]))}."


def conditions(plan: Plan, found: Evidence) -> list[Condition]:
    """Every line of the rule as it stands now, in the order in which it is read."""
    units = found.counts.canary.units
    lines = [
        Condition(f"{count(plan.min_requests)} canary requests", count(units), *reached(units >= plan.min_requests)),
        Condition(
            f"At least {duration(60 * plan.min_minutes)} at this step",
            duration(60 * found.minutes),
            *reached(found.minutes >= plan.min_minutes),
        ),
        difference_line(plan, found.interval(plan)),
    ]
    return lines + [evidence_line(metric, plan, found) for metric in METRICS]


def reached(yes: bool) -> tuple[str, str]:
    """Mark and word of a minimum."""
    return ("ok", "holds") if yes else ("half", "open")


def difference_line(plan: Plan, bounds: Interval | None) -> Condition:
    """The upper bound of the difference, against the margin."""
    title = f"Error difference below {points(plan.margin)}, upper bound"
    if bounds is None:
        return Condition(title, f"insufficient data, {MIN_PER_ARM} of each arm needed", "half", "open")
    now = signed(100 * bounds.high, 2, (100 * plan.margin,))
    if bounds.low >= plan.margin:
        return Condition(title, now, "bad", "fails")
    return Condition(title, now, *reached(bounds.high < plan.margin))


def evidence_line(metric: str, plan: Plan, found: Evidence) -> Condition:
    """The evidence of one kind, against what takes the canary back."""
    value, limit = found.log_e[metric], log_limit(plan.alphas[metric])
    title = f"Evidence of too many {NAMES[metric]} below {e_text(limit)}"
    if value >= limit:
        return Condition(title, e_text(value), "bad", "fails", stops=True)
    if not any(found.counts.of(metric)) and value == 0:
        return Condition(title, "none yet", "ok", "holds", stops=True)
    mark, word = ("warn", "close") if value >= NEAR * limit else ("ok", "holds")
    return Condition(title, e_text(value), mark, word, stops=True)


def e_text(log_value: float) -> str:
    """An e-value as people read it: 0.4, 33, more than a million."""
    if log_value > math.log(10**6):
        return "more than a million"
    value = math.exp(log_value)
    return decimals(value, 0 if value >= 10 else 1 if value >= 0.05 else 2)


def points(share: float) -> str:
    """A difference of shares in percentage points: +0.5 pp."""
    return f"{signed(100 * share, 2 if round(1000 * share, 6) % 1 else 1)} pp"
