"""The figures of the dashboard: the strip, the business figures, budgets, cost, trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings

from lifecycle.ground.compute.price import price_of, price_per_million
from lifecycle.runtime.statistics.verdicts import Verdict
from lifecycle.runtime.words import things
from lifecycle.ui.charts import Chart
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count, duration, money, percent
from monitoring.alerts.models import Objective
from monitoring.alerts.page.budget import BudgetLine, line_of
from monitoring.alerts.rules.state import Severity
from monitoring.overview import charts, queries, rules
from monitoring.overview.queries import Burning, Volume
from monitoring.traffic import queries as traffic
from monitoring.traffic.models import Kpi
from monitoring.traffic.page import Difference, difference
from monitoring.traffic.queries import Comparison
from registry.endpoints.models import Deployment
from registry.ground.access.models import Project

READING_MARKS = {
    Verdict.BETTER.words: "ok",
    Verdict.WORSE.words: "bad",
    Verdict.NOT_MEASURED.words: "off",
    "sample ratio off": "warn",
}


@dataclass(frozen=True)
class Lift:
    """One business figure of the model against its hold-out, for a table."""

    comparison: Comparison

    @property
    def kind(self) -> str:
        """The mark of its reading."""
        return READING_MARKS.get(self.comparison.reading, "half")

    @property
    def difference(self) -> Difference | None:
        """The difference, as the page of the figure has it."""
        return difference(self.comparison)


def figures(total: Volume, burning: Burning, throughput: queries.Throughput) -> list[Figure]:
    """The strip: volume, availability, share correct by feedback, spend, open alerts."""
    spend = price_of(total.cpu_us / 1e6)
    pages, tickets = burning.of(Severity.PAGE), burning.of(Severity.TICKET)
    hours, right = throughput.hours, total.right_share
    failed = f"{count(total.errors)} failed, {count(total.shed)} rejected due to overload"
    judged = f"of {count(total.with_feedback)} predictions with feedback; {count(total.overrides)} overridden"
    return [
        Figure("Requests", count(total.requests), sub=f"{things(total.answers, 'text')} answered"),
        Figure(
            "Available",
            None if total.availability is None else percent(total.availability, 2, (0, 1)),
            sub=failed,
        ),
        Figure("Correct (from feedback)", None if right is None else percent(right, 1), sub=judged),
        Figure(
            "Engine spend",
            None if spend is None else money(spend),
            settings.CURRENCY,
            sub="inference CPU time" if spend is not None else "set PRICE_PER_CORE_HOUR",
        ),
        Figure("Open pages", count(pages), sub=things(tickets, "ticket"), good=pages == 0 or None),
        Figure(
            "Median approval time",
            None if hours is None else duration(3600 * hours),
            sub=(
                f"of {things(throughput.timed, 'approved request')}"
                if throughput.timed
                else "no approved requests"
            ),
        ),
    ]


def kpi_chart(
    compared: Sequence[Comparison],
    mondays: Sequence[date],
    now: datetime,
    releases: Mapping[int, list[Deployment]],
    key: str,
) -> tuple[Kpi, Chart] | None:
    """The chosen business figure, else the first with outcomes; None where there is none. key: its uuid."""
    with_outcomes = [each.kpi for each in compared if each.n]
    shown = next(
        (each for each in with_outcomes if str(each.uuid) == key), with_outcomes[0] if with_outcomes else None
    )
    if shown is None:
        return None
    weeks = {week.start.date(): week for week in traffic.weeks(shown, queries.at_midnight(mondays[0]), now)}
    sides = [
        (weeks[monday].model[0], weeks[monday].holdout[0]) if monday in weeks else (None, None)
        for monday in mondays
    ]
    names: dict[str, list[str]] = {}
    for row in releases.get(shown.endpoint_id, []):
        names.setdefault(rules.monday_of(row.started_at.date()).isoformat(), []).append(row.version.semver)
    chart = charts.kpi(
        shown.name,
        shown.unit,
        shown.kind == Kpi.Kind.SHARE,
        mondays,
        [model for model, _ in sides],
        [holdout for _, holdout in sides],
        {week: ", ".join(semvers) for week, semvers in names.items()},
    )
    return shown, chart


def error_budgets(objectives: Sequence[Objective]) -> list[BudgetLine]:
    """What is left of each budget, the emptiest first, what was never measured last."""
    return sorted(map(line_of, objectives), key=lambda line: (line.left is None, line.left or 0.0))


def run_chart(projects: Sequence[Project], today: date, weeks: int) -> Chart | None:
    """Fine-tuning runs that ended well by month; None for none."""
    months = rules.month_starts(today, weeks)
    found = queries.ended_runs(projects, months[0])
    rows = [found.get(month, queries.EndedRuns()) for month in months]
    if not found:
        return None
    return charts.runs(
        months,
        [row.by_hand for row in rows],
        [row.planned for row in rows],
        [row.after_drift for row in rows],
    )


def cost_chart(weekly: Mapping[int, Mapping[date, Volume]], mondays: Sequence[date]) -> Chart | None:
    """The price of a million answers by week; None without a price or an answer."""
    sums = [
        sum((by_week.get(monday, Volume()) for by_week in weekly.values()), Volume()) for monday in mondays
    ]
    prices = [price_per_million(volume.cpu_us, volume.timed) for volume in sums]
    return (
        charts.cost(mondays, prices, settings.CURRENCY)
        if any(price is not None for price in prices)
        else None
    )
