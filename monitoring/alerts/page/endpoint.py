"""What an endpoint is held to, how much budget is left, and how fast it burns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from lifecycle.ui.charts import Chart
from monitoring.alerts import charts, queries
from monitoring.alerts.forms import ObjectiveForm
from monitoring.alerts.models import Objective
from monitoring.alerts.page.budget import BudgetLine, line_of
from monitoring.alerts.page.detail import ANSWER_MARKS
from monitoring.alerts.rules import objectives as rules
from monitoring.alerts.rules.burn import ROWS, Count
from monitoring.alerts.rules.objectives import GOOD, Kind, Proposal
from monitoring.alerts.rules.state import Answer, Severity, is_missed
from monitoring.traffic import queries as traffic
from monitoring.traffic.rules import DAY, HOUR, ceil
from registry.catalog.models import Endpoint, ModelVersion
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.access.roles import sentence

STEP = 6 * HOUR


@dataclass(frozen=True, slots=True)
class BurnLine:
    """One row of the table of burn rates, as the last evaluation measured it."""

    severity: str
    name: str
    limit: float
    long: float | None
    short: float | None
    mark: str
    word: str


@dataclass(frozen=True, slots=True)
class Held:
    """One kind of objective on an endpoint: what is set, or what is proposed."""

    kind: Kind
    objective: Objective | None
    proposal: Proposal | None
    form: ObjectiveForm
    line: BudgetLine | None
    rows: list[BurnLine]
    chart: Chart | None
    mark: str
    word: str
    warnings: list[str]

    @property
    def good(self) -> str:
        """What is good, in words."""
        return GOOD[self.kind]


def watch(now: datetime) -> dict[str, Any]:
    """When alerts were last evaluated, and whether that is too long ago."""
    last = queries.last_beat()
    return {"last": last, "late": last is not None and is_missed(last, last, now)}


def objectives(
    user: User, found: Endpoint, form: ObjectiveForm | None = None, kind: str = ""
) -> dict[str, Any]:
    """The objectives of an endpoint with their budgets. form, kind: one that was just refused."""
    now = timezone.now()
    set_ = {row.kind: row for row in queries.objectives(found)}
    points = series(found, [row for row in set_.values() if row.is_on], now)
    total = (
        traffic.total(found, ceil(now, HOUR) - 7 * DAY, ceil(now, HOUR)) if len(set_) < len(Kind) else None
    )
    lines = [
        held(
            found,
            Kind(each),
            set_.get(each),
            points,
            proposal(found, Kind(each), total) if total and each not in set_ else None,
            form if each == kind else None,
        )
        for each in Kind
    ]
    why_not = "" if policy.can(user, "alerts.manage", found) else sentence("alerts.manage")
    return {
        "endpoint": found,
        "held": lines,
        "open": queries.open_of(found),
        "why_not": why_not,
        "watch": watch(now),
        "measured_at": max((row.read_at for row in set_.values() if row.read_at), default=None),
        "any": any(line.chart for line in lines),
        "silence_url": f"{reverse('alerts:silences')}?where=endpoint:{found.uuid}",
    }


def series(found: Endpoint, objectives: list[Objective], now: datetime) -> list[traffic.Point]:
    """The longest window in steps of six hours, read once for all."""
    if not objectives:
        return []
    until = ceil(now, STEP)
    return traffic.series(
        found, until - timedelta(days=max(row.window_days for row in objectives)), until, STEP
    )


def held(
    found: Endpoint,
    kind: Kind,
    objective: Objective | None,
    points: list[traffic.Point],
    proposed: Proposal | None,
    form: ObjectiveForm | None,
) -> Held:
    """One kind, ready to be shown."""
    on = objective if objective and objective.is_on else None
    mark, word = standing(objective)
    return Held(
        kind=kind,
        objective=objective,
        proposal=proposed,
        form=form or ObjectiveForm.of(kind, found, objective, proposed),
        line=line_of(on) if on else None,
        rows=burn_lines(on) if on else [],
        chart=budget_chart(on, points) if on else None,
        mark=mark,
        word=word,
        warnings=rules.warnings(on.target, on.window_days) if on else [],
    )


def standing(objective: Objective | None) -> tuple[str, str]:
    """The mark and the word of an objective."""
    if objective is None:
        return "off", "not set"
    if not objective.is_on:
        return "off", "off"
    state = objective.reading.get("state")
    return (
        (ANSWER_MARKS[Answer(state)], Answer(state).label.lower()) if state else ("wait", "not evaluated yet")
    )


def burn_lines(objective: Objective) -> list[BurnLine]:
    """The table as the last evaluation measured it; the limits alone before the first."""
    kept = objective.reading.get("rows") or [{}] * len(ROWS)
    window, found = timedelta(days=objective.window_days), []
    for row, read in zip(ROWS, kept, strict=True):
        long, short = read.get("long"), read.get("short")
        if read.get("firing"):
            mark, word = ("bad" if row.severity == Severity.PAGE else "warn"), "firing"
        elif read.get("few"):
            mark, word = "half", "not enough data"
        elif long is None:
            mark, word = "off", "not measured"
        else:
            mark, word = "ok", "holds"
        found.append(BurnLine(row.severity.label, row.name, row.burn(window), long, short, mark, word))
    return found


def budget_chart(objective: Objective, points: list[traffic.Point]) -> Chart | None:
    """How the window's budget was spent; none before any traffic."""
    begin = points[-1].start + STEP - timedelta(days=objective.window_days) if points else None
    mine = [point for point in points if begin and point.start >= begin]
    counts = [objective.count_of(point.counts) for point in mine]
    if not any(each.total for each in counts):
        return None
    return charts.budget(
        objective.kind, [point.start for point in mine], counts, objective.target, objective.window_days
    )


def proposal(found: Endpoint, kind: Kind, total: traffic.Total) -> Proposal:
    """What the last seven days, or the evaluation of the live version, support."""
    if kind == Kind.AVAILABILITY:
        return rules.propose_availability(rules.count_of(kind, None, total))
    if kind == Kind.LATENCY:
        return rules.propose_latency(total.p95_ms, sum(total.latency.values()))
    return rules.propose_quality(Count(total.wrong, total.judged), evaluated(found))


def evaluated(found: Endpoint) -> float | None:
    """The accuracy of the live version on its frozen test; None without one."""
    version = ModelVersion.objects.select_related("evaluation").filter(aliases__endpoint=found).first()
    value = version.evaluation.report.get("accuracy") if version and version.evaluation else None
    return float(value) if isinstance(value, int | float) else None


def panel(user: User, found: Endpoint) -> dict[str, Any]:
    """The part of the endpoint's page."""
    rows = [row for row in queries.objectives(found) if row.is_on]
    return {
        "endpoint": found,
        "open": queries.open_of(found),
        "budgets": [line_of(row) for row in rows],
        "states": {row.kind: standing(row) for row in rows},
        "may": policy.can(user, "alerts.manage", found),
    }
