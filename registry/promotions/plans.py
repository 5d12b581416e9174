"""The plan of a promotion: all traffic at once, a canary under a rule, or a canary at one share that people
steer. Pure.

It is part of what reviewers approve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, asdict, dataclass, field
from typing import Any

from django.db.models import TextChoices

from lifecycle.runtime.refusals import Refused
from lifecycle.ui.numbers import count, duration, percent

WHOLE = 10_000
# requests and different sticky keys; below these the normal approximation is not used
MIN_PER_ARM, MIN_KEYS = 100, 30
METRICS = ("errors", "slow", "wrong")
ALPHAS = {"errors": 0.03, "slow": 0.01, "wrong": 0.01}  # together 0.05
RATE_RATIOS = {"errors": 1.0, "slow": 1.5, "wrong": 1.0}
# Beyond these the rule would never take a canary back, or after so much harm that it might as well not.
MIN_ALPHA, MAX_ALPHA, MAX_RATIO = 0.001, 0.2, 3.0
MAX_WARM_UP, MAX_SHARE = 1_000, 9_000
MAX_MARGIN = 0.2  # not part of rolling back; it defines what is still called no worse
MAX_DISAGREEMENT = 0.5


def share_text(share: int) -> str:
    """A share of 10,000 as people read it: 5 %, 0.5 %."""
    return percent(share / WHOLE, 0 if share % 100 == 0 else 1 if share % 10 == 0 else 2)


@dataclass(frozen=True)
class Plan:
    """The whole agreement, frozen when the rollout starts.

    steps: shares of 10,000, rising, the last 10,000. min_requests, min_minutes: what every step must show
    before the next; requests of the canary, at most one for each sticky key and minute. margin: the error
    share may be higher than the stable arm's by less than this, at the upper bound. rise: the increase of the
    error share that must be found, from which the time to a decision is forecast. max_hours: of one step;
    then it holds. automatic: whether the rule widens on its own, or asks a person at each step. warm_up:
    requests of the canary after it was loaded that count for nothing. alphas: chance of a false rollback, for
    each kind of evidence. rate_ratios: how many times the stable version's rate that of the canary may be and
    still count as harmless. tau: see interval.difference. checked: whether it may be agreed now; what is
    stored is read as it is. wrong_margin: of the answers with feedback, the share of wrong ones may
    be higher by less than this, at the upper bound; None: no bound is required, and it widens without
    feedback too. shadow_disagreement: of the version's predictions as a shadow, before the canary, so many
    may at most differ from the live version's, at the upper bound; None: no bound.
    """

    steps: tuple[int, ...] = (500, 2500, 5000, WHOLE)
    min_requests: int = 2000
    min_minutes: int = 480
    margin: float = 0.005
    rise: float = 0.02
    max_hours: int = 48
    automatic: bool = True
    warm_up: int = 20
    alphas: Mapping[str, float] = field(default_factory=lambda: dict(ALPHAS))
    rate_ratios: Mapping[str, float] = field(default_factory=lambda: dict(RATE_RATIOS))
    tau: float = 0.01
    wrong_margin: float | None = None
    shadow_disagreement: float | None = None
    checked: InitVar[bool] = True

    def __post_init__(self, checked: bool) -> None:
        if checked and (wrong := self.problems()):
            raise Refused("This rollout plan isn't valid.", fields=wrong)

    def problems(self) -> dict[str, list[str]]:
        """What is wrong with it, by field."""
        rising = all(a < b for a, b in zip(self.steps, self.steps[1:], strict=False))
        chances = list(self.alphas.values())
        checks = [
            (
                "steps",
                len(self.steps) in range(2, 9)
                and rising
                and 1 <= self.steps[0] <= self.steps[-2] <= MAX_SHARE
                and self.steps[-1] == WHOLE,
                f"Enter 2 to 8 rising shares ending at 100 %, the one before at most {MAX_SHARE // 100} %.",
            ),
            (
                "min_requests",
                MIN_PER_ARM <= self.min_requests <= 10**7,
                f"Must be at least {MIN_PER_ARM}, to bound a difference.",
            ),
            (
                "min_minutes",
                0 <= self.min_minutes <= 60 * self.max_hours,
                "Can't exceed the maximum step duration.",
            ),
            (
                "margin",
                0 < self.margin <= MAX_MARGIN,
                f"Must be more than 0 and at most {100 * MAX_MARGIN:g} percentage points.",
            ),
            (
                "wrong_margin",
                self.wrong_margin is None or 0 < self.wrong_margin <= MAX_MARGIN,
                (
                    f"Must be more than 0 and at most {100 * MAX_MARGIN:g} percentage points, or empty for no"
                    " bound."
                ),
            ),
            (
                "shadow_disagreement",
                self.shadow_disagreement is None or 0 < self.shadow_disagreement <= MAX_DISAGREEMENT,
                f"Must be more than 0 and at most {100 * MAX_DISAGREEMENT:g} %, or empty for no bound.",
            ),
            ("rise", 0 < self.rise <= 0.9, "Must be more than 0 and at most 90 percentage points."),
            ("max_hours", 1 <= self.max_hours <= 24 * 30, "Must be from 1 hour to 30 days."),
            ("warm_up", 0 <= self.warm_up <= MAX_WARM_UP, f"Must be from 0 to {MAX_WARM_UP:,} requests."),
            ("tau", 0 < self.tau <= 1, "Must be more than 0 and at most 1."),
            (
                "alphas",
                set(self.alphas) == set(METRICS)
                and all(chance >= MIN_ALPHA for chance in chances)
                and sum(chances) <= MAX_ALPHA,
                (
                    f"Give a chance for each of errors, slow, and wrong: each at least {MIN_ALPHA:g}, at most"
                    f" {MAX_ALPHA:g} in total."
                ),
            ),
            (
                "rate_ratios",
                set(self.rate_ratios) == set(METRICS)
                and all(1 <= each <= MAX_RATIO for each in self.rate_ratios.values()),
                f"Give a rate ratio from 1 to {MAX_RATIO:g} for each of errors, slow, and wrong.",
            ),
        ]
        return {name: [text] for name, holds, text in checks if not holds}

    @property
    def alpha(self) -> float:
        """The chance that a harmless canary is ever rolled back: at most the sum of the three."""
        return sum(self.alphas.values())

    def as_json(self) -> dict[str, Any]:
        """As it is stored and sent. Without what it does not require."""
        document = asdict(self) | {
            "steps": list(self.steps),
            "alphas": dict(self.alphas),
            "rate_ratios": dict(self.rate_ratios),
        }
        return {name: value for name, value in document.items() if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """As it was stored."""
        return cls(**{**data, "steps": tuple(data["steps"])}, checked=False)

    def step_of(self, share: int) -> int:
        """The index of the widest step that a share has reached; 0 where it is below the first."""
        return max((at for at, step in enumerate(self.steps) if step <= share), default=0)

    def next_share(self, share: int) -> int:
        """The share of the step after this one."""
        return next((step for step in self.steps if step > share), WHOLE)


class Kind(TextChoices):
    """How an approved version gets its traffic."""

    AT_ONCE = "at_once", "All traffic at once"
    CANARY = "canary", "Automatic canary"
    SHARE = "share", "Manual canary"


AT_ONCE = {"kind": Kind.AT_ONCE.value}


def canary(plan: Plan) -> dict[str, Any]:
    """A canary's plan as a request stores it."""
    return {"kind": Kind.CANARY.value, **plan.as_json()}


