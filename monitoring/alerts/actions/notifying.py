"""Whom to notify of open alerts, and when: pages at once, tickets together, the rest once a day. What is
suppressed is logged with why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Max
from django.urls import reverse
from django.utils import timezone

from lifecycle.ground.notices import delivery
from lifecycle.ground.notices.actions import notify
from lifecycle.ui.numbers import count
from monitoring.alerts.actions.raising import close, note
from monitoring.alerts.models import Alert, Check, Heartbeat, Objective, Silence
from monitoring.alerts.rules.state import (
    FLAP_WINDOW,
    OBJECTIVE_SOURCE,
    RANK,
    SERVER_SOURCE,
    Answer,
    Severity,
    State,
    Why,
    is_due,
    is_flapping,
)
from registry.ground.access.models import Project, User
from registry.ground.access.policy import who_can

DIGEST_HOUR = 8  # UTC
DIGEST, RESOLVED = "digest", "resolved"
LINES_MAX = 30


def notify_due(now: datetime | None = None) -> int:
    """Send the notifications that are due; returns the number of alerts. Rows are claimed, so no two
    processes send the same.
    """
    moment, sent = now or timezone.now(), 0
    inhibit()
    groups: dict[str, list[Alert]] = defaultdict(list)
    for alert in open_rows():
        groups[alert.group].append(alert)
    silences = in_force(moment)
    last_messages = dict(
        Alert.objects.filter(group__in=groups).order_by().values_list("group").annotate(Max("notified_at"))
    )
    for group, alerts in groups.items():
        last = last_messages[group]
        due = [
            alert
            for alert in alerts
            if is_due(
                alert.severity,
                alert.first_at,
                alert.notified_at,
                last,
                firing=alert.state == State.FIRING,
                now=moment,
            )
        ]
        free = [alert for alert in due if not held_back(alert, silences, moment)]
        if free:
            sent += send(free, moment)
    notify_resolved(moment)
    return sent


def open_rows() -> list[Alert]:
    """Open alerts that no one has acknowledged, the most urgent first."""
    rows = Alert.objects.filter(state=State.FIRING).select_related(
        "project", "endpoint__model__project", "inhibited_by"
    )
    return sorted(rows, key=lambda alert: (RANK[Severity(alert.severity)], alert.pk))


def inhibit() -> None:
    """Note which open alerts a page makes unimportant: tickets of an endpoint whose page is open, and tickets
    of a project whose server cannot follow the routes.
    """
    rows = list(Alert.objects.exclude(state=State.RESOLVED).order_by("pk"))
    pages = [row for row in rows if row.severity == Severity.PAGE]
    by_endpoint = {row.endpoint_id: row.pk for row in reversed(pages) if row.endpoint_id}
    by_project = {row.project_id: row.pk for row in reversed(pages) if row.source == SERVER_SOURCE}
    for row in rows:
        by = None
        if row.severity != Severity.PAGE:
            by = by_endpoint.get(row.endpoint_id) if row.endpoint_id else None
            by = by or by_project.get(row.project_id)
        if by != row.inhibited_by_id:
            Alert.objects.filter(pk=row.pk).update(inhibited_by=by)


def in_force(now: datetime) -> list[Silence]:
    """The active silences."""
    return list(Silence.objects.filter(ended_at=None, until__gt=now).select_related("author"))


def silenced_by(alert: Alert, silences: Iterable[Silence]) -> Silence | None:
    """The active silence that covers an alert; None where none does."""
    for silence in silences:
        here = silence.project_id == alert.project_id and silence.endpoint_id in (None, alert.endpoint_id)
        if here and silence.source in ("", alert.source):
            return silence
    return None


def held_back(alert: Alert, silences: Sequence[Silence], now: datetime) -> bool:
    """Whether the notification of a due alert is suppressed for now. The reason is logged; it is sent once
    the reason no longer applies.
    """
    why, text = Why.NONE, ""
    if silence := silenced_by(alert, silences):
        why, text = Why.SILENCED, f"Silenced by {silence.author} until {silence.until:%-d %b %H:%M} UTC."
    elif alert.inhibited_by_id:
        why, text = Why.INHIBITED, "Inhibited by an open page."
    elif is_flapping(openings(alert, now), alert.first_at, now):
        why, text = (
            Why.FLAPPING,
            "It fired three times within the hour; it notifies once it stays open for 10 minutes.",
        )
    if why:
        note(
            alert.project,
            alert.endpoint,
            alert.source,
            Answer.SUPPRESSED,
            why,
            text,
            alert=alert,
            value=alert.value,
            now=now,
        )
    return bool(why)


def openings(alert: Alert, now: datetime) -> int:
    """How often the same alert was opened within the hour."""
    return Alert.objects.filter(fingerprint=alert.fingerprint, first_at__gt=now - FLAP_WINDOW).count()


@transaction.atomic
def send(alerts: Sequence[Alert], now: datetime) -> int:
    """Send one message about the alerts of a group: to people in the product about all, to each channel about
    the severities it wants.
    """
    firing = Alert.objects.filter(state=State.FIRING)
    mine = [
        alert
        for alert in alerts
        if firing.filter(pk=alert.pk, notified_at=alert.notified_at).update(notified_at=now)
    ]
    if not mine:
        return 0
    notify(people(mine), *heading(mine))
    for channel in delivery.channels(mine[0].project):
        if wanted := [alert for alert in mine if alert.severity in channel.wants]:
            subject, url = heading(wanted)
            delivery.post(
                channel,
                key=f"alert:{wanted[0].uuid}:{now:%Y%m%dT%H%M%S}",
                subject=subject,
                url=url,
                data=document("firing", wanted),
                text="\n\n".join(f"{alert.title}\n{alert.text}" for alert in wanted),
                now=now,
            )
    return len(mine)


def heading(alerts: Sequence[Alert]) -> tuple[str, str]:
    """The subject of a message about alerts, the most urgent first, and the page that it leads to."""
    lead, label = alerts[0], Severity(alerts[0].severity).label
    if len(alerts) == 1:
        return f"{label}: {lead.title}", page_of(lead)
    return f"{label}: {len(alerts)} alerts: {lead.title}", reverse("alerts:list")


def people(alerts: Sequence[Alert]) -> list[User]:
    """On-call and leads of what the alerts are about, and the owners of objectives."""
    lead = alerts[0]
    found = list(who_can("alerts.acknowledge", lead.endpoint or lead.project))
    kinds = [alert.key.get("objective") for alert in alerts if alert.source == OBJECTIVE_SOURCE]
    owners = Objective.objects.filter(
        endpoint=lead.endpoint, kind__in=kinds, owner__is_active=True
    ).select_related("owner")
    return found + [row.owner for row in owners if row.owner]


def notify_resolved(now: datetime) -> int:
    """Send resolved messages to the channels that got an alert. Those resolved more than an hour ago are
    skipped.
    """
    rows = Alert.objects.filter(
        state=State.RESOLVED, resolved_at__gt=now - timedelta(hours=1), notified_at__isnull=False
    )
    ended = 0
    rows = rows.filter(notified_at__lte=F("resolved_at")).exclude(severity=Severity.DIGEST)
    for alert in rows.select_related("project", "endpoint__model__project"):
        ended += delivery.broadcast(
            alert.project,
            alert.severity,
            key=f"alert:{alert.uuid}:{RESOLVED}",
            subject=f"Resolved: {alert.title}",
            text=alert.resolution,
            url=page_of(alert),
            data=document(RESOLVED, [alert]),
            now=now,
        )
    return ended


def document(event: str, alerts: Sequence[Alert]) -> dict[str, Any]:
    """The payload of a webhook."""
    return {
        "event": f"alert.{event}",
        "severity": alerts[0].severity,
        "group": alerts[0].group,
        "alerts": [
            {
                "uuid": str(alert.uuid),
                "fingerprint": alert.fingerprint,
                "severity": alert.severity,
                "state": alert.state,
                "source": alert.source,
                "title": alert.title,
                "endpoint": alert.endpoint.full_name if alert.endpoint else None,
                "value": alert.value,
                "first_at": alert.first_at.isoformat(timespec="seconds"),
                "count": alert.count,
            }
            for alert in alerts
        ],
    }


def page_of(alert: Alert) -> str:
    """The page of an alert."""
    return reverse("alerts:detail", args=[alert.uuid])


def digest(now: datetime | None = None) -> int:
    """Once a day, from 8:00 UTC on: one message a project about what was raised since the last one. Returns
    how many projects got it.
    """
    moment = now or timezone.now()
    today = moment.replace(hour=DIGEST_HOUR, minute=0, second=0, microsecond=0)
    if moment < today:
        return 0
    kept, made = Heartbeat.objects.get_or_create(name=DIGEST, defaults={"at": today})
    since = today - timedelta(days=1) if made else kept.at
    with transaction.atomic():
        if not made and not Heartbeat.objects.filter(pk=kept.pk, at__lt=today).update(at=today):
            return 0
        return sum(digest_of(project, since, today, moment) for project in with_alerts(since))


def with_alerts(since: datetime) -> list[Project]:
    """The projects in which anything was raised or is open."""
    rows = Alert.objects.filter(first_at__gte=since).values("project") | Alert.objects.exclude(
        state=State.RESOLVED
    ).values("project")
    return list(Project.objects.filter(pk__in=rows).order_by("pk"))


def digest_of(project: Project, since: datetime, until: datetime, now: datetime) -> bool:
    """Send the digest of one project. It resolves the digest alerts it contains, since reading them is all
    they ask for.
    """
    raised = Alert.objects.select_for_update(of=("self",), no_key=True).filter(
        project=project, first_at__lt=until, first_at__gte=since
    )
    rows = list(raised.order_by("pk"))
    still = list(
        Alert.objects.filter(project=project)
        .exclude(state=State.RESOLVED)
        .exclude(severity=Severity.DIGEST)
        .order_by("pk")
    )
    held = Check.objects.filter(project=project, state=Answer.SUPPRESSED, at__gte=since, at__lt=until).count()
    if not rows and not still:
        return False
    body = digest_text(rows, still, held)
    subject = f"Digest: {count(len(rows))} raised, {count(len(still))} open"
    notify(who_can("alerts.acknowledge", project), f"{subject} in {project}", reverse("alerts:list"))
    delivery.broadcast(
        project,
        DIGEST,
        key=f"digest:{until:%Y-%m-%d}",
        subject=subject,
        text=body,
        url=reverse("alerts:list"),
        data={
            "event": "alert.digest",
            "since": since.isoformat(),
            "raised": len(rows),
            "open": len(still),
            "held_back": held,
        },
        now=now,
    )
    read = (
        Alert.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project", "endpoint")
        .exclude(state=State.RESOLVED)
    )
    for alert in read.filter(project=project, severity=Severity.DIGEST, first_at__lt=until).order_by("pk"):
        alert.notified_at = now
        close(alert, "Included in the digest.", None, now)
    return True


def digest_text(rows: Sequence[Alert], still: Sequence[Alert], held: int) -> str:
    """The message of a day."""
    parts = []
    for title, found in (("Open now", still), ("Raised since the last digest", rows)):
        lines = [
            f"- {Severity(alert.severity).label}: {alert.title} ({State(alert.state).label.lower()})"
            for alert in found[:LINES_MAX]
        ]
        if len(found) > LINES_MAX:
            lines.append(f"- and {count(len(found) - LINES_MAX)} more")
        parts.append("\n".join([title, *(lines or ["- none"])]))
    parts.append(
        f"{count(held)} evaluations were suppressed; the log has the reasons."
        if held
        else "Nothing was suppressed."
    )
    return "\n\n".join(parts)
