"""Hours from minutes, and days from hours: what changed since the last time is added up again, so that late
counts are never lost.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from monitoring.traffic.actions.deposit import Place, save_all
from monitoring.traffic.counts import FIELDS, Counts
from monitoring.traffic.models import DayRollup, HourRollup, MinuteRollup, Rollup, RollupMark
from monitoring.traffic.rules import DAY, HOUR, floor

NEVER = datetime(2020, 1, 1, tzinfo=UTC)
# a writer's transaction may end so long after the time that it wrote on its rows
OVERLAP = timedelta(minutes=5)


class Step(NamedTuple):
    """Rows of `target`, each as long as `length`, are made of the rows of `source`."""

    level: str
    source: type[Rollup]
    target: type[Rollup]
    length: timedelta


HOURS = Step(RollupMark.Level.HOUR, MinuteRollup, HourRollup, HOUR)
DAYS = Step(RollupMark.Level.DAY, HourRollup, DayRollup, DAY)


def build_rollups(now: datetime | None = None) -> int:
    """Update hours and days. Returns how many of them were added up (again).

    The hour and the day under way are made as well, but reading counts on neither before its end. After a
    sleep everything missed is made up for, one hour a transaction, the oldest first; killed in between, the
    next time continues.
    """
    now = now or timezone.now()
    return build(HOURS, now, floor(now, HOUR)) + build(DAYS, now, floor(now, DAY))


def build(step: Step, now: datetime, through: datetime) -> int:
    """One level. through: the end of what can be complete by now."""
    mark, _ = RollupMark.objects.get_or_create(
        level=step.level, defaults={"through": NEVER, "changed_to": NEVER}
    )
    dirty = changed(step, mark)
    for start in dirty:
        add_up(step, start, now)
    with transaction.atomic():
        mark = RollupMark.objects.select_for_update().get(pk=mark.pk)
        mark.through, mark.changed_to = max(mark.through, through), max(mark.changed_to, now)
        mark.save(update_fields=["through", "changed_to"])
    return len(dirty)


def changed(step: Step, mark: RollupMark) -> list[datetime]:
    """The hours or days in which something changed since they were last added up, oldest first."""
    rows = step.source._default_manager.filter(changed_at__gte=mark.changed_to - OVERLAP)
    if mark.source_from:
        rows = rows.filter(start__gte=mark.source_from)
    return sorted(
        {floor(start, step.length) for start in rows.order_by().values_list("start", flat=True).distinct()}
    )


@transaction.atomic
def add_up(step: Step, start: datetime, now: datetime) -> None:
    """Make one hour or day of its parts. Again is the same."""
    mark = RollupMark.objects.select_for_update().get(level=step.level)
    if mark.source_from and start < mark.source_from:
        return  # its parts are cleared away: it is all there is
    sums: dict[Place, Counts] = {}
    parts = step.source._default_manager.filter(start__gte=start, start__lt=start + step.length).order_by()
    for endpoint, version, arm, *values in parts.values_list(
        "endpoint_id", "version_id", "arm", *FIELDS
    ).iterator(500):
        place = Place(endpoint, version, arm, start)
        if place not in sums:
            sums[place] = Counts()
        sums[place].add_values(values)
    save_all(step.target, sums, now)
