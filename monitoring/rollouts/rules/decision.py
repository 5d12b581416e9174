"""What the evidence says: continue, widen, take back, or stop and ask. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import TextChoices

from lifecycle.runtime.statistics.clustered import Sums
from lifecycle.runtime.statistics.intervals import Interval
from lifecycle.runtime.statistics.verdicts import Verdict
from lifecycle.ui.numbers import count, decimals, duration, percent, signed
from monitoring.rollouts.rules.evidence import log_limit
from monitoring.rollouts.rules.interval import difference, disagreement
from monitoring.rollouts.rules.units import Counts, Groups
from registry.promotions.plans import METRICS, MIN_KEYS, MIN_PER_ARM, Plan

NAMES = {"errors": "failed requests", "slow": "slow responses", "wrong": "wrong predictions (from feedback)"}
DIFFERENCES = {
    "errors": "Error difference",
    "wrong": "Difference in wrong predictions among those with feedback",
}
HIGHER = {"errors": "Errors", "wrong": "Wrong predictions"}
NEEDED = {
    "errors": f"{Verdict.FEW.words}, {MIN_PER_ARM} per arm needed",
    "wrong": f"{Verdict.FEW.words}, {MIN_PER_ARM} with feedback from {MIN_KEYS} keys per arm needed",
}
NEAR = 0.5  # of the way to the limit, on the scale of the logarithm, a condition is close


class Kind(TextChoices):
    """What one look decides. hold: the evidence is insufficient and the time is over; a person has to decide,
    nothing widens on its own.
    """

    CONTINUE = "continue", "Continue"
    PROMOTE = "promote", "Widen"
    HOLD = "hold", "Hold"
    ROLLBACK = "rollback", "Roll back"


DECISION_MARKS = {Kind.CONTINUE: "half", Kind.PROMOTE: "ok", Kind.HOLD: "warn", Kind.ROLLBACK: "bad"}


@dataclass(frozen=True)
class Evidence:
    """What is known at a look.

    counts: of the present step, one unit for each key and minute; groups: the same by group of keys. log_e:
    by metric, over all steps; unmeasured: the metrics of which no step could see anything, such as answers
    called wrong where there is no feedback on an arm. minutes: at this step. waited: of the longest time of a
    step, in minutes; begins again when someone resumes. behind: whether there are minutes that were not
    counted yet: then nothing widens and no time runs out. blocked: why nothing may widen now, as a sentence;
    empty when nothing is. shadow: of the version as a shadow, before the canary, predictions that agreed /
    were compared, by sender.
    """

    counts: Counts
    groups: Groups
    log_e: Mapping[str, float]
    minutes: float
    waited: float
    behind: bool = False
    blocked: str = ""
    unmeasured: frozenset[str] = frozenset()
    shadow: Sums = Sums()

    def interval(self, plan: Plan) -> Interval | None:
        """The difference of the error shares with its always-valid bounds; None while there is too little."""
        return difference(*self.groups.of("errors"), alpha=plan.alpha, tau=plan.tau)

    def wrong_interval(self, plan: Plan) -> Interval | None:
        """The difference of the shares of wrong answers, of those with feedback, likewise."""
        canary, stable = self.groups.of("judged")
        if min(canary.above, stable.above) < MIN_PER_ARM or min(canary.some, stable.some) < MIN_KEYS:
            return None
        return difference(
            *self.groups.of("wrong"), alpha=plan.alpha, tau=plan.tau, judged=(canary + stable).value
        )

    def bounded(self, plan: Plan) -> list[tuple[str, Interval | None, float]]:
        """What must be shown to be no worse before it widens: metric, difference, margin."""
        wrong = [] if plan.wrong_margin is None else [("wrong", self.wrong_interval(plan), plan.wrong_margin)]
        return [("errors", self.interval(plan), plan.margin), *wrong]

    def disagreement(self, plan: Plan) -> Interval | None:
        """The share of the version's predictions as a shadow that differ from what clients got; None while
        there is too little.
        """
        return disagreement(self.shadow, alpha=plan.alpha)


@dataclass(frozen=True)
class Decision:
    """The outcome of a look, and why as a sentence."""

    kind: Kind
    why: str


@dataclass(frozen=True)
class Condition:
    """One line of the rule. mark: of ui.marks (ok, half, warn, bad, off); word: holds, open, close, fails,
    not measured. stops: it takes back.
    """

    title: str
    now: str
    mark: str
    word: str
    stops: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it is in the way of widening."""
        return self.mark in ("half", "bad")


