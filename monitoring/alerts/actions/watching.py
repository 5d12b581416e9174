"""Who watches the watcher: the evaluation leaves a heartbeat, and other processes raise a page when it is
missing for two minutes.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime, timedelta

import httpx
from django.conf import settings
from django.db import close_old_connections, transaction
from django.utils import timezone

from lifecycle.ground.notices import delivery
from lifecycle.ui.numbers import duration
from monitoring.alerts import queries
from monitoring.alerts.actions import notifying
from monitoring.alerts.actions.raising import raise_alert, resolve_alert
from monitoring.alerts.actions.reading import serving_projects
from monitoring.alerts.models import Alert, Heartbeat
from monitoring.alerts.rules.state import HEARTBEAT_MAX, HEARTBEAT_SOURCE, Severity, State, is_missed

log = logging.getLogger(__name__)
EVALUATION, OUTBOUND = Heartbeat.EVALUATION, "outbound"
KEY = {"process": EVALUATION}
LOOK_SECONDS = 15.0
PING = timedelta(minutes=1)
STARTED = timezone.now()  # of this process: what was missed before it began is not its concern yet


def beat(now: datetime | None = None) -> None:
    """The evaluation has run to its end; a page about its absence ends with it."""
    moment = now or timezone.now()
    Heartbeat.objects.update_or_create(name=EVALUATION, defaults={"at": moment})
    for alert in (
        Alert.objects.filter(source=HEARTBEAT_SOURCE).exclude(state=State.RESOLVED).select_related("project")
    ):
        resolve_alert(
            source=HEARTBEAT_SOURCE,
            key=KEY,
            endpoint=None,
            project=alert.project,
            text="Alerts are evaluated again.",
            now=moment,
        )


def is_evaluation_missed(now: datetime | None = None, *, started: datetime | None = None) -> bool:
    """Whether no one has evaluated alerts for two minutes. started: since when this process looks, by default
    since its start: an installation that was off all night is given two minutes after it starts.
    """
    return is_missed(queries.last_beat(), started or STARTED, now or timezone.now())


def check_heartbeat(now: datetime | None = None, *, started: datetime | None = None) -> bool:
    """Raise a page, in every project that serves, when no one has evaluated alerts for two minutes; whether
    that is so.

    Called by processes other than the one that evaluates.
    """
    moment, last = now or timezone.now(), queries.last_beat()
    if not is_evaluation_missed(moment, started=started):
        return False
    since = f"for {duration(moment - last)}" if last else "since installation"
    with transaction.atomic():
        for project in serving_projects():
            raise_alert(
                endpoint=None,
                project=project,
                source=HEARTBEAT_SOURCE,
                key=KEY,
                severity=Severity.PAGE,
                title="Alerts aren't being evaluated",
                text=(
                    f"Alert evaluation hasn't run {since}; it should run every 30 s. No other alert can fire"
                    " until it does. Check that beat and the default worker are running."
                ),
                url="/readyz",
                now=moment,
            )
    return True


def look(now: datetime | None = None, *, started: datetime | None = None) -> bool:
    """Check once: a process that finds the evaluation missing also notifies and sends, since no other may be
    running to do it.
    """
    missing = check_heartbeat(now, started=started)
    if missing:
        notifying.notify_due(now)
        delivery.deliver_due(now)
    return missing


def watch(stop: threading.Event, *, seconds: float = LOOK_SECONDS) -> None:
    """Look again and again until stopped. A watcher that slept itself, as when a machine was suspended,
    starts its two minutes again.
    """
    started, last = timezone.now(), time.time()
    while not stop.wait(seconds):
        if time.time() - last > 4 * seconds:
            started = timezone.now()
        last = time.time()
        try:
            look(started=started)
        except Exception as error:  # a database that is away for a while
            log.warning("watch_failed error=%s", type(error).__name__)
        finally:
            close_old_connections()


def start(**_: object) -> threading.Event:
    """Watch in a thread of this process; returns what stops it."""
    stop = threading.Event()
    threading.Thread(target=watch, args=[stop], name="watch-alerts", daemon=True).start()
    return stop


def ping(now: datetime | None = None) -> bool:
    """Call the watcher outside, at most once a minute, for as long as the evaluation runs; whether it was
    called and answered.
    """
    moment, last = now or timezone.now(), queries.last_beat()
    if not settings.HEARTBEAT_URL or last is None or moment - last > HEARTBEAT_MAX:
        return False
    kept, made = Heartbeat.objects.get_or_create(name=OUTBOUND, defaults={"at": moment})
    if not made and not Heartbeat.objects.filter(pk=kept.pk, at__lte=moment - PING).update(at=moment):
        return False
    try:
        return httpx.get(settings.HEARTBEAT_URL, timeout=5, follow_redirects=True).is_success
    except httpx.HTTPError as error:
        log.warning("heartbeat_not_taken error=%s", type(error).__name__)
        return False
