"""Error budgets and how fast they burn. Pure.

The bad ratio e over a window; the budget b = 1 − target; burn = e / b: at burn 1 the budget lasts exactly its
window T. The rows are Google's multiwindow, multi-burn-rate alerts (The Site Reliability Workbook, chapter 5)
with the factor as Sloth computes it (slok/sloth internal/alert/window.go): burn = (budget share) / (long
window / T).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from lifecycle.runtime.statistics.significance import at_least
from monitoring.alerts.rules.state import CALM_SHARE, Severity

# the chance at one look; looked at every minute for a month, an endpoint on its budget opens a ticket in less
# than 5 %
SURE = 0.0002
BUDGET_LOW = 0.25  # of a budget: below it someone should look
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BurnRule:
    """One line of the table: fires when both windows burn too fast. budget_share: of the whole budget, 0 to
    1, in the long window.
    """

    severity: Severity
    budget_share: float
    long: timedelta
    short: timedelta

    def burn(self, window: timedelta) -> float:
        """The limit: 14.4 for 2 % in 1 h of 30 days."""
        return self.budget_share * (window / self.long)

    @property
    def name(self) -> str:
        """ "1 h / 5 min"."""
        return f"{span(self.long)} / {span(self.short)}"


ROWS = (
    BurnRule(Severity.PAGE, 0.02, HOUR, 5 * MINUTE),
    BurnRule(Severity.PAGE, 0.05, 6 * HOUR, 30 * MINUTE),
    BurnRule(Severity.TICKET, 0.10, DAY, 2 * HOUR),
    BurnRule(Severity.TICKET, 0.10, 3 * DAY, 6 * HOUR),
)
WINDOWS = tuple(sorted({window for row in ROWS for window in (row.long, row.short)}))


@dataclass(frozen=True, slots=True)
class Count:
    """Events of a window. total: those that count for the objective; bad: of them. 0 of 0 is no
    measurement.
    """

    bad: int = 0
    total: int = 0

    @property
    def ratio(self) -> float | None:
        """0 to 1."""
        return self.bad / self.total if self.total else None


@dataclass(frozen=True, slots=True)
class Reading:
    """One row, measured. long, short: burn rates, None where nothing happened. fires: both are over, the long
    one beyond chance.

    few: both are over, but it could be chance. calm: under 0.8 of the limit, so that an alert may end.
    """

    row: BurnRule
    limit: float
    long: float | None
    short: float | None
    fires: bool
    few: bool
    calm: bool


def span(length: timedelta) -> str:
    """5 min, 1 h, 3 d."""
    for name, unit in (("d", DAY), ("h", HOUR)):
        if length >= unit and length % unit == timedelta(0):
            return f"{length // unit}\u00a0{name}"
    return f"{length // MINUTE}\u00a0min"


def burn_rate(count: Count, budget: float) -> float | None:
    """How many times faster than allowed; budget: 1 − target, above 0."""
    ratio = count.ratio
    return None if ratio is None else ratio / budget


def is_sure(count: Count, limit: float) -> bool:
    """Whether a window is over its limit (a share of events, below 1) beyond chance: with requests that fail
    independently at the limit, so many bad ones or more would come in less than 0.02 %. One rule for little
    and much traffic: at a limit of 7.2 % 4 of 4, 19 of 100.
    """
    return at_least(count.bad, count.total, limit) < SURE


def read_row(row: BurnRule, counts: Mapping[timedelta, Count], target: float, window: timedelta) -> Reading:
    """One row of the table at this moment. counts: by length of window, up to now. target: 0 to 1, exclusive.
    window: T.
    """
    budget, limit = 1 - target, row.burn(window)
    long, short = counts[row.long], counts[row.short]
    slow, quick = burn_rate(long, budget), burn_rate(short, budget)
    over = slow is not None and quick is not None and slow > limit and quick > limit
    sure = over and is_sure(long, limit * budget)
    calm = slow is None or slow < CALM_SHARE * limit or (quick is not None and quick < CALM_SHARE * limit)
    return Reading(row, limit, slow, quick, fires=sure, few=over and not sure, calm=calm)


def read_rows(counts: Mapping[timedelta, Count], target: float, window: timedelta) -> list[Reading]:
    """The whole table."""
    return [read_row(row, counts, target, window) for row in ROWS]


def worst(readings: Sequence[Reading]) -> Reading | None:
    """The row that is farthest over its limit, by its slower window; None where nothing was measured."""
    known = [reading for reading in readings if reading.long is not None]
    return max(
        known,
        key=lambda reading: (reading.fires, min(reading.long or 0, reading.short or 0) / reading.limit),
        default=None,
    )


def never_fires(target: float, window: timedelta) -> list[BurnRule]:
    """The rows whose limit cannot be passed even if everything fails, since burn · budget ≥ 1: 14.4 with a
    target of 90 %.
    """
    return [row for row in ROWS if row.burn(window) * (1 - target) >= 1]


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left of an error budget. allowed: bad events that the window's traffic so far allows. left:
    share, below 0 when overspent.

    days_left: at the last day's rate; None when it does not burn or nothing is known, 0 when nothing is left.
    """

    bad: int
    total: int
    allowed: float
    left: float | None
    burn: float | None
    days_left: float | None


def budget_of(spent: Count, last_day: Count, target: float, window: timedelta) -> Budget:
    """The budget over T. spent: events of the last T; last_day: of the last 24 h."""
    budget = 1 - target
    allowed, burn = spent.total * budget, burn_rate(last_day, budget)
    if not spent.total:
        return Budget(0, 0, 0.0, None, burn, None)
    left = 1 - spent.bad / allowed
    if left < 1e-9:  # 1 − 0.995 is no exact number
        days: float | None = 0.0
    else:
        days = left * (window / DAY) / burn if burn else None
    return Budget(spent.bad, spent.total, allowed, left, burn, days)