def by_hand(share: int) -> dict[str, Any]:
    """A canary at one share of 10,000, without a rule, as a request stores it."""
    return {"kind": Kind.SHARE.value, "share": share}


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """A plan as it is stored, complete and in one spelling. Raises Refused with the fields that are wrong."""
    kind = given.get("kind")
    if kind not in Kind.values:
        raise Refused(
            "The request has no valid rollout plan.",
            fields={"plan": [f"Choose one of {', '.join(Kind.values)}."]},
        )
    if kind == Kind.AT_ONCE:
        return dict(AT_ONCE)
    if kind == Kind.SHARE:
        share = given.get("share")
        if not isinstance(share, int) or not 1 <= share <= MAX_SHARE:
            raise Refused(
                "This rollout plan isn't valid.",
                fields={"plan": [f"Enter a share from 1 to {MAX_SHARE:,}, out of 10,000."]},
            )
        return by_hand(share)
    known = {
        name: value
        for name, value in given.items()
        if name in Plan.__dataclass_fields__ and name != "checked"
    }
    return canary(Plan(**{**known, **({"steps": tuple(known["steps"])} if "steps" in known else {})}))


def canary_of(stored: Mapping[str, Any]) -> Plan | None:
    """The rule's plan of a canary; None for another kind."""
    if stored.get("kind") != Kind.CANARY:
        return None
    return Plan.from_json({name: value for name, value in stored.items() if name != "kind"})


