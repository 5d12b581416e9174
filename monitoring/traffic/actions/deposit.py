"""Adding counts to the rollups: to the minute, or to the hour or day where the minute is gone already."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Q

from monitoring.traffic.counts import FIELDS, Counts
from monitoring.traffic.models import DayRollup, HourRollup, MinuteRollup, Rollup, RollupMark
from monitoring.traffic.rules import DAY, HOUR, MINUTE, floor

Level = RollupMark.Level
# minutes are never cleared away before their 14th day: younger ones need no look at the marks
SAFE = timedelta(days=13)


class Place(NamedTuple):
    """Where counts belong. version: None where none answered."""

    endpoint: int
    version: int | None
    arm: str
    start: datetime

    def at(self, step: timedelta) -> Place:
        """The same place in a larger stretch of time."""
        return self._replace(start=floor(self.start, step))

    @property
    def order(self) -> tuple[int, datetime, str, int]:
        """The order in which rows are locked, the same for all writers."""
        return (self.endpoint, self.start, self.arm, self.version or 0)


def deposit(counts: Mapping[Place, Counts], now: datetime) -> None:
    """Add counts to their rollups in the caller's transaction: one read and one write for each size of
    rollup.

    Places are minutes. Where the minutes of a time are cleared away, the hour takes the counts; where the
    hours are, the day.
    """
    by_model: dict[type[Rollup], dict[Place, Counts]] = {}
    marks = locked_marks() if any(place.start < now - SAFE for place in counts) else {}
    for place, more in counts.items():
        model, where = home(place, marks)
        by_model.setdefault(model, {}).setdefault(where, Counts()).add(more)
    for model, group in by_model.items():
        add_to(model, group, now)


def locked_marks() -> dict[str, RollupMark]:
    """The marks by level; locked, so that nothing is cleared away meanwhile."""
    return {mark.level: mark for mark in RollupMark.objects.select_for_update().order_by("id")}


def home(place: Place, marks: Mapping[str, RollupMark]) -> tuple[type[Rollup], Place]:
    """The table and row for a minute's counts."""
    day, hour = marks.get(Level.DAY), marks.get(Level.HOUR)
    if day and day.source_from and place.start < day.source_from:
        return DayRollup, place.at(DAY)
    if hour and hour.source_from and place.start < hour.source_from:
        return HourRollup, place.at(HOUR)
    return MinuteRollup, place.at(MINUTE)


def add_to(model: type[Rollup], counts: Mapping[Place, Counts], now: datetime) -> None:
    """Add to the rows of one table, making those that are missing."""
    rows = locked(model, counts)
    for place, more in counts.items():
        total = Counts()
        total.add(rows[place])
        total.add(more)
        put(rows[place], total, now)
    write(model, rows)


def save_all(model: type[Rollup], counts: Mapping[Place, Counts], now: datetime) -> None:
    """Set the rows of one table to these counts, making those that are missing."""
    rows = locked(model, counts)
    for place, total in counts.items():
        put(rows[place], total, now)
    write(model, rows)


def put(row: Rollup, total: Counts, now: datetime) -> None:
    """Counts into the columns of a row."""
    for name, value in total.as_fields().items():
        setattr(row, name, value)
    row.changed_at = now


def write(model: type[Rollup], rows: Mapping[Place, Rollup]) -> None:
    """All columns of rows that exist and are locked: an insert that meets its own key costs a tenth of an
    update by cases.
    """
    fields, manager = [*FIELDS, "changed_at"], model._default_manager
    manager.bulk_create(
        rows.values(), batch_size=200, update_conflicts=True, unique_fields=["id"], update_fields=fields
    )  # type: ignore[misc]


def locked(model: type[Rollup], places: Mapping[Place, Counts]) -> dict[Place, Rollup]:
    """The rows of these places, made where they are missing, locked in the order that all writers keep."""
    rows = read_locked(model, places)
    if missing := sorted((place for place in places if place not in rows), key=lambda place: place.order):
        fresh = [
            model(endpoint_id=p.endpoint, version_id=p.version, arm=p.arm, start=p.start) for p in missing
        ]
        # another writer may have been quicker
        model._default_manager.bulk_create(fresh, ignore_conflicts=True)
        rows |= read_locked(model, missing)
    return rows


def read_locked(model: type[Rollup], places: Mapping[Place, Counts] | list[Place]) -> dict[Place, Rollup]:
    """The rows that exist of these places, locked."""
    wanted = set(places)
    endpoints, starts = {place.endpoint for place in wanted}, {place.start for place in wanted}
    inside = Q(endpoint__in=endpoints, start__in=starts)
    rows = (
        model._default_manager.select_for_update()
        .filter(inside)
        .order_by("endpoint", "start", "arm", "version")
    )
    found = {Place(row.endpoint_id, row.version_id, row.arm, row.start): row for row in rows}
    return {place: row for place, row in found.items() if place in wanted}
