"""One alert: what happens, what to do, what the rule measured, what was done about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from lifecycle.ground.notices.models import Delivery
from lifecycle.ui.addresses import find_url
from lifecycle.ui.charts import Chart
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count, decimals, duration, moment
from monitoring.alerts import charts, queries
from monitoring.alerts.models import Alert, Check, Objective
from monitoring.alerts.rules import text
from monitoring.alerts.rules.burn import ROWS
from monitoring.alerts.rules.state import DRIFT_SOURCE, OBJECTIVE_SOURCE, Answer, Why
from monitoring.drift import judging
from monitoring.drift.rules import Monitor
from registry.audit.queries import history_of
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.access.roles import sentence

BURNS = "The burn rate is still above its limit. The alert resolves automatically when it falls."
ANSWER_MARKS = {Answer.OK: "ok", Answer.FIRING: "bad", Answer.INSUFFICIENT: "half", Answer.SUPPRESSED: "stop"}


def alert(user: User, alert: Alert, form: Any = None) -> dict[str, Any]:
    """One alert: what happens, what to do, what the rule measured, what was done about it."""
    checks, now = queries.checks_of(alert), timezone.now()
    ends = alert.resolved_at or now
    may = policy.can(user, "alerts.acknowledge", alert)
    why_not = "" if may else sentence("alerts.acknowledge")
    burns_still = alert.source == OBJECTIVE_SOURCE and alert.is_open and alert.calm == 0
    return {
        "alert": alert,
        "checks": checks,
        "lines": [check_line(check) for check in checks],
        "chart": burn_chart(alert, checks),
        "figures": figures(alert, ends),
        "steps": text.steps(alert.source),
        "events": history_of(alert.uuid),
        "form": form,
        "why_not": why_not,
        "why_not_resolve": why_not or (BURNS if burns_still else ""),
        "beside": queries.beside(alert) if alert.is_open else [],
        "held": queries.held_back_of(alert),
        "silences": queries.silences_on(alert, now) if alert.is_open else [],
        "deliveries": [sent(row) for row in queries.deliveries_of(alert)],
        "seen": {"seen": alert.state},
        "links": links(alert),
        "rows": [row.name for row in ROWS],
        "silence_url": silence_url(alert),
        "dialog": f"{alert.title}. This resolves it for everyone; if it recurs, a new alert opens.",
    }


def silence_url(alert: Alert) -> str:
    """The form that silences what an alert is about."""
    about = f"endpoint:{alert.endpoint.uuid}" if alert.endpoint else f"project:{alert.project.uuid}"
    return f"{reverse('alerts:silences')}?where={about}"


def figures(alert: Alert, ends: datetime) -> list[Figure]:
    """The strip above."""
    (name, value), notified = measure_of(alert), alert.notified_at
    return [
        Figure("Started", moment(alert.first_at, timezone.now()), sub="UTC"),
        Figure("Duration", duration((ends - alert.first_at).total_seconds())),
        Figure("Occurrences", count(alert.count), sub=f"last {moment(alert.last_at, timezone.now())}"),
        Figure(name, value, sub="at the last occurrence" if value else ""),
        Figure(
            "Notified",
            moment(notified, timezone.now()) if notified else "no",
            sub="" if notified else "reason below",
        ),
    ]


def measure_of(alert: Alert) -> tuple[str, str | None]:
    """Name and value of the alert's measure, as its own page shows it: a burn rate, a drift monitor in its
    unit.
    """
    if alert.value is None:
        return "Value", None
    monitor = alert.key.get("monitor")
    if alert.source == DRIFT_SOURCE and monitor in Monitor.values:
        return Monitor(monitor).label, judging.moved(monitor, alert.value)
    return "Burn rate" if alert.source == OBJECTIVE_SOURCE else "Value", decimals(alert.value, 2)


def links(alert: Alert) -> list[tuple[str, str]]:
    """Where something can be done."""
    found = (
        [(text.link(alert.source), alert.url)]
        if alert.url.startswith("/") and not alert.url.startswith("//")
        else []
    )
    if alert.endpoint:
        uuid = alert.endpoint.uuid
        found.append((f"Roll back {alert.endpoint.slug}", reverse("endpoints:detail", args=[uuid])))
        found.append(("Traffic and recent predictions", find_url("traffic:endpoint", uuid=uuid)))
        found.append(("Drift", find_url("drift:endpoint", uuid=uuid)))
    kept: list[tuple[str, str]] = []
    for name, url in found:
        if url and url not in [each for _, each in kept]:
            kept.append((name, url))
    return kept


def check_line(check: Check) -> dict[str, Any]:
    """One line of the log, with its mark."""
    reason = Why(check.why).label if check.why else ""
    return {
        "check": check,
        "mark": ANSWER_MARKS[Answer(check.state)],
        "word": Answer(check.state).label,
        "reason": reason,
        "burns": [pair[0] if pair else None for pair in check.burns],
    }


def burn_chart(alert: Alert, checks: list[Check]) -> Chart | None:
    """The row of the table that the alert is about: the quickest of its severity that fired, else the
    first.
    """
    measured = [check for check in reversed(checks) if len(check.burns) == len(ROWS)]
    if alert.source != OBJECTIVE_SOURCE or len(measured) < 2 or measured[0].objective_id is None:
        return None
    objective = Objective.objects.get(pk=measured[0].objective_id)
    window, mine = (
        timedelta(days=objective.window_days),
        [at for at, row in enumerate(ROWS) if row.severity == alert.severity],
    )

    def fired(at: int) -> bool:
        return any(
            min(check.burns[at][0] or 0, check.burns[at][1] or 0) > ROWS[at].burn(window)
            for check in measured
        )

    return charts.burns(measured, next(filter(fired, mine), mine[0]), objective.window_days)


def sent(row: Delivery) -> dict[str, Any]:
    """A message and how it went."""
    marks = {"waiting": "wait", "sent": "ok", "failed": "bad"}
    return {"row": row, "mark": marks[row.state], "word": row.get_state_display()}
