"""Turns events of other rooms into alerts. Read by cursor from the outbox; each handler is safe twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import OperationalError, transaction
from django.urls import reverse
from django.utils import timezone

from lifecycle.ground.notices import outbox
from lifecycle.ground.notices.models import Outbox
from lifecycle.ui.addresses import find_url
from monitoring.alerts.actions.raising import close, raise_alert, renew_alert, resolve_alert
from monitoring.alerts.models import Alert, Objective
from monitoring.alerts.rules.objectives import Kind, share
from monitoring.alerts.rules.state import DRIFT_SOURCE, SERVER_SOURCE, Severity, State
from monitoring.drift import judging
from monitoring.drift.rules import Monitor
from registry.catalog.models import Endpoint
from registry.endpoints import steering
from registry.endpoints.models import Deployment
from registry.endpoints.queries.reports import problem_for
from registry.ground.access.models import Project

log = logging.getLogger(__name__)
BACK = "The measure is back below its limit."  # of events without a reason
READER = "alerts"
LOAD, STOPPED = "load", "canary_stopped"


def read_outbox(now: datetime | None = None) -> int:
    """Take in what happened since the last time; returns how many things. One that cannot be understood is
    logged and passed over.
    """
    moment, read = now or timezone.now(), 0
    for row in outbox.read(READER, *HANDLERS):
        try:
            with transaction.atomic():
                HANDLERS[row.topic](row, moment)
        except OperationalError:  # of the database, not of the row, which comes again
            raise
        except Exception:
            log.exception("outbox_row_failed row=%s topic=%s", row.pk, row.topic)
        read += 1
    end_left(moment)
    return read


def drift_opened(row: Outbox, now: datetime) -> None:
    """A ticket: what comes in is not what the version was evaluated on. The same monitor of the same version
    is one alert.

    A page where accuracy fell below the endpoint's objective of quality.
    """
    if (endpoint := endpoint_of(row.payload)) and (fields := alert_fields(endpoint, row.payload)):
        url = find_url("drift:endpoint", uuid=endpoint.uuid) or page_of(endpoint)
        raise_alert(
            endpoint=endpoint, source=DRIFT_SOURCE, key=drift_key(row.payload), url=url, now=now, **fields
        )


def drift_measured(row: Outbox, now: datetime) -> None:
    """Update the open alert with what another window measured. One that a person has resolved stays
    resolved.
    """
    if (endpoint := endpoint_of(row.payload)) and (fields := alert_fields(endpoint, row.payload)):
        renew_alert(endpoint=endpoint, source=DRIFT_SOURCE, key=drift_key(row.payload), now=now, **fields)


def alert_fields(endpoint: Endpoint, payload: dict[str, Any]) -> dict[str, Any]:
    """severity, title, text and value of an alert about drift, in the words and units of the page of drift;
    empty for no such monitor.
    """
    value, limit = number(payload.get("value")), number(payload.get("limit"))
    if payload.get("monitor") not in Monitor.values or value is None or limit is None:
        return {}
    monitor, severity = Monitor(payload["monitor"]), Severity.TICKET
    now = (
        "above its limit"
        if value > limit
        else "back within its limit; the alert resolves after three windows well below it"
    )
    text = (
        f"{monitor.label}: {judging.against(monitor, value, limit)}; {now}. Check the histograms and the most"
        " characteristic texts."
    )
    accuracy, target = number(payload.get("accuracy")), quality_target(endpoint)
    if accuracy is not None and target is not None and accuracy < target:
        severity = Severity.PAGE
        text = f"Accuracy is below the objective of {share(target)} correct predictions. {text}"
    return {
        "severity": severity,
        "title": f"{endpoint.full_name}: drift in {monitor.label.lower()}",
        "text": text,
        "value": value,
    }


def drift_closed(row: Outbox, now: datetime) -> None:
    """The end of that ticket."""
    if endpoint := endpoint_of(row.payload):
        resolve_alert(
            source=DRIFT_SOURCE,
            key=drift_key(row.payload),
            endpoint=endpoint,
            text=row.payload.get("reason") or BACK,
            now=now,
        )


def quality_target(endpoint: Endpoint) -> float | None:
    """The share of correct predictions that an endpoint should have; None without an objective for it."""
    target: float | None = (
        Objective.objects.filter(endpoint=endpoint, kind=Kind.QUALITY, is_on=True)
        .values_list("target", flat=True)
        .first()
    )
    return target


def drift_key(payload: dict[str, Any]) -> dict[str, Any]:
    """The key of a drift alert: the monitor and the version, so that reopening it is the same alert."""
    return {"monitor": payload.get("monitor"), "version": payload.get("version")}


def server_problem(row: Outbox, now: datetime) -> None:
    """A page in every project that serves: a server cannot follow the routes. An empty problem ends it."""
    name, problem = str(row.payload.get("server", "")), str(row.payload.get("problem", ""))
    key = {"server": name}
    if not problem:
        for alert in (
            Alert.objects.filter(source=SERVER_SOURCE).exclude(state=State.RESOLVED).select_related("project")
        ):
            detail = "The server reports no problems."
            resolve_alert(
                source=SERVER_SOURCE, key=key, endpoint=None, project=alert.project, text=detail, now=now
            )
        return
    for project in serving_projects():
        detail = problem_for(project.pk, problem)
        raise_alert(
            endpoint=None,
            project=project,
            source=SERVER_SOURCE,
            key=key,
            severity=Severity.PAGE,
            title=f"Inference server {name or 'default'} can't apply the current config",
            text=f"{detail} It stays on config v{row.payload.get('epoch')}; traffic changes don't reach it.",
            url=reverse("endpoints:list"),
            now=now,
        )


def load_refused(row: Outbox, now: datetime) -> None:
    """A page when the version was to take all traffic, a ticket for a canary or a shadow."""
    deployment = deployment_of(row.payload)
    if deployment is None or deployment.ended_at:
        return
    endpoint, semver = deployment.endpoint, deployment.version.semver
    severity = Severity.PAGE if deployment.arm == Deployment.Arm.STABLE else Severity.TICKET
    damaged = " It's damaged and in quarantine." if row.payload.get("quarantined") else ""
    raise_alert(
        endpoint=endpoint,
        source=LOAD,
        key={"deployment": str(deployment.uuid)},
        severity=severity,
        title=f"{endpoint.full_name}: a server refused to load {semver}",
        text=(
            f"{semver} should serve as {deployment.get_arm_display().lower()} but doesn't.{damaged} The"
            " server keeps its version."
        ),
        url=page_of(endpoint),
        now=now,
    )


def load_recovered(row: Outbox, now: datetime) -> None:
    """The end of that alert."""
    if deployment := deployment_of(row.payload):
        key = {"deployment": str(deployment.uuid)}
        resolve_alert(
            source=LOAD,
            key=key,
            endpoint=deployment.endpoint,
            text="All servers have loaded the version.",
            now=now,
        )


def canary_stopped(row: Outbox, now: datetime) -> None:
    """A ticket when a server stopped it, a line of the digest when a person did; nothing for a rollout's
    canary, whose page shows it.
    """
    deployment, person = deployment_of(row.payload), bool(row.payload.get("by"))
    if deployment is None or (row.payload.get("steered") and not person):
        return
    endpoint, (_, word) = deployment.endpoint, steering.ends_of([deployment])[deployment.pk]
    title = f"{endpoint.full_name}: the canary {deployment.version.semver} was {word.lower()}"
    text = f"All traffic is on the stable version. {deployment.end_reason}".strip()
    raise_alert(
        endpoint=endpoint,
        source=STOPPED,
        key={"deployment": str(deployment.uuid)},
        severity=Severity.DIGEST if person else Severity.TICKET,
        title=title,
        text=text,
        url=reverse("endpoints:deployment", args=[deployment.uuid]),
        now=now,
    )


def end_left(now: datetime) -> int:
    """End the alerts whose deployment no one wants loaded any more, or whose version is not live any more.
    Returns how many.

    Three statements, however many alerts are open.
    """
    ended = 0
    for row in left(
        list(Alert.objects.filter(source__in=(LOAD, DRIFT_SOURCE)).exclude(state=State.RESOLVED))
    ):
        with transaction.atomic():
            alert = (
                Alert.objects.select_for_update(of=("self",), no_key=True)
                .select_related("project", "endpoint")
                .get(pk=row.pk)
            )
            if alert.is_open:
                close(
                    alert,
                    "The deployment ended." if alert.source == LOAD else "Its version is no longer live.",
                    None,
                    now,
                )
                ended += 1
    return ended


def left(alerts: Sequence[Alert]) -> list[Alert]:
    """Of alerts about a load or about drift, those whose subject has ended."""
    wanted = [uuid_of(each.key, "deployment") for each in alerts if each.source == LOAD]
    over = (
        set(Deployment.objects.filter(uuid__in=wanted, ended_at__isnull=False).values_list("uuid", flat=True))
        if wanted
        else set()
    )
    drifting = {each.endpoint_id for each in alerts if each.source == DRIFT_SOURCE}
    rows = Deployment.objects.filter(endpoint__in=drifting, arm=Deployment.Arm.STABLE, ended_at=None)
    live: dict[int | None, UUID] = dict(rows.values_list("endpoint", "version__uuid")) if drifting else {}

    def is_left(alert: Alert) -> bool:
        if alert.source == LOAD:
            return uuid_of(alert.key, "deployment") in over
        return live.get(alert.endpoint_id) != uuid_of(alert.key, "version")

    return [each for each in alerts if is_left(each)]


def serving_projects() -> list[Project]:
    """The projects with something live."""
    live = Deployment.objects.filter(ended_at=None).values("endpoint__model__project")
    return list(Project.objects.filter(pk__in=live).order_by("pk"))


def endpoint_of(payload: dict[str, Any]) -> Endpoint | None:
    """The endpoint that a payload names."""
    return Endpoint.objects.select_related("model__project").filter(uuid=uuid_of(payload, "endpoint")).first()


def deployment_of(payload: dict[str, Any]) -> Deployment | None:
    """The deployment that a payload names."""
    rows = Deployment.objects.select_related("endpoint__model__project", "version")
    return rows.filter(uuid=uuid_of(payload, "deployment")).first()


def page_of(endpoint: Endpoint) -> str:
    """The endpoint's page."""
    return reverse("endpoints:detail", args=[endpoint.uuid])


def uuid_of(payload: dict[str, Any], name: str) -> UUID:
    """The uuid under a name; one that nothing has where there is none."""
    try:
        return UUID(str(payload.get(name)))
    except ValueError:
        return UUID(int=0)


def number(value: Any) -> float | None:
    """A payload's number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


HANDLERS: dict[str, Callable[[Outbox, datetime], None]] = {
    "drift.opened": drift_opened,
    "drift.measured": drift_measured,
    "drift.closed": drift_closed,
    "endpoints.server_problem": server_problem,
    "endpoints.load_refused": load_refused,
    "endpoints.load_recovered": load_recovered,
    "endpoints.canary_stopped": canary_stopped,
}
