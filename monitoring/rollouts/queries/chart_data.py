"""The looks and points that charts of a rollout show."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F, Q, Sum, Window
from django.db.models.functions import RowNumber

from lifecycle.ui import paging
from monitoring.rollouts.models import Look, Rollout, Segment
from monitoring.rollouts.queries.minutes import MINUTE
from monitoring.rollouts.queries.rollouts import PAGE
from monitoring.rollouts.rules.points import ArmPoint
from monitoring.traffic import queries as traffic
from monitoring.traffic.models import MinuteRollup
from registry.catalog.models import Endpoint

CHART_POINTS = 120


def last_look(rollout: Rollout) -> Look | None:
    """What the rule saw last."""
    return Look.objects.filter(rollout=rollout).order_by("-id").first()


def chart_looks(rollout: Rollout, segment: Segment | None = None) -> list[Look]:
    """The looks of a rollout, thinned evenly to about 120, the last always among them. segment: those of one
    that bound the difference.
    """
    rows = Look.objects.filter(rollout=rollout)
    rows = rows.filter(segment=segment, difference__isnull=False) if segment else rows
    total = rows.count()
    step = max(1, -(-total // CHART_POINTS))
    numbered = rows.annotate(before=Window(RowNumber(), order_by="id") - 1).annotate(rest=F("before") % step)
    return list(numbered.filter(Q(rest=0) | Q(before=total - 1)).order_by("id"))


def page_of_looks(rollout: Rollout, before: int | None = None) -> tuple[list[Look], int | None]:
    """One page of looks, newest first, and the key to continue before (None on the last)."""
    rows = Look.objects.filter(rollout=rollout).select_related("segment").order_by("-id")
    return paging.page(rows, before, PAGE)


def per_second(endpoint: Endpoint, now: datetime) -> dict[str, float] | None:
    """Requests a second by arm over the last full minute, copies to the shadow among them; None when none
    came.
    """
    begin = now.replace(second=0, microsecond=0) - MINUTE
    rows = (
        MinuteRollup.objects.filter(endpoint=endpoint, start=begin)
        .exclude(arm="")
        .values_list("arm")
        .annotate(asked=Sum("requests"))
    )
    return {arm: asked / 60 for arm, asked in rows} or None


def step_of(rollout: Rollout, until: datetime) -> timedelta:
    """How long a step of the charts is: a minute in the first two hours, so that no chart has more than about
    120.
    """
    minutes = max(1, -(-int((until - chart_begin(rollout, until)).total_seconds() // 60) // CHART_POINTS))
    return timedelta(minutes=minutes)


def chart_begin(rollout: Rollout, until: datetime) -> datetime:
    """From when the charts show both arms: an hour before the canary, at most the last seven days."""
    return max(rollout.started_at - timedelta(hours=1), until - timedelta(days=7))


def arm_points(rollout: Rollout, until: datetime) -> list[ArmPoint]:
    """Errors and p95 by arm and step, and how often the shadow agreed; steps in which nothing came are there
    with nothing measured.
    """
    return [
        point(each)
        for each in traffic.series(
            rollout.endpoint, chart_begin(rollout, until), until, step_of(rollout, until)
        )
    ]


def point(step: traffic.Point) -> ArmPoint:
    """One step of the charts: its figures by arm, whatever version served there."""
    arms: dict[str, traffic.Total] = {}
    for (_, arm), counts in step.arms.items():
        if arm:
            arms.setdefault(arm, traffic.Total()).add(counts)
    errors = {arm: total.error_share for arm, total in arms.items()}
    shadow = arms.get("shadow")
    return ArmPoint(
        step.start,
        errors,
        {arm: total.p95_ms for arm, total in arms.items()},
        shadow.agree_share if shadow else None,
        {arm: total.latency for arm, total in arms.items()},
    )
