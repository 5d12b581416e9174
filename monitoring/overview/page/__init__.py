"""What the dashboard shows, put together from the figures of all rooms. Reads, never writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from lifecycle.runtime.statistics.verdicts import Verdict
from lifecycle.runtime.words import phrase
from lifecycle.ui.addresses import choice_in
from lifecycle.ui.numbers import count
from monitoring.overview import queries, rules
from monitoring.overview.page.figures import Lift, cost_chart, error_budgets, figures, kpi_chart, run_chart
from monitoring.overview.page.models import DashboardEndpoint, models
from monitoring.overview.page.notes import attention
from monitoring.overview.queries import Volume
from monitoring.traffic import queries as traffic
from registry.ground.access.models import User

DEFAULT_WEEKS = 13
LEDES = {
    Verdict.BETTER.words: "better than",
    Verdict.WORSE.words: "worse than",
    Verdict.UNCLEAR.words: "not clearly different from",
}


def dashboard(user: User, given: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """Everything on the page. given: weeks (4, 13 or 26), project (uuid), kpi (uuid), as the address has
    them. Raises Unreadable.
    """
    weeks = int(choice_in(given, "weeks", [str(each) for each in rules.WEEKS], str(DEFAULT_WEEKS)))
    projects = queries.visible_projects(user)
    project = {str(each.uuid): each for each in projects}.get(
        choice_in(given, "project", [str(each.uuid) for each in projects])
    )
    found = queries.endpoints(user, project)
    mondays = rules.week_starts(now.date(), weeks)
    weekly = queries.weekly(found, mondays[0], now)
    burning, kpis = queries.burning(user, project), queries.kpis(found)
    kpi = choice_in(given, "kpi", [str(each.uuid) for each in kpis])
    compared = traffic.comparisons(kpis, queries.at_midnight(mondays[0]), now)
    lifts = [Lift(each) for each in compared]
    rows = models(found, weekly, mondays, burning, now)
    budgets = error_budgets(queries.objectives(found))
    throughput = queries.throughput(found, mondays[0], now)
    total = sum((volume for by_week in weekly.values() for volume in by_week.values()), Volume())
    notes = attention(queries.open_alerts(user, project), rows, found, compared)
    return {
        "weeks": weeks,
        "choices": rules.WEEKS,
        "projects": projects if len(projects) > 1 else [],
        "project": project,
        "since": mondays[0],
        "now": now,
        "lede": lede(lifts, rows, throughput),
        "figures": figures(total, burning, throughput),
        "kpi": kpi_chart(compared, mondays, now, queries.releases(found, mondays[0]), kpi),
        "kpis": kpis,
        "notes": notes,
        "lifts": lifts,
        "budgets": budgets,
        "rows": rows,
        "throughput": throughput,
        "rollbacks": queries.rollbacks(found, mondays[0]),
        "runs": run_chart([project] if project else projects, now.date(), weeks),
        "cost": cost_chart(weekly, mondays),
        "priced": settings.PRICE_PER_CORE_HOUR is not None,
        "currency": settings.CURRENCY,
        "is_demo": any(each.is_demo for each in ([project] if project else projects)),
    }


def lede(
    lifts: Sequence[Lift], rows: Sequence[DashboardEndpoint], throughput: queries.Throughput
) -> list[tuple[str, str, str]]:
    """The period in up to three sentences: (before, the fact in bold, after)."""
    parts = []
    if best := next((each.comparison for each in lifts if each.comparison.reading in LEDES), None):
        parts.append((f"{best.kpi.name} is ", LEDES[best.reading], " the hold-out."))
    ill = [row.endpoint.full_name for row in rows if row.health.kind == "bad"]
    if ill:
        parts.append(("", phrase(ill, most=3), f" need{'s' if len(ill) == 1 else ''} attention."))
    elif any(row.health.kind == "ok" for row in rows):
        well = sum(row.health.kind == "ok" for row in rows)
        parts.append(
            (
                "",
                f"{well} of {len(rows)}",
                (
                    f" endpoint{'s' if len(rows) > 1 else ''} {'are' if len(rows) > 1 else 'is'} measured and"
                    " healthy."
                ),
            )
        )
    if throughput.waiting:
        one = throughput.waiting == 1
        parts.append(
            (
                "",
                f"{count(throughput.waiting)} promotion{'' if one else 's'}",
                f" {'is' if one else 'are'} waiting for approval.",
            )
        )
    return parts
