"""Counting what both arms did, minute by minute. Safe to repeat: a minute is counted again, never added
to.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from monitoring.rollouts import rules
from monitoring.rollouts.actions.moves import lock
from monitoring.rollouts.models import FirstEvent, Minute, Rollout, Segment
from monitoring.rollouts.queries import minutes, segments

MINUTES_AT_ONCE = 240  # so that a beat that slept for days catches up in parts, each with a look of its own


def count(rollout: Rollout, now: datetime | None = None) -> bool:
    """Count every minute that is new or whose rollups have changed. Returns whether none is left.

    At most one unit for each sticky key and minute: what many requests of one key do in a minute is one
    failure, since a customer's requests succeed and fail together. As evidence a key counts once a segment,
    see rules.Tally. Keys come from the predictions of the minute; the rollups show which minutes have
    changed, late ones and late feedback included, so that a tick reads a minute's predictions only once.
    """
    now, left = now or timezone.now(), MINUTES_AT_ONCE
    for segment in segments.segments(rollout):
        segment.rollout = rollout
        if segment.counted_from is None and not warm(
            segment, rollout.rule.warm_up if segment.number == 1 else 0
        ):
            continue
        due = minutes.due_minutes(segment, now)
        others = count_minutes(segment, dict(list(due.items())[:left]))
        left -= len(due)
        if others or left < 0:
            return False
    return True


def warm(segment: Segment, requests: int) -> bool:
    """Whether the warm-up is over; notes since when. Both arms are counted from the same moment, or the
    comparison would be unfair.
    """
    found = minutes.warm_from(segment, requests)
    if found:
        segment.counted_from = found
        segment.save(update_fields=["counted_from"])
    return found is not None


def count_minutes(segment: Segment, due: dict[datetime, str]) -> int:
    """Count these minutes. due: start → stamp. Returns how many others are to be counted again because of it.

    Read first, then written in a short transaction: no one waits for the predictions of four hours. The stamp
    was read before the predictions, so a process that writes older counts over newer ones writes the older
    stamp too, and the minute stays due. A minute keeps the bound of what is slow that it was first counted
    with.
    """
    if not due:
        return 0
    bounds = minutes.SlowBounds(segment.rollout.endpoint, min(due), max(due))
    fixed = dict(
        Minute.objects.filter(segment=segment, start__in=due, slow_ms__isnull=False).values_list(
            "start", "slow_ms"
        )
    )
    slow_ms = {start: fixed.get(start) or bounds.at(start) for start in due}
    found = {start: rules.tally(minutes.requests_of(segment, start), slow_ms[start]) for start in sorted(due)}
    with transaction.atomic():
        if not lock(segment.rollout.uuid).is_open:
            return 0  # it ended meanwhile, and its keys are not kept
        firsts, lost = events(segment, found)
        regroup(segment, found)
        Minute.objects.bulk_create(
            [
                Minute(
                    segment=segment,
                    start=start,
                    stamp=due[start],
                    slow_ms=slow_ms[start],
                    **Minute.columns_of(found[start].counts),
                    **firsts[start],
                    groups=found[start].groups.as_json(),
                )
                for start in found
            ],
            update_conflicts=True,
            unique_fields=["segment", "start"],
            update_fields=["stamp", "slow_ms", "groups", *Minute.COLUMNS, *Minute.FIRSTS],
        )
        return minutes.minutes_with(segment, lost, found).update(stamp="") if lost else 0


def regroup(segment: Segment, found: dict[datetime, rules.Tally]) -> None:
    """Put these minutes' sums by group of keys in the place of what they were counted as before, in the sums
    of their segment.
    """
    segment.refresh_from_db(fields=["groups"])
    before = Minute.objects.filter(segment=segment, start__in=found).values_list("groups", flat=True)
    new, old = (
        sum((tally.groups for tally in found.values()), rules.Groups()),
        sum(map(rules.Groups.from_json, before), rules.Groups()),
    )
    segment.groups = (rules.Groups.from_json(segment.groups) + new - old).as_json()
    segment.save(update_fields=["groups"])


def events(
    segment: Segment, found: dict[datetime, rules.Tally]
) -> tuple[dict[datetime, dict[str, int]], set[str]]:
    """What is evidence in each of these minutes, by column: units without a key, and keys that were not
    counted in another minute.

    And the metrics of which a key lost its event, a word that was taken back: it may have one in a minute
    where it did not count.
    """
    rows = FirstEvent.objects.filter(segment=segment, start__in=found)
    before = set(rows.values_list("metric", "key"))
    rows.delete()
    firsts: dict[tuple[str, str], FirstEvent] = {}
    for start in sorted(found):
        # of a key on both arms the stable one: never too much
        for metric, key, arm in sorted(found[start].keyed, reverse=True):
            if (metric, key) not in firsts:
                firsts[metric, key] = FirstEvent(
                    segment=segment, metric=metric, key=key, arm=arm, start=start
                )
    # counted in a minute before these: it stays there
    FirstEvent.objects.bulk_create(firsts.values(), ignore_conflicts=True)
    sums = {start: Minute.firsts_of(tally.alone) for start, tally in found.items()}
    for start, arm, metric, keys in minutes.first_events(segment, found):
        sums[start][f"{arm}_first_{metric}"] += keys
    return sums, {
        metric
        for metric, _ in before
        - {(metric, key) for tally in found.values() for metric, key, _ in tally.keyed}
    }
