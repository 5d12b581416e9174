"""What the dashboard shows a lead, decided from facts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from lifecycle.runtime.statistics.verdicts import Verdict
from lifecycle.ui.numbers import percent
from monitoring.alerts.rules.burn import BUDGET_LOW

WEEKS = (4, 13, 26)
WATCH = "watch"


@dataclass(frozen=True)
class Standing:
    """The facts of one endpoint that its health is judged by. None: not measured.

    drift: its state (ok, watch, drift, insufficient, failed), as the pages of drift have it. budgets: what is
    left of each error budget, 1 is all, below 0 is overspent. requests: in the last 30 days.
    """

    live: bool
    quarantined: bool = False
    pages: int = 0
    drift: str | None = None
    budgets: Sequence[float] = ()
    requests: int = 0
    holding: bool = False


@dataclass(frozen=True)
class Health:
    """A mark, a word and the reason in a few words."""

    kind: str
    word: str
    why: str


def health(facts: Standing) -> Health:
    """The worst that is true of an endpoint. Only what was measured and found in order is called healthy."""
    if facts.quarantined:
        return Health(
            "bad",
            "in quarantine",
            "Its version is in quarantine and there is no earlier one, so clients get 503.",
        )
    if not facts.live:
        return Health("off", "not live", "No version is deployed.")
    least = min(facts.budgets, default=None)
    if least is not None and least <= 0:
        return Health("bad", "over budget", "An error budget is spent.")
    if facts.pages:
        return Health(
            "bad",
            "alert open",
            f"{facts.pages} open alert{'s' if facts.pages > 1 else ''} with severity page.",
        )
    if facts.drift == "drift":
        return Health("bad", "drifting", "Incoming texts differ from the evaluation data.")
    if facts.holding:
        return Health("warn", "canary on hold", "A canary needs a decision.")
    if least is not None and least < BUDGET_LOW:
        return Health("warn", "budget low", f"{percent(least, unlike=(0,))} of an error budget left.")
    if facts.drift == "failed":
        return Health("warn", "drift not measured", "The latest drift measurement failed.")
    if not facts.requests:
        return Health("half", "no traffic", "No requests in 30 days.")
    if facts.drift == "insufficient":
        return Health("half", Verdict.FEW.words, "Too few requests to measure drift.")
    if facts.drift == "watch":
        return Health("warn", WATCH, "A drift monitor exceeded its limit but raised no alert.")
    if facts.drift is None or least is None:
        missing = " and ".join(
            [*(["drift"] if facts.drift is None else []), *(["objectives"] if least is None else [])]
        )
        return Health("half", "partly measured", f"Health is unknown without {missing}.")
    return Health("ok", "healthy", "No drift, error budget left, no open alerts.")


def monday_of(day: date) -> date:
    """The first day of its week."""
    return day - timedelta(days=day.weekday())


def week_starts(today: date, weeks: int) -> list[date]:
    """The Mondays of the last so many weeks, the running one included, oldest first."""
    return [monday_of(today) - timedelta(weeks=back) for back in range(weeks - 1, -1, -1)]


def month_starts(today: date, weeks: int) -> list[date]:
    """The first days of the months that the last so many weeks touch, oldest first."""
    day, months = today - timedelta(weeks=weeks), []
    month = day.replace(day=1)
    while month <= today:
        months.append(month)
        month = (month + timedelta(days=32)).replace(day=1)
    return months
