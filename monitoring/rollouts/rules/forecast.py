"""Forecast of how long a plan takes at the present traffic. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.statistics import clustered, sequences
from lifecycle.runtime.statistics.clustered import Sums
from lifecycle.ui.numbers import count, decimals, duration, percent
from monitoring.rollouts.rules.decision import Evidence, shadow_line
from monitoring.rollouts.rules.evidence import log_e, log_limit, tolerated_share
from monitoring.rollouts.rules.units import GROUPS
from registry.promotions.plans import MIN_KEYS, MIN_PER_ARM, WHOLE, Plan, share_text

# of all that is foretold, and its quantile of the normal distribution
POWER, POWER_Z = 0.8, 0.8416212335729143
KEYS = math.ceil(math.log(1 - MIN_KEYS / GROUPS) / math.log(1 - 1 / GROUPS))  # that fill 30 groups on average
MANY = 10**8  # requests; a plan that needs more never decides


@dataclass(frozen=True)
class Traffic:
    """What the endpoint sees at present. per_hour: requests; errors of them, over `requests` that were looked
    at.

    customers: the sticky keys of late. alone: the share of the requests, 0 to 1, that come without a key or
    with one that is new; the rest is sent by keys that return, each of which is evidence once a step, however
    often it asks. alike: how much the failures of a key resemble each other, an intraclass correlation from 0
    to 1. judged, wrong: the shares of the requests with feedback, and called wrong. shadow: what the version
    did as a shadow, see Evidence; None where no version is asked about.
    """

    per_hour: float
    requests: int
    errors: int
    customers: int = 0
    alone: float = 1.0
    alike: float = 0.0
    judged: float = 0.0
    wrong: float = 0.0
    shadow: Sums | None = None

    def effect(self, part: float, requests: float) -> float:
        """The design effect of so many requests to this part of the traffic: 1 + (requests of a key − 1) ·
        alike (L. Kish 1965).
        """
        return 1 + self.alike * max(
            0.0, requests / max(1.0, part * self.customers + self.alone * requests) - 1
        )

    @property
    def error_share(self) -> float:
        """0 to 1, (errors+2)/(requests+4) as in the interval: never quite 0, since none was seen is not none
        ever comes.
        """
        return (self.errors + 2) / (self.requests + 4)


@dataclass(frozen=True)
class StepForecast:
    """One step. needed: canary requests until it can widen with 80 % power, if the canary is as good as the
    stable arm; None: never. hours: until then. few: too few different keys meet an arm, so that it never
    widens.
    """

    share: int
    per_hour: float
    needed: int | None
    hours: float | None
    few: bool = False

    @property
    def lasts(self) -> timedelta | None:
        """The hours as a length of time."""
        return as_time(self.hours)


@dataclass(frozen=True)
class Forecast:
    """The plan against the clock. detect_requests, detect_hours: canary requests and time until the stated
    rise is rolled back with 80 % power at the first step; None: never. caution: what the plan can do less
    well
    than it reads, though it may start.
    """

    traffic: Traffic
    steps: tuple[StepForecast, ...]
    detect_requests: int | None
    detect_hours: float | None
    problem: str
    caution: str = ""

    @property
    def hours(self) -> float | None:
        """Until all traffic with 80 % power, if the canary is as good; None where a step never ends."""
        each = [step.hours for step in self.steps]
        return (
            None
            if any(hours is None for hours in each)
            else math.fsum(hours for hours in each if hours is not None)
        )

    @property
    def lasts(self) -> timedelta | None:
        """The hours as a length of time."""
        return as_time(self.hours)

    @property
    def detect_lasts(self) -> timedelta | None:
        """The hours until the stated rise is rolled back, as a length of time."""
        return as_time(self.detect_hours)


def as_time(hours: float | None) -> timedelta | None:
    """As a length of time; None for never, which anything beyond a century is."""
    return None if hours is None or hours > 24 * 36_500 else timedelta(hours=hours)


def forecast(plan: Plan, traffic: Traffic) -> Forecast:
    """What to expect of a plan."""
    steps = tuple(step_forecast(plan, traffic, share) for share in plan.steps if share < WHOLE)
    first = plan.steps[0] / WHOLE
    found = requests_to_detect(
        first, traffic.error_share, plan.rise, plan.alphas["errors"], plan.rate_ratios["errors"]
    )
    rate = traffic.per_hour * first
    hours = None if found is None or not rate else found / rate
    wrong = problem(plan, traffic, steps, found, hours)
    if (wrong and not any(step.few for step in steps)) or reaches_its_limit(plan, traffic):
        return Forecast(traffic, steps, found, hours, wrong)
    return Forecast(traffic, steps, found, None, wrong, too_few_customers(traffic, plan.steps[0]))


def reaches_its_limit(plan: Plan, traffic: Traffic) -> bool:
    """Whether the failures that are expected at the stated rise take a canary back at any moment of the first
    step.

    A customer who returns is evidence once, with the first failure: in the end all of them failed on either
    arm, and nothing is measured.
    """
    share, hours = plan.steps[0] / WHOLE, np.geomspace(1e-3, plan.max_hours, 200)
    alone = traffic.alone * traffic.per_hour * hours
    # requests of one customer so far
    each = (1 - traffic.alone) * traffic.per_hour * hours / max(traffic.customers, 1)

    def failed(chance: float) -> NDArray[np.float64]:
        return traffic.customers * (1 - (1 - chance) ** each) + alone * chance

    canary = share * failed(min(1.0, traffic.error_share + plan.rise))
    stable = (1 - share) * failed(traffic.error_share)
    reached = log_e(canary, stable, share, plan.rate_ratios["errors"]) >= log_limit(plan.alphas["errors"])
    return bool(reached.any())


def too_few_customers(traffic: Traffic, share: int) -> str:
    """That the rule will hardly take a canary back, since the same few keys ask again and again."""
    return (
        f"{customers_met(traffic, share)}: too few for the rule to roll it back. Only the server's guard and"
        " you can."
    )


def customers_met(traffic: Traffic, share: int) -> str:
    """How many of the customers who return meet the canary at a share."""
    met = traffic.customers * share / WHOLE
    return (
        f"About {count(traffic.customers)} returning customers send {percent(1 - traffic.alone)} of the"
        f" requests, of which about {decimals(met, 0 if met >= 10 else 1)} meet the canary at"
        f" {share_text(share)}"
    )


def check_decidable(found: Forecast) -> None:
    """Raises Refused for a plan that cannot decide within its window."""
    if found.problem:
        raise Refused(
            found.problem,
            next_step=(
                "Choose a larger first share, a wider margin, a lower minimum, a longer window, or a manual"
                " canary."
            ),
        )


def step_forecast(plan: Plan, traffic: Traffic, share: int) -> StepForecast:
    """When one step can widen: its minimum of requests, keys and time, and every bound below its margin."""
    part = share / WHOLE
    rate, keys, bounds = (
        traffic.per_hour * part,
        hours_to_keys(traffic, part),
        requests_to_bounds(plan, traffic, part),
    )
    needed = (
        None if None in bounds else max(plan.min_requests, *(each for each in bounds if each is not None))
    )
    if needed is None or keys is None or not rate:
        return StepForecast(share, rate, needed, None, keys is None)
    return StepForecast(share, rate, needed, max(needed / rate, keys, plan.min_minutes / 60))


def requests_to_bounds(plan: Plan, traffic: Traffic, part: float) -> list[int | None]:
    """The canary requests after which each bound of the plan is below its margin; None: never."""

    def effect(requests: float) -> float:
        return traffic.effect(part, requests)

    found = [requests_to_bound(part, traffic.error_share, plan.margin, plan.alpha, plan.tau, effect)]
    if plan.wrong_margin is None:
        return found
    if not traffic.judged:
        return [*found, None]
    # of all requests, as traffic.wrong is
    margin, tau = plan.wrong_margin * traffic.judged, plan.tau * traffic.judged
    wrong = requests_to_bound(part, traffic.wrong, margin, plan.alpha, tau, effect)
    return [*found, wrong and max(wrong, math.ceil(MIN_PER_ARM / traffic.judged))]


def hours_to_keys(traffic: Traffic, part: float) -> float | None:
    """The hours until each arm has met enough different keys with 80 % power; None for never. Each key falls
    to an arm by chance.
    """
    from scipy import stats  # late, as in `power`

    missing = KEYS + float(stats.nbinom.ppf(POWER, KEYS, min(part, 1 - part))) - traffic.customers
    if missing <= 0:
        return 0.0
    new = traffic.alone * traffic.per_hour
    return missing / new if new else None


def time_left(plan: Plan, found: Evidence, share: int) -> timedelta | None:
    """Until this step can widen with 80 % power, if the canary is as good as the stable arm; zero where
    nothing is missing, None for never.

    At the pace at which the step was counted so far, and with failures that are as much alike within a key as
    they are so far. None as well while no canary request of this step is counted. Of feedback nothing is
    foretold.
    """
    canary, stable, part = found.counts.canary, found.counts.stable, share / WHOLE
    if not canary.units or found.minutes <= 0 or not 0 < part < 1:
        return None
    failing = (canary.errors + stable.errors + 2) / (canary.units + stable.units + 4)
    effect = max(clustered.design_effect(arm) for arm in found.groups.of("errors"))
    bounded = (
        requests_to_bound(part, failing, plan.margin, plan.alpha, plan.tau, lambda _: effect)
        if math.isfinite(effect)
        else None
    )
    if bounded is None:
        return None
    bounds = found.interval(plan)
    clear = bounds is not None and bounds.high < plan.margin
    needed = plan.min_requests if clear else max(plan.min_requests, bounded)
    minutes = max(
        0.0, plan.min_minutes - found.minutes, (needed - canary.units) * found.minutes / canary.units
    )
    return as_time(minutes / 60)


def problem(
    plan: Plan,
    traffic: Traffic,
    steps: tuple[StepForecast, ...],
    detect: int | None,
    detect_hours: float | None,
) -> str:
    """Why the plan cannot decide within its window; empty when it can."""
    if not traffic.per_hour:
        return "No requests in the last 24 hours, so a canary can't be evaluated."
    if plan.wrong_margin is not None and not traffic.judged:
        return (
            "The plan requires a bound on wrong predictions, but no request in the last 24 hours has"
            " feedback."
        )
    if plan.shadow_disagreement is not None and traffic.shadow is not None:
        line = shadow_line(plan, plan.shadow_disagreement, traffic.shadow)
        if line.is_open:
            return f"It would never widen. {line.title}: {line.now}. Run it as a shadow first."
    if few := next((step for step in steps if step.few), None):
        return (
            f"{customers_met(traffic, few.share)}: it would never widen, since each arm needs {MIN_KEYS}"
            " different sticky keys."
        )
    slow = next((step for step in steps if step.hours is None or step.hours > plan.max_hours), None)
    if slow:
        share, rate = share_text(slow.share), decimals(slow.per_hour, 0 if slow.per_hour >= 10 else 1)
        needed = (
            "never enough"
            if slow.needed is None or slow.hours is None
            else f"{count(slow.needed)} in {duration(3600 * slow.hours)}"
        )
        return (
            f"At {share} the canary gets {rate} requests an hour: {needed}, but the plan allows"
            f" {duration(3600 * plan.max_hours)}."
        )
    if detect is None or detect_hours is None or detect_hours > plan.max_hours:
        when = "never" if detect_hours is None else f"after {duration(3600 * detect_hours)}"
        rise = decimals(100 * plan.rise, 1)
        return (
            f"An error share higher by {rise} points would be detected {when}, but the plan allows"
            f" {duration(3600 * plan.max_hours)}."
        )
    return ""


def requests_to_bound(
    share: float,
    error_share: float,
    margin: float,
    alpha: float,
    tau: float,
    effect: Callable[[float], float] = lambda _: 1.0,
) -> int | None:
    """The canary requests until the upper bound of the difference is below the margin with 80 % power, if
    both arms fail equally often.

    None where the margin is never reached within 100 million. The stable arm has (1−s)/s times as many
    requests meanwhile. effect: the design effect of so many canary requests. The upper bound is normal about
    the half width; with looks in between it is there sooner.
    """

    def half(requests: float) -> float:
        rows = requests / effect(requests)
        variance = sum(clustered.moved(error_share, arm) for arm in (rows, rows * (1 - share) / share))
        return sequences.half_width(variance, tau, alpha) + POWER_Z * math.sqrt(variance)

    if half(MANY) >= margin:
        return None
    low, high = float(MIN_PER_ARM), float(MANY)
    if half(low) < margin:
        return MIN_PER_ARM
    while high - low > 0.5:
        middle = (low + high) / 2
        low, high = (low, middle) if half(middle) < margin else (middle, high)
    return math.ceil(high)


def requests_to_detect(
    share: float, error_share: float, rise: float, alpha: float, ratio: float = 1.0
) -> int | None:
    """The canary requests after which an error share higher by `rise` has been rolled back with 80 % power;
    None for never.

    Exact for the number of failures: of m failures the canary's part is binomial with q = s·p₁/(s·p₁ +
    (1−s)·p₀), and the e-value after them depends on that number alone. The smallest m with P(E ≥ 1/α) ≥ 0.8,
    times the canary requests for one failure. Looks in between can only stop earlier.
    """
    worse = min(1.0, error_share + rise)
    failing = share * worse + (1 - share) * error_share  # of all requests
    canary_part = share * worse / failing
    if canary_part <= tolerated_share(share, ratio):
        return None
    high = 1
    while power(high, canary_part, share, alpha, ratio) < POWER:
        high *= 2
        if high > 2**17:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if power(middle, canary_part, share, alpha, ratio) >= POWER else (middle, high)
        )
    return math.ceil(high / failing * share)


def power(failures: int, canary_part: float, share: float, alpha: float, ratio: float) -> float:
    """The chance that the evidence of so many failures takes the canary back, when it has that part of
    them.
    """
    from scipy import stats  # late: slows the start of every process, and few compute with it

    canary = np.arange(failures + 1)
    enough = log_e(canary, failures - canary, share, ratio) >= log_limit(alpha)
    return float(stats.binom.sf(int(np.argmax(enough)) - 1, failures, canary_part)) if enough.any() else 0.0
