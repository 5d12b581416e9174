"""The beat's turn: measure the windows that are over and were not looked at yet."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils import timezone

from monitoring.drift import queries
from monitoring.drift.actions.measure import close_left, lock, look, measure
from monitoring.drift.actions.texts import check_texts_of_day
from monitoring.drift.models import DriftReport
from monitoring.drift.rules import (
    BACK,
    DAY,
    HOUR,
    MANY,
    SETTLE,
    WINDOWS_AT_ONCE,
    Span,
    last_day,
    last_hour,
    spans,
)
from monitoring.traffic import queries as traffic
from monitoring.traffic.counts import Counts, merge
from monitoring.traffic.rules import SHADOW
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints.models import Deployment
from registry.endpoints.queries.deployments import live_deployment

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """Who answered in a window: the version with most answers as the stable arm, and its counts in all arms
    that clients got.
    """

    version: ModelVersion
    counts: Counts


def tick(now: datetime | None = None) -> int:
    """Measure what is due on every endpoint that ever had a version, and queue its texts. Returns how many
    windows were measured.

    Open episodes of versions that aren't live anymore end first. Once no window is due, the last hour is
    looked at.

    What goes wrong on one endpoint is logged and does not keep the others from their turn.
    """
    now = now or timezone.now()
    done = 0
    rows = (
        Endpoint.objects.filter(deployments__arm=Deployment.Arm.STABLE)
        .distinct()
        .select_related("model__project")
    )
    for endpoint in rows:
        try:
            leave(endpoint, now)
            made = len(catch_up(endpoint, now))
            done += made
            if made < WINDOWS_AT_ONCE:
                look_back(endpoint, now)
            due_texts(endpoint, now)
        except Exception:
            log.exception("drift_turn_failed endpoint=%s", endpoint.uuid)
    return done


def catch_up(
    endpoint: Endpoint, now: datetime, *, back: timedelta = BACK, most: int = WINDOWS_AT_ONCE
) -> list[DriftReport]:
    """Measure the windows that ended since the last one looked at, each once, oldest first, `most` of them;
    the rest comes next time.

    back: no window that ended longer ago is looked at.
    """
    since = queries.last_end(endpoint)
    if since and since + HOUR + SETTLE > now:
        return []
    intervals = stable_intervals(endpoint)
    since = since or first_moment(endpoint, intervals, now - back, now)
    if since is None:
        return []
    since = max(since, now - back)
    made: list[DriftReport] = []
    for span in spans(since, now, answers_by_day(endpoint, since, now), back):
        found = answered(endpoint, span, intervals)
        if found:
            made.append(measure(endpoint, found.version, span, counts=found.counts))
        if len(made) == most:
            break
    return made


@transaction.atomic
def leave(endpoint: Endpoint, now: datetime) -> None:
    """End the open episodes of versions that aren't live anymore."""
    if queries.open_episodes(endpoint):
        lock(endpoint)
        close_left(endpoint, now)


def look_back(endpoint: Endpoint, now: datetime) -> DriftReport | None:
    """Look at the last hour of what is live, if so much was answered that one hour may be enough."""
    live, span = live_deployment(endpoint), last_hour(now)
    if live is None:
        return None
    counts = traffic.total(endpoint, span.start, span.end, live.version)
    return look(endpoint, live.version, span, counts) if counts.answers >= MANY else None


def stable_intervals(endpoint: Endpoint) -> list[Deployment]:
    """What was live on an endpoint, oldest first."""
    rows = Deployment.objects.filter(endpoint=endpoint, arm=Deployment.Arm.STABLE)
    return list(
        rows.select_related("version__model", "version__folder", "version__evaluation").order_by(
            "started_at", "id"
        )
    )


def first_moment(
    endpoint: Endpoint, intervals: Sequence[Deployment], earliest: datetime, now: datetime
) -> datetime | None:
    """Where to begin: the first day with an answer, or the first deployment; None where there is neither."""
    points = traffic.series(endpoint, earliest, now, DAY)
    first = next((point.start for point in points if point.counts.answers), None)
    starts = [moment for moment in (first, intervals[0].started_at if intervals else None) if moment]
    return min(starts, default=None)


def answers_by_day(endpoint: Endpoint, since: datetime, now: datetime) -> Mapping[date, int]:
    """How many answers each day had, from the day before `since` on."""
    points = traffic.series(endpoint, since - DAY, now, DAY)
    return {point.start.date(): point.counts.answers for point in points}


def answered(endpoint: Endpoint, span: Span, intervals: Sequence[Deployment]) -> Answered | None:
    """Who answered in a window; with no answers at all, the version that was live at its end. None where
    there was none.
    """
    points = traffic.series(endpoint, span.start, span.end, span.end - span.start)
    arms = points[0].arms if points else {}
    stable = {
        semver: counts.answers
        for (semver, arm), counts in arms.items()
        if semver and arm == "stable" and counts.answers
    }
    if stable:
        most = max(stable, key=lambda semver: (stable[semver], semver))
        version = ModelVersion.objects.select_related("model", "folder", "evaluation").get(
            model=endpoint.model_id, semver=most
        )
        return Answered(
            version,
            merge(counts for (semver, arm), counts in arms.items() if semver == most and arm != SHADOW),
        )
    live = [
        row
        for row in intervals
        if row.started_at < span.end and (row.ended_at is None or row.ended_at > span.start)
    ]
    return Answered(live[-1].version, Counts()) if live else None


def due_texts(endpoint: Endpoint, now: datetime) -> None:
    """Queue the comparison of the last whole day's texts, unless it was done, waits, or no texts are kept.
    Days missed before are left out: what matters is whether today's texts are strange, and each comparison
    costs a minute of an engine.
    """
    span = last_day(now)
    last = queries.last_text_end(endpoint)
    if not endpoint.keep_text or (last and last >= span.end):
        return
    found = answered(endpoint, span, stable_intervals(endpoint))
    if found:
        check_texts_of_day(endpoint, found.version, span)
