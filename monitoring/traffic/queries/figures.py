"""Figures of traffic from rollups: days where whole days are asked for, hours and minutes at the edges. Never
counts predictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q

from lifecycle.ground.compute.price import price_per_million
from monitoring.traffic import histogram
from monitoring.traffic.counts import FIELDS, Counts
from monitoring.traffic.models import DayRollup, HourRollup, MinuteRollup, Rollup, RollupMark
from monitoring.traffic.rules import (
    CONFIDENCE_BINS,
    DAY,
    FEEDBACK_LEAST,
    HOUR,
    MINUTE,
    OOV_BINS,
    SHADOW,
    availability,
    ceil,
    floor,
    right_share,
)
from monitoring.traffic.senders import SenderShare, of_written, sender_share, written_share
from monitoring.traffic.spool import MANNER
from registry.catalog.models import Endpoint, ModelVersion

Level = RollupMark.Level
Span = tuple[datetime, datetime]


@dataclass
class Total(Counts):
    """The figures of a window [since, until). Shares are 0 to 1, latencies ms; None where nothing was
    measured.

    Shed requests (429) and refused ones (4xx) are counted apart and are never errors: errors are 5xx alone.
    """

    since: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    until: datetime = datetime(2020, 1, 1, tzinfo=UTC)

    @property
    def minutes(self) -> float:
        """How long the window is."""
        return (self.until - self.since).total_seconds() / 60

    @property
    def per_minute(self) -> float | None:
        """Requests a minute, over the whole window."""
        return self.requests / self.minutes if self.minutes else None

    @property
    def taken(self) -> int:
        """Requests that the service had to answer: all but those refused for the client's fault and those
        shed.
        """
        return self.requests - self.refused - self.shed

    @property
    def error_share(self) -> float | None:
        """errors / (requests − refused − shed)."""
        return self.errors / self.taken if self.taken else None

    @property
    def availability(self) -> float | None:
        """As objectives count it."""
        return availability(self.taken, self.errors, self.lost)

    @property
    def p50_ms(self) -> float | None:
        """Half of the answered requests were at least as quick; at most 10 % too high."""
        return histogram.quantile(self.latency, 0.5)

    @property
    def p95_ms(self) -> float | None:
        """Of answered requests; at most 10 % too high."""
        return histogram.quantile(self.latency, 0.95)

    @property
    def p99_ms(self) -> float | None:
        """Of answered requests; at most 10 % too high."""
        return histogram.quantile(self.latency, 0.99)

    @property
    def judged(self) -> int:
        """Predictions with feedback."""
        return self.right + self.wrong

    @property
    def right_share(self) -> float | None:
        """Of the predictions with feedback; None where they are too few."""
        return right_share(self.right, self.wrong)

    @property
    def right_interval(self) -> SenderShare | None:
        """right_share with its interval, by sender."""
        return sender_share(self.by_sender, self.right, self.wrong, FEEDBACK_LEAST)

    @property
    def agree_share(self) -> float | None:
        """Of the shadow answers that could be compared, those with the client's label."""
        return self.agree / (self.agree + self.disagree) if self.agree + self.disagree else None

    @property
    def agree_interval(self) -> SenderShare | None:
        """agree_share with its interval, by sender."""
        return sender_share(self.by_sender, self.agree, self.disagree)

    @property
    def manner(self) -> dict[str, SenderShare]:
        """Of written answers the mean of each measure from 0 to 1, with its interval, by sender; {} without
        such answers.
        """
        return {name: found for name in MANNER if (found := written_share(self.written, name))}

    @property
    def mean_words(self) -> float | None:
        """Words per written answer."""
        found = of_written(self.written, "words")
        return found.above / found.below if found.below else None

    @property
    def mean_confidence(self) -> float | None:
        """From the middles of the 50 bins: at most 0.01 off."""
        return histogram.mean_share(self.confidence, CONFIDENCE_BINS)

    @property
    def mean_oov(self) -> float | None:
        """The mean out-of-vocabulary share, from the middles of the 20 bins: at most 0.025 off."""
        return histogram.mean_share(self.oov, OOV_BINS)

    @property
    def cpu_ms(self) -> float:
        """Engine CPU time."""
        return self.cpu_us / 1000

    @property
    def cost_per_million(self) -> float | None:
        """The engine's CPU time for a million answers at PRICE_PER_CORE_HOUR, in CURRENCY; None without a
        price or a measured answer.
        """
        return price_per_million(self.cpu_us, self.timed)


@dataclass
class Point:
    """One step of a series. counts: what clients got, all arms but shadow. arms: the same by (semver, arm),
    shadow among them.

    semver is "" where no version answered.
    """

    start: datetime
    counts: Total
    arms: dict[tuple[str, str], Counts] = field(default_factory=dict)


