"""Reading alerts: what is open, what was, how much budget is left, what was not said and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from monitoring.alerts.models import Alert, Heartbeat, Objective
from monitoring.alerts.rules.burn import Budget
from monitoring.alerts.rules.objectives import Kind
from monitoring.alerts.rules.state import RANK, Severity, State
from registry.access import policy
from registry.access.policy import Person
from registry.catalog.models import Endpoint

SEE = "alerts.view"
PAGE = 30
COUNT_MAX = 100


def visible(user: Person) -> QuerySet[Alert]:
    """The alerts that the user may see, newest first."""
    rows = Alert.objects.select_related(
        "project", "endpoint__model__project", "deployment__version", "acknowledged_by", "resolved_by", "inhibited_by"
    )
    return policy.visible_to(user, rows, SEE).order_by("-id")


def open_alerts(user: Person) -> list[Alert]:
    """What burns now: pages first, then tickets, then the digest, the newest of each first; up to 100."""
    rows = visible(user).exclude(state=State.RESOLVED)[:COUNT_MAX]
    return sorted(rows, key=lambda alert: (RANK[Severity(alert.severity)], -alert.pk))


def burning(user: Person) -> int:
    """How many pages and tickets are open, for the navigation; counted up to 100."""
    rows = policy.visible_to(user, Alert, SEE).exclude(state=State.RESOLVED).exclude(severity=Severity.DIGEST)
    return rows.order_by()[:COUNT_MAX].count()


def find(user: Person, alert_id: UUID) -> Alert | None:
    """The alert, if it is there and the user may see it."""
    return visible(user).filter(uuid=alert_id).first()


def last_beat() -> datetime | None:
    """When alerts were last evaluated to the end; None on an installation where they never were."""
    return Heartbeat.objects.filter(name=Heartbeat.EVALUATION).values_list("at", flat=True).first()


def objectives(endpoint: Endpoint) -> list[Objective]:
    """The objectives of an endpoint, those that are switched off too, in the order of their kinds."""
    rows = Objective.objects.filter(endpoint=endpoint).select_related("owner", "endpoint")
    order = {kind: at for at, kind in enumerate(Kind.values)}
    return sorted(rows, key=lambda row: order[row.kind])


def budget(objective: Objective) -> Budget | None:
    """What was left of the error budget at the last evaluation; None before the first. See Objective.read_at for when."""
    kept = objective.reading.get("budget")
    return Budget(**kept) if kept else None


def burn_rates() -> list[dict[str, Any]]:
    """The burn rate of every objective and window at the last evaluation, for Prometheus: endpoint, slo, window, value.

    Windows without any event are left out, since nothing was measured there.
    """
    found = []
    for objective in Objective.objects.filter(is_on=True).select_related("endpoint").order_by("endpoint__slug", "kind"):
        for window, value in objective.reading.get("burns", {}).items():
            if value is not None:
                found.append({"endpoint": objective.endpoint.slug, "slo": objective.kind, "window": window, "value": value})
    return found
