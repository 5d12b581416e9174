"""Hours and days are exactly their minutes: after a sleep, after late lines, and after the minutes are
gone.
"""

from datetime import UTC, datetime, timedelta

import pytest

from monitoring.traffic import actions, queries
from monitoring.traffic.counts import Counts, merge
from monitoring.traffic.models import DayRollup, HourRollup, MinuteRollup, RollupMark
from monitoring.traffic.rules import DAY, HOUR, floor
from tests.support import endpoints

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)


@pytest.fixture
def clock(monkeypatch):
    """Sets the product's clock."""
    from django.utils import timezone

    def set_to(moment):
        monkeypatch.setattr(timezone, "now", lambda: moment)

    set_to(NOW)
    return set_to


@pytest.fixture
def take(live_endpoint, clock):
    """Takes requests in at these times, each of one text."""

    def make(*moments):
        endpoints.write_segment(
            *(endpoints.spool_line(live_endpoint, at=moment.isoformat()) for moment in moments)
        )
        assert actions.ingest() == len(moments)

    return make


def requests(model):
    return {row.start: row.requests for row in model.objects.order_by("start")}


def window(endpoint, since, until):
    return queries.total(endpoint, since, until).requests


def test_hours_and_days_are_the_sums_of_their_minutes(take, live_endpoint):
    moments = [NOW - timedelta(minutes=97 * step) for step in range(72)]
    take(*moments)

    actions.build_rollups()

    for model, length in ((HourRollup, HOUR), (DayRollup, DAY)):
        expected = {}
        for moment in moments:
            expected[floor(moment, length)] = expected.get(floor(moment, length), 0) + 1
        assert requests(model) == expected
    sums = [merge(model.objects.all()) for model in (MinuteRollup, HourRollup, DayRollup)]
    assert sums[0] == sums[1] == sums[2]
    assert sums[0].requests == 72
    for since, until in (
        (NOW - 3 * DAY, NOW),
        (NOW - 50 * HOUR, NOW - 2 * HOUR),
        (floor(NOW, DAY) - DAY, floor(NOW, DAY)),
    ):
        assert window(live_endpoint, since, until) == sum(
            floor(since, timedelta(minutes=1)) <= m < until for m in moments
        )


@pytest.mark.postgres
def test_building_again_changes_nothing(take):
    take(*[NOW - timedelta(minutes=40 * step) for step in range(30)])
    actions.build_rollups()
    before = requests(HourRollup), requests(DayRollup), merge(DayRollup.objects.all())

    actions.build_rollups()

    assert (requests(HourRollup), requests(DayRollup), merge(DayRollup.objects.all())) == before


def test_a_late_line_repairs_its_hour_and_day(take, clock, live_endpoint):
    take(NOW - 30 * HOUR, NOW - 2 * HOUR)
    actions.build_rollups()
    clock(NOW + timedelta(minutes=20))

    take(NOW - 30 * HOUR, NOW - 3 * DAY)
    assert window(live_endpoint, NOW - 4 * DAY, NOW) == 2  # until they are added up again
    actions.build_rollups()

    assert requests(HourRollup)[floor(NOW - 30 * HOUR, HOUR)] == 2
    assert window(live_endpoint, NOW - 4 * DAY, NOW) == 4
    assert sum(requests(DayRollup).values()) == 4


def test_a_beat_that_slept_for_days_catches_up(take, clock, live_endpoint):
    take(NOW - HOUR)
    actions.build_rollups()
    for step in range(1, 4):
        clock(NOW + step * DAY)
        take(NOW + step * DAY - HOUR, NOW + step * DAY - 5 * HOUR)
    later = NOW + 3 * DAY

    actions.build_rollups()

    assert len(requests(HourRollup)) == 7
    assert requests(DayRollup) == {
        floor(NOW, DAY): 1,
        **{floor(NOW + step * DAY, DAY): 2 for step in range(1, 4)},
    }
    assert window(live_endpoint, NOW - DAY, later) == 7
    assert RollupMark.objects.get(level="hour").through == floor(later, HOUR)


def test_killed_in_between_the_next_time_goes_on(take, monkeypatch, live_endpoint):
    import importlib

    building = importlib.import_module("monitoring.traffic.actions.building")
    take(*[NOW - at * HOUR for at in range(1, 6)])
    calls, real = [], building.add_up

    def dies(step, start, now):
        calls.append(start)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(step, start, now)

    with monkeypatch.context() as patch:
        patch.setattr(building, "add_up", dies)
        with pytest.raises(KeyboardInterrupt):
            actions.build_rollups()
    assert window(live_endpoint, NOW - DAY, NOW) == 5

    actions.build_rollups()

    assert requests(HourRollup) == {floor(NOW - at * HOUR, HOUR): 1 for at in range(1, 6)}
    assert window(live_endpoint, NOW - DAY, NOW) == 5


def test_minutes_go_and_the_figures_stay(take, clock, live_endpoint, settings):
    old = NOW - 20 * DAY
    clock(old)
    take(old - HOUR, old - 3 * HOUR, old - 3 * HOUR)
    actions.build_rollups()
    clock(NOW)
    actions.build_rollups()

    actions.clear_old()

    assert not MinuteRollup.objects.exists()
    assert sum(requests(HourRollup).values()) == 3
    assert window(live_endpoint, old - DAY, NOW) == 3
    take(old - 3 * HOUR)  # so late that its minute is gone: the hour takes it
    assert not MinuteRollup.objects.exists()
    actions.build_rollups()
    assert requests(HourRollup)[floor(old - 3 * HOUR, HOUR)] == 3
    assert window(live_endpoint, old - DAY, NOW) == 4
    assert sum(requests(DayRollup).values()) == 4


def test_minutes_that_are_not_added_up_are_not_cleared_away(take, clock):
    clock(NOW - 20 * DAY)
    take(NOW - 20 * DAY)
    clock(NOW)

    actions.clear_old()

    assert MinuteRollup.objects.count() == 1


def test_a_series_has_every_step_and_adds_up(take, live_endpoint):
    moments = [NOW - timedelta(minutes=7 * step) for step in range(1, 100)]
    take(*moments)
    actions.build_rollups()
    since = floor(NOW, HOUR) - 24 * HOUR

    for step in (timedelta(minutes=15), HOUR, 2 * HOUR, DAY):
        points = queries.series(live_endpoint, since, NOW, step)
        assert queries.whole(points).requests == 99
        assert [point.counts.since for point in points] == [
            floor(since, step) + at * step for at in range(len(points))
        ]
        for point in points:
            assert point.counts.requests == sum(
                point.counts.since <= moment < point.counts.until for moment in moments
            )


def test_numbers_that_are_kept_survive_a_round_trip():
    counts = Counts()
    counts.add_request(200, 12.0)
    counts.add_answer(
        labels=["billing"], confidence=1.0, chars=5, tokens=2, oov=0.0, truncated=True, cpu_ms=1.5
    )
    again = Counts()
    again.add(counts)
    again.add_values(counts.as_fields().values())

    assert (again.requests, again.answers, again.truncated, again.cpu_us, again.timed) == (2, 2, 2, 3000, 2)
    assert again.confidence == {"49": 2}
    assert again.oov == {"0": 2}
