"""Opens and closes alerts, whichever room noticed. Whom to notify, and when, is decided later: see
notifying.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from lifecycle.runtime.rules import check_move
from monitoring.alerts.models import Alert, Check, Objective
from monitoring.alerts.rules.state import MOVES, Answer, Severity, State, Why, fingerprint, worse
from registry.catalog.models import Endpoint
from registry.endpoints.models import Deployment
from registry.ground.access.models import Project
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

ONE_ROW = timedelta(minutes=5)  # equal answers of a rule within it share a row of the log


def raise_alert(
    *,
    endpoint: Endpoint | None,
    source: str,
    key: Mapping[str, Any],
    severity: str,
    title: str,
    text: str,
    url: str,
    value: float | None = None,
    project: Project | None = None,
    now: datetime | None = None,
) -> Alert:
    """Raise an alert; the same source and key again is the same alert, with one more occurrence. In the
    caller's transaction.

    key: what distinguishes it from others of its source, as JSON types, besides endpoint and project.
    severity: page, ticket, or digest; an open alert only ever gets more urgent. project: needed without an
    endpoint. Raises ValueError without either.
    """
    now = now or timezone.now()
    home = endpoint.model.project if endpoint else project
    if home is None:
        raise ValueError("An alert belongs to an endpoint or to a project.")
    print_ = fingerprint(source, same(endpoint, home, key))
    with transaction.atomic():
        found = (
            Alert.objects.select_for_update(no_key=True)
            .filter(fingerprint=print_)
            .exclude(state=State.RESOLVED)
            .first()
        )
        if found is None:
            live = live_deployment(endpoint)
            found = open_alert(
                fingerprint=print_,
                project=home,
                endpoint=endpoint,
                deployment=live,
                group=group_of(endpoint, live, home),
                source=source,
                key=dict(key),
                severity=Severity(severity),
                title=title[:200],
                text=text,
                url=url[:300],
                value=value,
                first_at=now,
                last_at=now,
            )
            if found is not None:
                record(
                    None,
                    Verb.ALERT_FIRED,
                    found,
                    project=home.uuid,
                    source=source,
                    severity=severity,
                    endpoint=endpoint.uuid if endpoint else None,
                )
                return found
            found = (
                Alert.objects.select_for_update(no_key=True)
                .exclude(state=State.RESOLVED)
                .get(fingerprint=print_)
            )
        return see_again(found, severity, title, text, value, now)


def renew_alert(
    *,
    endpoint: Endpoint,
    source: str,
    key: Mapping[str, Any],
    severity: str,
    title: str,
    text: str,
    value: float | None,
    now: datetime,
) -> Alert | None:
    """Note that an alert is still so, as `raise_alert` does. None where no such alert is open."""
    print_ = fingerprint(source, same(endpoint, endpoint.model.project, key))
    with transaction.atomic():
        rows = Alert.objects.select_for_update(no_key=True).exclude(state=State.RESOLVED)
        found = rows.filter(fingerprint=print_).first()
        return see_again(found, severity, title, text, value, now) if found else None


def open_alert(**fields: Any) -> Alert | None:
    """The new row; None when another process has opened the same meanwhile."""
    try:
        with transaction.atomic():
            return Alert.objects.create(**fields)
    except IntegrityError:
        return None


def see_again(
    alert: Alert, severity: str, title: str, text: str, value: float | None, now: datetime
) -> Alert:
    """Count another occurrence. A more urgent severity notifies again and drops the acknowledgement."""
    more = worse(alert.severity, severity)
    if more != alert.severity:
        had = alert.acknowledged_by.uuid if alert.acknowledged_by else None
        record(
            None,
            Verb.ALERT_ESCALATED,
            alert,
            project=alert.project.uuid,
            old=alert.severity,
            severity=more,
            acknowledged_by=had,
        )
        alert.severity, alert.notified_at, alert.state = more, None, State.FIRING
        alert.acknowledged_at = alert.acknowledged_by = None
    alert.title, alert.text, alert.value, alert.calm = title[:200], text, value, 0
    alert.count, alert.last_at = alert.count + 1, max(now, alert.last_at)
    alert.save()
    return alert


def resolve_alert(
    *,
    source: str,
    key: Mapping[str, Any],
    endpoint: Endpoint | None,
    text: str,
    project: Project | None = None,
    now: datetime | None = None,
) -> Alert | None:
    """Resolve the alert. None where no such alert is open."""
    home = endpoint.model.project if endpoint else project
    if home is None:
        raise ValueError("An alert belongs to an endpoint or to a project.")
    with transaction.atomic():
        rows = Alert.objects.select_for_update(no_key=True).exclude(state=State.RESOLVED)
        found = rows.filter(fingerprint=fingerprint(source, same(endpoint, home, key))).first()
        return close(found, text, None, now or timezone.now()) if found else None


def close(alert: Alert, text: str, actor: Any, now: datetime) -> Alert:
    """The end of an alert that the caller has locked. actor: None for the rule that opened it."""
    check_move("alert", MOVES, State(alert.state), State.RESOLVED)
    alert.state, alert.resolved_at, alert.resolved_by, alert.resolution = (
        State.RESOLVED,
        now,
        actor,
        text[:500],
    )
    alert.save()
    if alert.notified_at is None and alert.severity != Severity.DIGEST:
        note(
            alert.project,
            alert.endpoint,
            alert.source,
            Answer.SUPPRESSED,
            Why.OVERTAKEN,
            "It ended before anyone was notified.",
            alert=alert,
            now=now,
        )
    record(actor, Verb.ALERT_RESOLVED, alert, project=alert.project.uuid, reason=text[:500])
    return alert


def note_suppressed(
    *,
    endpoint: Endpoint,
    source: str,
    why: str,
    text: str,
    value: float | None = None,
    threshold: float | None = None,
    now: datetime | None = None,
) -> Check:
    """Log a condition that notified no one, with the reason: one of Why, and a sentence."""
    return note(
        endpoint.model.project,
        endpoint,
        source,
        Answer.SUPPRESSED,
        Why(why),
        text,
        value=value,
        threshold=threshold,
        now=now or timezone.now(),
    )


def note(
    project: Project,
    endpoint: Endpoint | None,
    rule: str,
    state: Answer,
    why: Why,
    sentence: str,
    *,
    now: datetime,
    alert: Alert | None = None,
    objective: Objective | None = None,
    value: float | None = None,
    threshold: float | None = None,
    burns: list[list[float | None]] | None = None,
) -> Check:
    """Log one evaluation. The same result within five minutes is counted in the existing row."""
    last = (
        Check.objects.filter(project=project, endpoint=endpoint, rule=rule, alert=alert, objective=objective)
        .order_by("-id")
        .first()
    )
    if (
        last
        and last.state == state
        and last.why == why
        and last.message == sentence[:300]
        and now - last.begin < ONE_ROW
    ):
        Check.objects.filter(pk=last.pk).update(times=F("times") + 1, at=now)
        return last
    return Check.objects.create(
        project=project,
        endpoint=endpoint,
        rule=rule,
        state=state,
        why=why,
        message=sentence[:300],
        begin=now,
        at=now,
        alert=alert,
        objective=objective,
        value=value,
        threshold=threshold,
        burns=burns or [],
    )


def same(endpoint: Endpoint | None, project: Project, key: Mapping[str, Any]) -> dict[str, Any]:
    """The key with the thing it is about."""
    return {**key, "endpoint": str(endpoint.uuid) if endpoint else None, "project": str(project.uuid)}


def live_deployment(endpoint: Endpoint | None) -> Deployment | None:
    """What serves now, which is part of what alerts are grouped by."""
    rows = Deployment.objects.filter(endpoint=endpoint, arm=Deployment.Arm.STABLE, ended_at=None)
    return rows.first() if endpoint else None


def group_of(endpoint: Endpoint | None, live: Deployment | None, project: Project) -> str:
    """The group of alerts that notify together: those of an endpoint under one deployment, or of a project
    without an endpoint.
    """
    return f"{endpoint.uuid}:{str(live.uuid)[:8] if live else ''}" if endpoint else f"{project.uuid}:"