def total(
    endpoint: Endpoint,
    since: datetime,
    until: datetime,
    version: ModelVersion | None = None,
    arm: str | None = None,
) -> Total:
    """The figures of an endpoint in [since, until), to the minute while minutes are kept, else to the hour.

    arm: stable, canary or shadow; None for all that clients got, which leaves shadow out. In at most four
    statements.
    """
    return totals([endpoint], since, until, version, arm)[endpoint.pk]


def totals(
    endpoints: Sequence[Endpoint],
    since: datetime,
    until: datetime,
    version: ModelVersion | None = None,
    arm: str | None = None,
) -> dict[int, Total]:
    """The same of several endpoints at once, by primary key, in as many statements."""
    found = {endpoint.pk: Total(since=since, until=until) for endpoint in endpoints}
    only = chosen(version, arm)
    for values in read(list(found), since, until, DAY, only):
        found[values[0]].add_values(values[4:])
    return found


def series(
    endpoint: Endpoint,
    since: datetime,
    until: datetime,
    step: timedelta,
    version: ModelVersion | None = None,
    arm: str | None = None,
) -> list[Point]:
    """The figures by step, from the step that holds `since` to the one before `until`; steps in which nothing
    happened are there too.

    Steps are whole minutes, counted from midnight UTC. With arm None the shadow is in `arms` but not in
    `counts`.
    """
    begin = floor(since, step)
    starts = [begin + at * step for at in range(max(0, -((begin - until) // step)))]
    points = {start: Point(start, Total(since=start, until=start + step)) for start in starts}
    unit = DAY if step % DAY == timedelta() else HOUR if step % HOUR == timedelta() else MINUTE
    rows = list(read([endpoint.pk], begin, until, unit, chosen(version, arm, shadow=True)))
    names = dict(ModelVersion.objects.filter(pk__in={row[1] for row in rows}).values_list("pk", "semver"))
    for _, key, name, start, *values in rows:
        point = points.get(begin + ((start - begin) // step) * step)
        if point is None:
            continue
        if name != SHADOW or arm == SHADOW:
            point.counts.add_values(values)
        point.arms.setdefault((names.get(key, ""), name), Counts()).add_values(values)
    return list(points.values())


def chosen(version: ModelVersion | None, arm: str | None, *, shadow: bool = False) -> Q:
    """Which rows count. shadow: whether the shadow's are read too where no arm is named."""
    only = Q(version=version) if version else Q()
    if arm is not None:
        return only & Q(arm=arm)
    return only if shadow else only & ~Q(arm=SHADOW)


def read(
    endpoints: list[int], since: datetime, until: datetime, largest: timedelta, only: Q
) -> Iterator[tuple[Any, ...]]:
    """(endpoint, version, arm, start, *FIELDS) of the rows that together hold [since, until), none of them
    longer than `largest`.
    """
    for model, spans in pieces(
        since, until, largest, {mark.level: mark for mark in RollupMark.objects.all()}
    ).items():
        inside = Q()
        for begin, end in spans:
            inside |= Q(start__gte=begin, start__lt=end)
        rows = model._default_manager.filter(only, inside, endpoint__in=endpoints).order_by()
        yield from rows.values_list("endpoint_id", "version_id", "arm", "start", *FIELDS)


def pieces(
    since: datetime, until: datetime, largest: timedelta, marks: dict[str, RollupMark]
) -> dict[type[Rollup], list[Span]]:
    """Which stretch is read from which table. Pure.

    Large rows are read where they are built already; where the smaller ones are cleared away, whole large
    ones are in for the edges.
    """
    found: dict[type[Rollup], list[Span]] = {}
    levels: list[tuple[type[Rollup], timedelta, RollupMark | None]] = [(MinuteRollup, MINUTE, None)]
    if hour := marks.get(Level.HOUR):
        levels.append((HourRollup, HOUR, hour))
    if (day := marks.get(Level.DAY)) and hour:
        levels.append((DayRollup, DAY, day))

    def split(at: int, begin: datetime, end: datetime) -> None:
        model, unit, mark = levels[at]
        if begin >= end:
            return
        if mark is None:
            found.setdefault(model, []).append((begin, end))
            return
        cleared = mark.source_from
        low = floor(begin, unit) if cleared and begin < cleared else ceil(begin, unit)
        high = ceil(end, unit) if cleared and end < cleared else floor(end, unit)
        if unit > largest and cleared:  # only what is nowhere else
            low, high = floor(begin, unit), min(high, cleared)
        elif unit > largest:
            high = low
        high = min(high, mark.through)
        if low >= high:
            split(at - 1, begin, end)
            return
        split(at - 1, begin, low)
        found.setdefault(model, []).append((low, high))
        split(at - 1, high, end)

    split(len(levels) - 1, since, until)
    return found


def whole(points: Sequence[Point]) -> Total:
    """A series as one total, without reading again."""
    total = Total(since=points[0].counts.since, until=points[-1].counts.until) if points else Total()
    for point in points:
        total.add(point.counts)
    return total
