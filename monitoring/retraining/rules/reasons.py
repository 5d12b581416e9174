"""Whether a model should be trained again: everything that supports it and against it, with the evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lifecycle.runtime.statistics import clustered, intervals
from lifecycle.runtime.statistics.clustered import Sums
from lifecycle.runtime.statistics.intervals import Interval
from lifecycle.ui.numbers import count, decimals, percent
from monitoring.drift.rules import JUDGED_LEAST, MIN_ROWS
from monitoring.retraining.rules.settings import Kind
from monitoring.traffic.senders import asked_by

OVERRIDES_WORTH = 0.05  # of all answers: people overrule the model so often that it is a reason on its own
BUDGET_DAYS = 30


@dataclass(frozen=True, slots=True)
class Shift:
    """An open drift monitor. psi: what the newest window measured, None in another unit; text: that value and
    its limit, as the drift page shows them.
    """

    what: str
    psi: float | None
    text: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Drift:
    """What is known of drift. state: of the newest report, empty where there is none. shifts: the open
    monitors.
    """

    state: str = ""
    shifts: tuple[Shift, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an endpoint. urls: pages with the evidence, by fact.

    quality_alert: text of the open alert of the quality objective. answers, with_feedback: predictions of the
    live version in the window, and those with feedback. enough_feedback: whether these are enough, in number
    and share, to represent the rest. By sticky key: judged: correct ones of those with feedback; of a random
    sample of all: not_wrong: those not reported as wrong, overridden: those that people replaced; senders:
    number of distinct keys, None where predictions are treated as independent. expected: accuracy on the
    `tested` rows of its test split, in `groups` of near duplicates, `between` its ends by these; both None
    where each row is its own group. labels_new: resolved since its dataset version. frozen, canary, run,
    proposal: what blocks, in words, or empty. recent: retrainings in the last 30 days.
    """

    live: str = ""
    drift: Drift = Drift()
    quality_alert: str = ""
    with_feedback: int = 0
    enough_feedback: bool = False
    judged: Sums = Sums()
    expected: float | None = None
    tested: int = 0
    groups: int | None = None
    between: tuple[float, float] | None = None
    not_wrong: Sums = Sums()
    overridden: Sums = Sums()
    senders: int | None = None
    answers: int = 0
    labels_new: int = 0
    snapshot_at: datetime | None = None
    last_at: datetime | None = None
    frozen: str = ""
    canary: str = ""
    run: str = ""
    proposal: str = ""
    recent: int = 0
    urls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """A trigger's settings. kind: None for a person's own proposal, which needs no signal."""

    kind: str | None
    threshold: float
    cooldown_days: int
    min_labels: int
    budget: int


@dataclass(frozen=True, slots=True)
class Reason:
    """One fact that supports or against. evidence: the address where it can be looked at. code: for programs.

    blocks: nothing is proposed on its own while it holds. stops: no one can propose while it holds.
    """

    code: str
    fact: str
    value: str = ""
    evidence: str = ""
    blocks: bool = False
    stops: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer with all its reasons. fires: whether the trigger's own signal is there."""

    yes: bool
    fires: bool
    reasons_for: tuple[Reason, ...]
    reasons_against: tuple[Reason, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "yes": self.yes,
            "fires": self.fires,
            "for": [each.as_json() for each in self.reasons_for],
            "against": [each.as_json() for each in self.reasons_against],
        }


def consider(facts: Facts, policy: Policy, now: datetime) -> Verdict:
    """Whether the trigger proposes now: its signal is there and nothing blocks. All reasons are listed, those
    of other kinds too.
    """
    weighed = weigh(facts, policy, now)
    fires = policy.kind in {
        SIGNALS[reason.code] for reason in weighed.reasons_for if reaches(reason, facts, policy)
    }
    is_blocked = any(reason.blocks for reason in weighed.reasons_against)
    return Verdict(fires and not is_blocked, fires, weighed.reasons_for, weighed.reasons_against)


def weigh(facts: Facts, policy: Policy, now: datetime) -> Verdict:
    """The reasons alone, for a person who proposes: yes where nothing stops them."""
    found_for = (
        *drifted(facts, policy, now),
        *(reason for rule in FOR if (reason := rule(facts, policy, now))),
    )
    against = tuple(reason for rule in AGAINST if (reason := rule(facts, policy, now)))
    return Verdict(not any(reason.stops for reason in against), False, found_for, against)


