"""The periodic evaluation: every objective is measured against the table of burn rates, logged, and opens or
ends its alerts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from monitoring.alerts.actions.raising import close, note, raise_alert
from monitoring.alerts.models import Alert, Check, Objective
from monitoring.alerts.rules import burn, text
from monitoring.alerts.rules.burn import Count, Reading, span
from monitoring.alerts.rules.moments import STEP, missed, windows_at
from monitoring.alerts.rules.state import CALM_NEEDED, OBJECTIVE_SOURCE, Answer, Severity, State, Why
from monitoring.traffic import queries as traffic
from monitoring.traffic.queries import Total
from monitoring.traffic.rules import MINUTE, ceil

log = logging.getLogger(__name__)
KEPT = timedelta(days=30)
Windows = Mapping[timedelta, Count]


def evaluate(now: datetime | None = None) -> int:
    """Measure every objective that is on, and return how many. Safe twice: a second evaluation at the same
    time finds them claimed.

    After a pause, the missed moments are evaluated first, oldest first, at most a day of them; no one is
    notified of what has ended by now, and the log has the reason. An objective that can't be evaluated
    doesn't block others. What a killed process hadn't reached is evaluated by the next one.
    """
    now = now or timezone.now()
    found = list(
        Objective.objects.filter(is_on=True)
        .select_related("endpoint__model__project", "owner")
        .order_by("pk")
    )
    measured = totals_of(found, now)
    done = 0
    for objective in found:
        try:
            counts = {
                length: objective.count_of(totals[objective.endpoint_id])
                for length, totals in measured.items()
            }
            done += catch_up(objective, now) and take(objective, counts, now, keep=True)
        except Exception as error:  # whatever is wrong with one of them
            log.exception("objective_failed objective=%s error=%s", objective.uuid, type(error).__name__)
    return done


def totals_of(objectives: Sequence[Objective], now: datetime) -> dict[timedelta, dict[int, Total]]:
    """The traffic of each window, for all endpoints together. The minute that runs counts."""
    endpoints = list({objective.endpoint_id: objective.endpoint for objective in objectives}.values())
    lengths = {*burn.WINDOWS, *(timedelta(days=objective.window_days) for objective in objectives)}
    until = ceil(now, MINUTE)
    return (
        {length: traffic.totals(endpoints, until - length, until) for length in sorted(lengths)}
        if endpoints
        else {}
    )


def catch_up(objective: Objective, now: datetime) -> bool:
    """Evaluate what was missed since the last time. False where a moment was claimed by another process, or
    could not be judged.
    """
    moments = missed(objective.read_at, now)
    if not moments:
        return True
    longest = max(burn.WINDOWS)
    points = traffic.series(objective.endpoint, moments[0] - longest, moments[-1] + STEP, STEP)
    counts = [objective.count_of(point.counts) for point in points]
    if not all(take(objective, windows_at(moment, points[0].start, counts), moment) for moment in moments):
        return False
    log.info("objective_caught_up objective=%s moments=%s", objective.uuid, len(moments))
    return True


@transaction.atomic
def take(objective: Objective, counts: Windows, moment: datetime, *, keep: bool = False) -> bool:
    """Claim a moment and judge it, both or neither. False where another process has claimed it, or someone
    has changed the objective.

    A moment that cannot be judged is passed over, so that it keeps no later one from being judged; False,
    too. keep: as in `judge`.
    """
    mine = Objective.objects.filter(pk=objective.pk, read_at=objective.read_at, revision=objective.revision)
    if not mine.update(read_at=moment):
        return False
    objective.read_at = moment
    try:
        judge(objective, counts, moment, keep=keep)
    except Exception as error:
        log.exception("objective_failed objective=%s error=%s", objective.uuid, type(error).__name__)
        return False
    return True


@transaction.atomic
def judge(objective: Objective, counts: Windows, now: datetime, *, keep: bool = False) -> Check:
    """One evaluation of one objective. keep: write the reading on the objective, for pages; counts then hold
    its whole window too.
    """
    window = timedelta(days=objective.window_days)
    readings = burn.read_rows(counts, objective.target, window)
    alerts = [
        follow(objective, severity, readings, counts, now) for severity in (Severity.PAGE, Severity.TICKET)
    ]
    answer, why, sentence = outcome(objective, readings, counts, firing=any(alerts))
    if keep:
        keep_reading(objective, readings, counts, answer)
    worst = burn.worst(readings)
    return note(
        objective.endpoint.model.project,
        objective.endpoint,
        f"{OBJECTIVE_SOURCE}:{objective.kind}",
        answer,
        why,
        sentence,
        now=now,
        objective=objective,
        value=worst.long if worst else None,
        threshold=worst.limit if worst else None,
        burns=[[reading.long, reading.short] for reading in readings],
    )


def follow(
    objective: Objective, severity: Severity, readings: Sequence[Reading], counts: Windows, now: datetime
) -> bool:
    """Open, renew or end the alert of one severity; whether it fires now."""
    mine = [reading for reading in readings if reading.row.severity == severity]
    firing = [reading for reading in mine if reading.fires]
    key = {"objective": objective.kind, "severity": severity.value}
    if firing:
        quickest, window = firing[0], timedelta(days=objective.window_days)
        message = text.burning(
            objective.endpoint.full_name, objective.kind, objective.target, window, quickest.row, counts
        )
        url = reverse("alerts:endpoint", args=[objective.endpoint.uuid])
        raise_alert(
            endpoint=objective.endpoint,
            source=OBJECTIVE_SOURCE,
            key=key,
            severity=severity,
            title=message.title,
            text=message.text,
            url=url,
            value=quickest.long,
            now=now,
        )
        return True
    calm_down(objective, key, now, calm=all(reading.calm for reading in mine))
    return False


def calm_down(objective: Objective, key: Mapping[str, Any], now: datetime, *, calm: bool) -> None:
    """Count the evaluations in a row that are clearly below the limit; the third ends the alert."""
    rows = (
        Alert.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project", "endpoint")
        .exclude(state=State.RESOLVED)
    )
    for alert in rows.filter(endpoint=objective.endpoint, source=OBJECTIVE_SOURCE):
        if alert.key != dict(key):
            continue
        alert.calm = alert.calm + 1 if calm else 0
        if alert.calm >= CALM_NEEDED:
            close(alert, text.calm(objective.kind), None, now)
        else:
            alert.save(update_fields=["calm"])


def outcome(
    objective: Objective, readings: Sequence[Reading], counts: Windows, *, firing: bool
) -> tuple[Answer, Why, str]:
    """The result of an evaluation. Nothing measured is never reported as in order."""
    if firing:
        return Answer.FIRING, Why.NONE, ""
    if any(reading.few for reading in readings):
        return Answer.SUPPRESSED, Why.FEW, text.too_few(objective.kind, readings, counts)
    if not counts[max(burn.WINDOWS)].total:
        return Answer.INSUFFICIENT, Why.NONE, f"No data in {span(max(burn.WINDOWS))}."
    return Answer.OK, Why.NONE, ""


def keep_reading(objective: Objective, readings: Sequence[Reading], counts: Windows, answer: Answer) -> None:
    """What pages and Prometheus read, so that they need not count."""
    window = timedelta(days=objective.window_days)
    rows = [
        {
            "long": reading.long,
            "short": reading.short,
            "limit": reading.limit,
            "fires": reading.fires,
            "few": reading.few,
        }
        for reading in readings
    ]
    burns = {span(length): burn.burn_rate(counts[length], 1 - objective.target) for length in burn.WINDOWS}
    left = burn.budget_of(counts[window], counts[burn.DAY], objective.target, window)
    reading = {"state": answer.value, "rows": rows, "budget": asdict(left), "burns": burns}
    Objective.objects.filter(pk=objective.pk, revision=objective.revision).update(reading=reading)


def forget_checks(now: datetime) -> int:
    """Remove lines of the log of more than 30 days ago, up to 1,000 at a time. Returns how many."""
    old = Check.objects.filter(at__lt=now - KEPT).order_by("pk").values_list("pk", flat=True)[:1000]
    return Check.objects.filter(pk__in=list(old)).delete()[0]
