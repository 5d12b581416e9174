"""One window far beyond its limit, with many rows, is enough; and no one waits for the end of a day to see
it.
"""

from datetime import timedelta

import pytest

from lifecycle.ground.notices.models import Outbox
from monitoring.drift import actions, queries
from monitoring.drift.models import DriftReport, Episode
from monitoring.drift.rules import FAR, HOUR, MANY, Past, judge
from tests.monitoring.drift.conftest import ABRUPT, EVEN, NOW, ONE_SIDED, day

QUIET = [Past(0.1, 0.1, False, True)] * 20


@pytest.mark.parametrize(
    ("ratio", "rows", "sure", "opens"),
    [
        (FAR, MANY, True, True),
        (FAR - 0.01, MANY, True, False),
        (FAR, MANY - 1, True, False),
        (FAR, MANY, False, False),
    ],
)
@pytest.mark.parametrize("past", [[], QUIET])
def test_one_window_is_enough_when_it_is_far_beyond_the_limit_in_many_rows(past, ratio, rows, sure, opens):
    verdict = judge(past, ratio=ratio, rows=rows, sure=sure, is_open=False, matters=True)

    assert (verdict.opens, verdict.abrupt) == (opens, opens)


def test_what_is_usual_here_is_not_abrupt():
    usual = [Past(4.0 + at % 3, 5.0, False, True) for at in range(20)]

    assert not judge(usual, ratio=5.0, rows=1000, sure=True, is_open=False, matters=True).opens


def test_a_day_that_is_far_off_opens_at_once_and_shows_why(traffic):
    report = traffic.measure(2, ABRUPT)

    row = Episode.objects.get()
    assert (row.monitor, row.opened_at, report.state) == ("label", day(2).end, "drift")
    assert report.why.endswith("times its limit in 600 rows, so one window is enough.")


def test_a_shift_within_the_day_is_found_within_the_hour(traffic, live_endpoint):
    traffic.write(day(19).start + timedelta(hours=9))
    traffic.write(NOW - timedelta(minutes=20), ABRUPT)
    actions.tick(day(19).end + timedelta(minutes=10))
    assert not Episode.objects.exists()

    actions.tick(NOW)
    actions.tick(NOW + timedelta(minutes=5))

    row, report = Episode.objects.get(), DriftReport.objects.latest("id")
    assert (row.monitor, row.version) == ("label", live_endpoint.alias.version)
    assert (report.window_end, report.window_end - report.window_start, report.rows) == (
        NOW - timedelta(minutes=5),
        HOUR,
        600,
    )
    assert Outbox.objects.filter(topic="drift.opened").count() == 1
    assert DriftReport.objects.count() == 2


@pytest.mark.parametrize("labels", [EVEN, ONE_SIDED, {"billing": MANY - 1}])
def test_an_hour_that_opens_nothing_leaves_nothing(traffic, labels):
    traffic.write(NOW - timedelta(minutes=20), labels)

    actions.tick(NOW)

    assert not DriftReport.objects.filter(window_end__gt=day(19).end).exists()
    assert queries.open_episodes(traffic.endpoint) == []


def test_the_day_is_measured_all_the_same_after_an_hour_of_it_opened(traffic, live_endpoint):
    traffic.write(NOW - timedelta(minutes=20), ABRUPT)
    actions.tick(NOW)

    actions.tick(day(20).end + timedelta(minutes=10))

    newest = queries.standing([live_endpoint])[live_endpoint.pk].report
    assert (newest.window_start, newest.window_end, newest.rows) == (day(20).start, day(20).end, 600)
    assert Episode.objects.count() == 1