def share_of(stored: Mapping[str, Any]) -> int:
    """The share of 10,000 that the version gets first."""
    return int(stored["steps"][0] if stored["kind"] == Kind.CANARY else stored.get("share", WHOLE))


def different_plan(stored: Mapping[str, Any]) -> Refused:
    """The refusal of an approval's use in another way than by its plan."""
    return Refused(
        f"A different rollout plan was approved: {sentence(stored)}.",
        next_step="Use the approved plan, or request promotion with the new plan.",
    )


def sentence(stored: Mapping[str, Any]) -> str:
    """The plan in a few words: canary at 5 %, 25 %, 50 %, 100 %. A row that was changed in the database may
    have none.
    """
    if stored.get("kind") not in Kind.values:
        return "unreadable"
    if stored["kind"] == Kind.AT_ONCE:
        return "all traffic at once"
    if stored["kind"] == Kind.SHARE:
        return f"manual canary at {share_text(stored['share'])}"
    bound = (
        f", wrong predictions at most {points(stored['wrong_margin'])} more"
        if stored.get("wrong_margin")
        else ""
    )
    if most := stored.get("shadow_disagreement"):
        bound += f", shadow disagreement at most {100 * most:g} %"
    return f"canary at {', '.join(share_text(step) for step in stored['steps'])}{bound}"


def points(share: float) -> str:
    """A difference of shares: 0.5 percentage points."""
    return f"{100 * share:g} percentage points"


def lines(plan: Plan | None) -> list[tuple[str, str]]:
    """A canary's rule as people read it everywhere, name and value; nothing for another kind of plan."""
    return (
        []
        if plan is None
        else [
            ("Steps", ", ".join(share_text(step) for step in plan.steps)),
            (
                "Each step",
                f"at least {count(plan.min_requests)} canary requests and {duration(60 * plan.min_minutes)}",
            ),
            (
                "Maximum step duration",
                f"{duration(3600 * plan.max_hours)}; then on hold until someone decides",
            ),
            (
                "Widens",
                (
                    "automatically when all conditions are met"
                    if plan.automatic
                    else "when someone confirms each step"
                ),
            ),
            ("Distinct sticky keys", f"at least {MIN_KEYS} per arm at each step"),
            ("Non-inferiority margin", f"{points(plan.margin)} in error rate"),
            (
                "Wrong-prediction margin",
                (
                    "none: widens without feedback too"
                    if plan.wrong_margin is None
                    else f"{points(plan.wrong_margin)} among predictions with feedback"
                ),
            ),
            (
                "Maximum shadow disagreement",
                (
                    "none: widens without a shadow too"
                    if plan.shadow_disagreement is None
                    else (
                        f"{percent(plan.shadow_disagreement, 1)} of its shadow predictions, before the canary"
                    )
                ),
            ),
            ("False rollback", f"at most {percent(plan.alpha, 1)} chance of rolling back a harmless canary"),
            (
                "Harmless up to",
                (
                    f"{', '.join(f'{name} {plan.rate_ratios[name]:g} ×' for name in METRICS)} the stable"
                    " version's rate"
                ),
            ),
            ("Warm-up", f"{count(plan.warm_up)} canary requests that don't count"),
            ("Smallest increase to detect", points(plan.rise)),
        ]
    )
