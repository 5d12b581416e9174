"""Reading alerts: open and resolved ones, the error budget that is left, and what was suppressed and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Case, QuerySet, When
from django.utils import timezone

from lifecycle.ground.notices.models import Channel, Delivery
from lifecycle.ui import paging
from monitoring.alerts.models import Alert, Check, Heartbeat, Objective, Silence
from monitoring.alerts.rules.burn import Budget
from monitoring.alerts.rules.objectives import Kind
from monitoring.alerts.rules.state import RANK, Answer, Severity, State
from registry.catalog.models import Endpoint
from registry.ground.access import policy
from registry.ground.access.models import Project, User
from registry.ground.access.policy import Person

SEE = "alerts.view"
PAGE = 30
COUNT_MAX = 100
FEW = 5


@dataclass(frozen=True, slots=True)
class Filters:
    """Which alerts. Empty ones do not filter. endpoint: a uuid."""

    state: str = ""
    severity: str = ""
    source: str = ""
    endpoint: str = ""

    @property
    def any(self) -> bool:
        """Whether one of them filters."""
        return bool(self.state or self.severity or self.source or self.endpoint)


def visible(user: Person) -> QuerySet[Alert]:
    """The alerts that the user may see, newest first."""
    rows = Alert.objects.select_related(
        "project",
        "endpoint__model__project",
        "deployment__version",
        "acknowledged_by",
        "resolved_by",
        "inhibited_by",
    )
    return policy.visible_to(user, rows, SEE).order_by("-id")


def open_alerts(user: Person) -> list[Alert]:
    """What burns now: pages first, then tickets, then the digest, the newest of each first; up to 100."""
    return list(most_urgent(visible(user).exclude(state=State.RESOLVED))[:COUNT_MAX])


def most_urgent(rows: QuerySet[Alert]) -> QuerySet[Alert]:
    """Pages first, then tickets, then the digest, the newest of each first: anyone who takes the first few
    misses no old page.
    """
    return rows.order_by(Case(*(When(severity=each, then=rank) for each, rank in RANK.items())), "-pk")


def page_of(user: Person, filters: Filters, before: int | None = None) -> tuple[list[Alert], int | None]:
    """One page of alerts, newest first, and the key of the next; without a state, those that are over."""
    rows = (
        visible(user).filter(state=filters.state)
        if filters.state
        else visible(user).filter(state=State.RESOLVED)
    )
    return paging.page(narrowed(rows, filters), before, PAGE)


def all_of(user: Person, filters: Filters, before: int | None = None) -> tuple[list[Alert], int | None]:
    """The same whatever the state, for the API."""
    rows = narrowed(visible(user), filters)
    rows = rows.filter(state=filters.state) if filters.state else rows
    return paging.page(rows, before, PAGE)


def narrowed(rows: QuerySet[Alert], filters: Filters) -> QuerySet[Alert]:
    """Those of a severity, a source, an endpoint."""
    given = {"severity": filters.severity, "source": filters.source, "endpoint__uuid": filters.endpoint}
    return rows.filter(**{name: value for name, value in given.items() if value})


def sources(user: Person) -> list[str]:
    """The rules that ever raised something that the user may see."""
    return sorted(
        policy.visible_to(user, Alert, SEE).order_by().values_list("source", flat=True).distinct()[:50]
    )


def endpoints(user: Person) -> list[Endpoint]:
    """The endpoints whose alerts the user may see, by name; up to 200."""
    return list(
        policy.visible_to(user, Endpoint.objects.select_related("model__project"), SEE).order_by(
            "slug", "pk"
        )[:200]
    )


def burning(user: Person) -> int:
    """How many pages and tickets are open, for the navigation; counted up to 100."""
    rows = policy.visible_to(user, Alert, SEE).exclude(state=State.RESOLVED).exclude(severity=Severity.DIGEST)
    return rows.order_by()[:COUNT_MAX].count()


def find(user: Person, alert_id: UUID) -> Alert | None:
    """The alert, if it is there and the user may see it."""
    return visible(user).filter(uuid=alert_id).first()


def beside(alert: Alert) -> list[Alert]:
    """Other open alerts of its group, the oldest first."""
    return list(
        Alert.objects.filter(group=alert.group)
        .exclude(pk=alert.pk)
        .exclude(state=State.RESOLVED)
        .order_by("pk")[:PAGE]
    )


def open_of(endpoint: Endpoint) -> list[Alert]:
    """What is open on one endpoint, pages first."""
    rows = (
        Alert.objects.filter(endpoint=endpoint)
        .exclude(state=State.RESOLVED)
        .select_related("acknowledged_by", "inhibited_by")
    )
    return list(most_urgent(rows)[:PAGE])


def last_beat() -> datetime | None:
    """When alerts were last evaluated to the end; None on an installation where they never were."""
    return Heartbeat.objects.filter(name=Heartbeat.EVALUATION).values_list("at", flat=True).first()


def objectives(endpoint: Endpoint) -> list[Objective]:
    """The objectives of an endpoint, those that are switched off too, in the order of their kinds."""
    rows = Objective.objects.filter(endpoint=endpoint).select_related("owner", "endpoint")
    order = {kind: at for at, kind in enumerate(Kind.values)}
    return sorted(rows, key=lambda row: order[row.kind])


def objectives_of(user: Person) -> list[Objective]:
    """The objectives that are on and that the user may see; the least budget left first, the unmeasured last.
    Up to 100.
    """
    known = Objective.objects.filter(is_on=True).select_related("endpoint__model__project")
    rows = policy.visible_to(user, known, SEE).order_by("pk")[:COUNT_MAX]
    left = {row.pk: found.left for row in rows if (found := budget(row)) and found.left is not None}
    return sorted(rows, key=lambda row: (row.pk not in left, left.get(row.pk, 0.0), row.pk))


def budget(objective: Objective) -> Budget | None:
    """What was left of the error budget at the last evaluation; None before the first. See Objective.read_at
    for when.
    """
    kept = objective.reading.get("budget")
    return Budget(**kept) if kept else None


def burn_rates() -> list[dict[str, Any]]:
    """The burn rate of every objective and window at the last evaluation, for Prometheus: endpoint, slo,
    window, value.

    Windows without any event are left out, since nothing was measured there.
    """
    found = []
    for objective in (
        Objective.objects.filter(is_on=True)
        .select_related("endpoint__model__project")
        .order_by("endpoint__slug", "kind")
    ):
        for window, value in objective.reading.get("burns", {}).items():
            if value is not None:
                found.append(
                    {
                        "endpoint": objective.endpoint.full_name,
                        "slo": objective.kind,
                        "window": window,
                        "value": value,
                    }
                )
    return found


def checks_of(alert: Alert, limit: int = 48) -> list[Check]:
    """What the rule of an alert came to, from just before it opened until it ended; newest first. Of an
    objective: with its burn rates.
    """
    rows = Check.objects.filter(alert=alert)
    if kind := alert.key.get("objective"):
        span = {
            "at__gte": alert.first_at - timedelta(minutes=30),
            "begin__lte": alert.resolved_at or timezone.now(),
        }
        rows = Check.objects.filter(objective__endpoint=alert.endpoint, objective__kind=kind, **span)
    return list(rows.order_by("-id")[:limit])


def held_back_of(alert: Alert) -> list[Check]:
    """Why the alert was suppressed, newest first."""
    return list(Check.objects.filter(alert=alert, state=Answer.SUPPRESSED).order_by("-id")[:FEW])


def suppressed(
    user: Person, *, endpoint: str = "", why: str = "", before: int | None = None
) -> tuple[list[Check], int | None]:
    """Conditions that notified no one, newest first, and the key of the next page."""
    rows = Check.objects.filter(state=Answer.SUPPRESSED).select_related(
        "endpoint__model__project", "project", "alert"
    )
    rows = policy.visible_to(user, rows, SEE).order_by("-id")
    given = {"endpoint__uuid": endpoint, "why": why}
    rows = rows.filter(**{name: value for name, value in given.items() if value})
    return paging.page(rows, before, PAGE)


def held_back(user: Person, since: datetime) -> int:
    """How many lines of that log there are since then, counted up to 100."""
    rows = policy.visible_to(user, Check.objects.filter(state=Answer.SUPPRESSED, at__gte=since), SEE)
    return rows.order_by()[:COUNT_MAX].count()


def silences(user: Person, now: datetime) -> tuple[list[Silence], list[Silence]]:
    """Those that hold, the next to end first, and up to 30 that are over."""
    rows = policy.visible_to(
        user, Silence.objects.select_related("project", "endpoint__model__project", "author", "ended_by"), SEE
    )
    hold = rows.filter(ended_at=None, until__gt=now)
    over = rows.exclude(pk__in=hold.values("pk")).order_by("-id")[:PAGE]
    return list(hold.order_by("until")[:COUNT_MAX]), list(over)


def silences_on(alert: Alert, now: datetime) -> list[Silence]:
    """The silences that cover an alert now."""
    rows = Silence.objects.filter(project=alert.project, ended_at=None, until__gt=now).select_related(
        "author"
    )
    return [
        row
        for row in rows
        if row.endpoint_id in (None, alert.endpoint_id) and row.source in ("", alert.source)
    ]


def projects(user: Person, action: str) -> list[Project]:
    """The projects in which the user may take an action, by name."""
    return list(policy.visible_to(user, Project, action).order_by("name")[:COUNT_MAX])


def channels(user: Person) -> list[Channel]:
    """The ways out of the projects that the user may see, by project and name."""
    rows = policy.visible_to(user, Channel.objects.select_related("project", "created_by"), SEE)
    return list(rows.order_by("project__name", "name")[:COUNT_MAX])


def deliveries(found: Sequence[Channel]) -> dict[int, list[Delivery]]:
    """The newest messages of each channel, up to five, from the newest 200 of all."""
    kept: dict[int, list[Delivery]] = {channel.pk: [] for channel in found}
    for row in Delivery.objects.filter(channel__in=list(kept)).order_by("-id")[:200]:
        if len(kept[row.channel_id]) < FEW:
            kept[row.channel_id].append(row)
    return kept


def deliveries_of(alert: Alert) -> list[Delivery]:
    """The messages in which an alert came first, newest first."""
    rows = Delivery.objects.filter(channel__project=alert.project, key__startswith=f"alert:{alert.uuid}:")
    return list(rows.select_related("channel").order_by("-id")[:PAGE])


def owners(endpoint: Endpoint) -> QuerySet[User]:
    """Who may own an objective: everyone who sees the endpoint."""
    return policy.who_can(SEE, endpoint)