SIGNALS = {
    "drift": Kind.DRIFT,
    "accuracy": Kind.QUALITY,
    "overrides": Kind.QUALITY,
    "alert": Kind.QUALITY,
    "labels": Kind.LABELS,
    "age": Kind.SCHEDULE,
}


def reaches(reason: Reason, facts: Facts, policy: Policy) -> bool:
    """Whether a reason of the trigger's own kind reaches its threshold. Drift that isn't measured in PSI
    counts whatever its size.
    """
    if reason.code == "drift":
        return any(shift.psi is None or shift.psi >= policy.threshold for shift in facts.drift.shifts)
    if reason.code == "accuracy":
        fall = fall_of(facts)
        return fall is not None and fall.low > policy.threshold
    return True


# ── For ─────────────────────────────────────────────────────────────────────
def drifted(facts: Facts, _policy: Policy, now: datetime) -> Iterator[Reason]:
    """The inputs or the answers are not what they were: one reason for each open monitor."""
    for shift in facts.drift.shifts:
        days = (now - shift.since).days
        fact = f"Drift of {shift.what.lower()}" + (
            f" for {count(days)} day{'s' * (days != 1)}" if days else " since today"
        )
        yield Reason("drift", fact, shift.text, facts.urls.get("drift", ""))


def burning(facts: Facts, _policy: Policy, _now: datetime) -> Reason | None:
    """The objective that was set for quality is missed."""
    return (
        Reason("alert", facts.quality_alert, "open alert", facts.urls.get("alerts", ""))
        if facts.quality_alert
        else None
    )


def fall_of(facts: Facts) -> Interval | None:
    """How much accuracy fell at least, from the test split to the window, with its interval; None where it
    isn't known.

    The window is given all that feedback leaves open: a prediction without feedback counts as correct. Anyone
    who reports wrong ones more often than correct ones then makes no fall (C. F. Manski, "Anatomy of the
    selection problem", Journal of Human Resources 24(3), 1989); where all have feedback nothing is given
    away. Newcombe's (1998) difference: the test rows, by groups of near duplicates, at 95 %; the window's
    predictions, by sticky key, at every look of a trigger.
    """
    if not facts.enough_feedback or facts.expected is None or not facts.tested or not facts.not_wrong.below:
        return None
    if facts.between:
        tested = Interval(facts.expected, *facts.between)
    else:
        tested = intervals.share(round(facts.expected * facts.tested), facts.tested)
    return intervals.difference(tested, clustered.at_every_look(facts.not_wrong))


def less_accurate(facts: Facts, _policy: Policy, _now: datetime) -> Reason | None:
    """By feedback, more predictions are wrong than on the test split: the whole interval of the fall is above
    0.
    """
    fall = fall_of(facts)
    if fall is None or fall.low <= 0:
        return None
    least = f"at least {decimals(100 * fall.low, 1)} points below, also if all without feedback are correct"
    value = (
        f"{percent(facts.judged.value, 1)} of {count(int(facts.judged.below))}, {asked_by(facts.senders)}:"
        f" {least}"
    )
    rows = f"{count(facts.tested)} rows" + (
        f" in {count(facts.groups)} groups of near duplicates" if facts.groups else ""
    )
    fact = f"Less accurate than the evaluation's {percent(facts.expected, 1)} of {rows}, by feedback"
    return Reason("accuracy", fact, value, facts.urls.get("predictions", ""))


def overruled(facts: Facts, _policy: Policy, _now: datetime) -> Reason | None:
    """People override more than 5 % of the predictions, by the lower end of an interval by sticky key that
    holds at every look. Those that no one looked at are taken as not overridden.
    """
    if (
        not facts.overridden.below
        or (found := clustered.at_every_look(facts.overridden)).low <= OVERRIDES_WORTH
    ):
        return None
    value = f"{percent(found.value, 1)} of {count(int(facts.overridden.below))}, {asked_by(facts.senders)}"
    return Reason("overrides", "People override predictions", value, facts.urls.get("predictions", ""))


def labeled(facts: Facts, policy: Policy, _now: datetime) -> Reason | None:
    """Enough was labeled since to learn from."""
    enough = int(policy.threshold) if policy.kind == Kind.LABELS else policy.min_labels
    if facts.labels_new < enough:
        return None
    return Reason(
        "labels",
        "New labels since the live version's dataset version",
        count(facts.labels_new),
        facts.urls.get("dataset", ""),
    )


