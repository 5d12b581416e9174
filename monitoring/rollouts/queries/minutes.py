"""What a canary and its stable arm did, counted minute by minute."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from monitoring.rollouts import rules
from monitoring.rollouts.models import FirstEvent, Minute, Segment
from monitoring.rollouts.queries.segments import successor
from monitoring.rollouts.rules.units import CANARY, STABLE
from monitoring.traffic import histogram
from monitoring.traffic.models import Feedback, MinuteRollup, Prediction
from registry.catalog.models import Endpoint

MINUTE = timedelta(minutes=1)
BASELINE = timedelta(hours=1)  # the stretch of the stable arm that says what is slow
# within which every server has taken a new split; a request's epoch identifies its split
LAG = timedelta(seconds=10)
MIN_FOR_SLOW = 100


def counts(segment: Segment) -> rules.Counts:
    """Both arms over the segment."""
    return whole(segment).counts


def whole(segment: Segment) -> Minute:
    """All minutes of the segment as one: their sums, and the highest bound of what is slow; null where none
    had one.
    """
    sums = Minute.objects.filter(segment=segment).aggregate(
        **{name: Sum(name, default=0) for name in (*Minute.COLUMNS, *Minute.FIRSTS)}, slow_ms=Max("slow_ms")
    )
    return Minute(**sums)


def first_events(
    segment: Segment, starts: Collection[datetime]
) -> QuerySet[FirstEvent, tuple[datetime, str, str, int]]:
    """(start, arm, metric, how many keys) of these minutes.

    Without the keys that were counted on the canary under a smaller share before: they were sure to stay
    there, so their next event says nothing. A key that was counted on the stable arm reaches the canary with
    at most the canary's share.
    """
    before = FirstEvent.objects.filter(
        segment__rollout=segment.rollout_id,
        segment__number__lt=segment.number,
        metric=OuterRef("metric"),
        key=OuterRef("key"),
        arm=CANARY,
    )
    rows = FirstEvent.objects.filter(~Exists(before), segment=segment, start__in=starts)
    return rows.values_list("start", "arm", "metric").annotate(keys=Count("id")).order_by("start")


def minutes_with(
    segment: Segment, metrics: Collection[str], besides: Collection[datetime]
) -> QuerySet[Minute]:
    """The counted minutes of this segment and of those after it in which something of these metrics was bad,
    besides some of its own.
    """
    bad = Q.create(
        [Q((f"{arm}_{metric}__gt", 0)) for arm in (STABLE, CANARY) for metric in metrics], connector=Q.OR
    )
    since = Segment.objects.filter(rollout=segment.rollout_id, number__gte=segment.number)
    return Minute.objects.filter(bad, segment__in=since).exclude(segment=segment, start__in=besides)


def due_minutes(segment: Segment, now: datetime) -> dict[datetime, str]:
    """The minutes of a segment that were not counted since their rollups last changed, oldest first, with
    their stamps.
    """
    if segment.counted_from is None:
        return {}
    until = segment.ended_at + LAG if segment.ended_at else now
    found = stamps(segment.rollout.endpoint, segment.counted_from.replace(second=0, microsecond=0), until)
    known = dict(Minute.objects.filter(segment=segment).values_list("start", "stamp"))
    return {start: stamp for start, stamp in sorted(found.items()) if known.get(start) != stamp}


def stamps(endpoint: Endpoint, since: datetime, until: datetime) -> dict[datetime, str]:
    """What the rollups of both arms add up to, minute by minute, as one text: it differs as soon as anything
    came late.
    """
    fields = ("requests", "errors", "refused", "shed", "right", "wrong")
    rows = MinuteRollup.objects.filter(
        endpoint=endpoint, arm__in=(STABLE, CANARY), start__gte=since, start__lte=until
    )
    sums = rows.values_list("start").annotate(*(Sum(name) for name in fields)).order_by("start")
    return {start: "/".join(map(str, numbers)) for start, *numbers in sums}


def warm_from(segment: Segment, requests: int) -> datetime | None:
    """The moment after which requests count: that of the canary's last warm-up request, or the segment's
    start; None while it lasts.
    """
    if not requests:
        return segment.started_at
    rows = (
        predictions(segment, segment.started_at, timezone.now())
        .filter(arm=CANARY)
        .order_by("at", "id")
        .values_list("uuid", "at")
    )
    last = next(islice((at for uuid, at in rows.iterator() if is_first(uuid)), requests - 1, None), None)
    return last + timedelta(microseconds=1) if last else None


def is_first(prediction: UUID) -> bool:
    """Whether a prediction represents its request: the uuids of further texts are derived from it
    (traffic.spool.prediction_uuid).
    """
    return prediction.version != 5


def predictions(segment: Segment, since: datetime, until: datetime) -> QuerySet[Prediction]:
    """What both arms answered under this segment's split. The epoch identifies the split exactly, on either
    arm and by any server's clock.

    Without requests that pin a version: the split did not choose their arm, so they say nothing about it.
    """
    rows = Prediction.objects.filter(
        endpoint=segment.rollout.endpoint_id, arm__in=(STABLE, CANARY), at__gte=since, at__lt=until
    )
    rows = rows.filter(epoch__gte=segment.deployment.epoch).exclude(pinned=True)
    if segment.ended_at:
        after = successor(segment.deployment)
        rows = rows.filter(epoch__lt=after.epoch) if after else rows.filter(at__lt=segment.ended_at)
    return rows


def requests_of(segment: Segment, start: datetime) -> Iterator[rules.Request]:
    """The requests of one minute under this segment's split; refused and shed ones are no one's failure and
    left out.
    """
    begin = max(start, segment.counted_from or segment.started_at)
    words = Feedback.objects.filter(
        endpoint=segment.rollout.endpoint_id, predicted_at__gte=begin, predicted_at__lt=start + MINUTE
    )
    newest = dict(words.order_by("id").values_list("prediction", "right"))
    rows = predictions(segment, begin, start + MINUTE).exclude(code__gte=400, code__lt=500)
    found = list(rows.values_list("id", "uuid", "at", "arm", "key", "code", "latency_ms"))
    own = {
        (at, latency): str(uuid) for _, uuid, at, _, key, _, latency in found if not key and is_first(uuid)
    }
    for pk, uuid, at, arm, key, code, latency in found:
        unit = key or (str(uuid) if is_first(uuid) else own.get((at, latency), str(uuid)))
        yield rules.Request(
            arm,
            unit,
            failed=code >= 500,
            latency_ms=latency if code < 400 else None,
            wrong=newest.get(pk) is False,
            is_first=is_first(uuid),
            keyed=bool(key),
            judged=pk in newest,
        )


class SlowBounds:
    """What is slow in each minute: above the p95 of the stable arm over the hour before it.

    From the rollups' histograms: the bound is the upper end of the bucket in which the p95 lies, at most 10 %
    above it, so that an answer is slow exactly when it falls into a higher bucket. Fixed before the minute
    began, and the same for both arms, hence slow answers fall to the canary with its share if it is harmless.
    """

    def __init__(self, endpoint: Endpoint, first: datetime, last: datetime) -> None:
        rows = MinuteRollup.objects.filter(
            endpoint=endpoint, arm=STABLE, start__gte=first - BASELINE, start__lt=last
        )
        self._minutes = list(rows.order_by("start").values_list("start", "latency"))

    def at(self, start: datetime) -> float | None:
        """In ms; None while fewer than 100 answers are known."""
        merged = histogram.merge(
            latency for minute, latency in self._minutes if start - BASELINE <= minute < start
        )
        return histogram.quantile(merged, 0.95) if sum(merged.values()) >= MIN_FOR_SLOW else None