def decide(plan: Plan, found: Evidence) -> Decision:
    """One look. A rollback comes before all else; widening needs every condition; time that runs out never
    widens.

    Widening is a test of its own (non-inferiority): that nothing bad was shown is no reason to widen, only a
    bound below the margin is.
    """
    for metric in METRICS:
        if found.log_e[metric] >= log_limit(plan.alphas[metric]):
            return Decision(Kind.ROLLBACK, accusation(metric, plan, found))
    open_ones = [each for each in conditions(plan, found) if each.is_open]
    for metric, bounds, margin in found.bounded(plan):
        if bounds and bounds.low >= margin:
            least = f"{signed(100 * bounds.low, 2)} points"
            return Decision(
                Kind.HOLD,
                f"{HIGHER[metric]} are higher by at least {least}; the plan allows less than"
                f" {points(margin)}.",
            )
    if (
        (most := plan.shadow_disagreement) is not None
        and (bounds := found.disagreement(plan))
        and bounds.low > most
    ):
        least = percent(bounds.low, 1)
        return Decision(
            Kind.HOLD,
            f"As a shadow it differed in at least {least} of predictions; the plan allows"
            f" {percent(most, 1)}.",
        )
    if found.waited >= 60 * plan.max_hours and not found.behind and (open_ones or found.blocked):
        missing = "; ".join(f"{each.title}: {each.now}" for each in open_ones) or found.blocked
        return Decision(
            Kind.HOLD,
            f"Not enough evidence after {duration(60 * found.waited)}. {missing}.".replace("..", "."),
        )
    if open_ones:
        return Decision(Kind.CONTINUE, f"{open_ones[0].title}: {open_ones[0].now}.")
    if found.behind:
        return Decision(Kind.CONTINUE, "Some requests aren't counted yet.")
    if found.blocked:
        return Decision(Kind.CONTINUE, found.blocked)
    return Decision(Kind.PROMOTE, promotion(found))


def promotion(found: Evidence) -> str:
    """Why it is widened, and what that does not rest on."""
    names = ", ".join(NAMES[metric] for metric in METRICS if metric in found.unmeasured)
    return f"All measured conditions are met. Not measured: {names}." if names else "All conditions are met."


def accusation(metric: str, plan: Plan, found: Evidence) -> str:
    """Why it is rolled back: what happened on either arm, and how strong the evidence is."""
    (bad, bad_stable), (of, of_stable) = found.counts.of(metric), found.counts.of("units")
    shares = (
        f"{count(bad)} of {count(of)} on the canary, {count(bad_stable)} of {count(of_stable)} on the"
        " stable arm"
    )
    return (
        f"Too many {NAMES[metric]}: {shares}. Evidence {e_text(found.log_e[metric])}, limit"
        f" {e_text(log_limit(plan.alphas[metric]))}."
    )


def conditions(plan: Plan, found: Evidence) -> list[Condition]:
    """Every line of the rule with its present state, in the order in which it is read."""
    units = found.counts.canary.units
    lines = [
        Condition(
            f"{count(plan.min_requests)} canary requests", count(units), *reached(units >= plan.min_requests)
        ),
        Condition(
            f"At least {duration(60 * plan.min_minutes)} at this step",
            duration(60 * found.minutes),
            *reached(found.minutes >= plan.min_minutes),
        ),
        Condition(
            f"{MIN_KEYS} different sticky keys on each arm",
            keys_text(found),
            *reached(found.groups.keys >= MIN_KEYS),
        ),
        *(difference_line(*each) for each in found.bounded(plan)),
        *(
            []
            if plan.shadow_disagreement is None
            else [shadow_line(plan, plan.shadow_disagreement, found.shadow)]
        ),
    ]
    return lines + [evidence_line(metric, plan, found) for metric in METRICS]


def reached(yes: bool) -> tuple[str, str]:
    """Mark and word of a minimum."""
    return ("ok", "holds") if yes else ("half", "open")


def keys_text(found: Evidence) -> str:
    """How many keys each arm met at least, by the groups into which they fall."""
    return f"at least {count(found.groups.keys)}" if found.groups.sums.any() else "0"


def difference_line(metric: str, bounds: Interval | None, margin: float) -> Condition:
    """The upper bound of a difference, against its margin."""
    title = f"{DIFFERENCES[metric]} below {points(margin)}, upper bound"
    if bounds is None:
        return Condition(title, NEEDED[metric], "half", "open")
    now = signed(100 * bounds.high, 2, (100 * margin,))
    if bounds.low >= margin:
        return Condition(title, now, "bad", "fails")
    return Condition(title, now, *reached(bounds.high < margin))


def shadow_line(plan: Plan, most: float, shadow: Sums) -> Condition:
    """The upper bound of how often the version differed as a shadow, against what the plan allows."""
    title, compared = f"Shadow disagreement at most {percent(most, 1)}, upper bound", int(shadow.below)
    if not compared:
        return Condition(
            title,
            "not measured: this version didn't run as a shadow before the canary",
            "half",
            "not measured",
        )
    bounds = disagreement(shadow, alpha=plan.alpha)
    if bounds is None:
        return Condition(
            title,
            f"not enough data, {count(compared)} of {MIN_PER_ARM} compared, {MIN_KEYS} keys needed",
            "half",
            "open",
        )
    now = f"{percent(bounds.high, 1)} of {count(compared)}"
    return (
        Condition(title, now, "bad", "fails")
        if bounds.low > most
        else Condition(title, now, *reached(bounds.high <= most))
    )


def evidence_line(metric: str, plan: Plan, found: Evidence) -> Condition:
    """The evidence of one kind, against what takes the canary back."""
    value, limit = found.log_e[metric], log_limit(plan.alphas[metric])
    title = f"Evidence of too many {NAMES[metric]} below {e_text(limit)}"
    if value >= limit:
        return Condition(title, e_text(value), "bad", "fails", stops=True)
    if metric in found.unmeasured:
        return Condition(title, "not measured", "off", "not measured", stops=True)
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
    """A difference of shares in percentage points: +0.5 points."""
    return f"{signed(100 * share, 2 if round(1000 * share, 6) % 1 else 1)} points"