def aged(facts: Facts, policy: Policy, now: datetime) -> Reason | None:
    """The live version learned from old data; for a trigger of that kind only, since age alone means
    little.
    """
    if (
        policy.kind != Kind.SCHEDULE
        or facts.snapshot_at is None
        or now - facts.snapshot_at < timedelta(days=policy.threshold)
    ):
        return None
    return Reason(
        "age",
        "Age of the live version's training data",
        f"{count((now - facts.snapshot_at).days)} days",
        facts.urls.get("version", ""),
    )


FOR = (less_accurate, burning, overruled, labeled, aged)


# ── Against ─────────────────────────────────────────────────────────────────
def nothing_live(facts: Facts, _policy: Policy, _now: datetime) -> Reason | None:
    """There is nothing to train again."""
    return None if facts.live else Reason("live", "No version is live", blocks=True, stops=True)


def already_open(facts: Facts, _policy: Policy, _now: datetime) -> Reason | None:
    """One proposal at a time."""
    return (
        Reason("open", facts.proposal, evidence=facts.urls.get("proposal", ""), blocks=True, stops=True)
        if facts.proposal
        else None
    )


def frozen(facts: Facts, _policy: Policy, _now: datetime) -> Reason | None:
    """Someone froze the endpoint, such as for an incident."""
    return (
        Reason("frozen", facts.frozen, evidence=facts.urls.get("endpoint", ""), blocks=True, stops=True)
        if facts.frozen
        else None
    )


def canary_running(facts: Facts, _policy: Policy, _now: datetime) -> Reason | None:
    """Another version is on its way already."""
    return (
        Reason("canary", facts.canary, evidence=facts.urls.get("endpoint", ""), blocks=True)
        if facts.canary
        else None
    )


def run_open(facts: Facts, _policy: Policy, _now: datetime) -> Reason | None:
    """Someone trains on the same data now."""
    return Reason("run", facts.run, evidence=facts.urls.get("run", ""), blocks=True) if facts.run else None


def cooling(facts: Facts, policy: Policy, now: datetime) -> Reason | None:
    """The last proposal is not long ago."""
    if facts.last_at is None or now - facts.last_at >= timedelta(days=policy.cooldown_days):
        return None
    value = f"{count((now - facts.last_at).days)} of {count(policy.cooldown_days)} days"
    return Reason("cooldown", "Cooldown since the last proposal", value, blocks=True)


def spent(facts: Facts, policy: Policy, _now: datetime) -> Reason | None:
    """The budget of 30 days is used."""
    if facts.recent < policy.budget:
        return None
    return Reason(
        "budget",
        f"Retrainings in {BUDGET_DAYS} days",
        f"{count(facts.recent)} of {count(policy.budget)}",
        blocks=True,
    )


def no_data(facts: Facts, policy: Policy, _now: datetime) -> Reason | None:
    """What the trigger watches could not be measured: that is not the same as good."""
    words = {"insufficient": "not enough data", "failed": "the measurement failed", "": "not measured"}
    if policy.kind == Kind.DRIFT and not facts.drift.shifts and facts.drift.state in words:
        value = words[facts.drift.state]
        return Reason("data", "Drift unknown", value, facts.urls.get("drift", ""), blocks=True)
    if policy.kind in (Kind.QUALITY, None) and not facts.enough_feedback:
        value = (
            f"{count(facts.with_feedback)} of {count(facts.answers)}; needs {MIN_ROWS} and"
            f" {percent(JUDGED_LEAST)}"
        )
        return Reason(
            "data",
            "Too few predictions with feedback to measure accuracy",
            value,
            facts.urls.get("predictions", ""),
        )
    return None


def few_labels(facts: Facts, policy: Policy, _now: datetime) -> Reason | None:
    """Not enough was labeled since: the proposal's queue collects it, and training waits for it."""
    if facts.labels_new >= policy.min_labels:
        return None
    value = f"{count(facts.labels_new)} of {count(policy.min_labels)}"
    return Reason(
        "few_labels", "Too few new labels; training waits for more", value, facts.urls.get("dataset", "")
    )


AGAINST = (nothing_live, already_open, run_open, frozen, canary_running, cooling, spent, no_data, few_labels)
