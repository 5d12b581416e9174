"""An hour that is measured early opens an episode and is no window: the next comes when it would have come,
and no answer counts twice.
"""

from datetime import timedelta

import pytest

from monitoring.drift import actions, queries
from monitoring.drift.actions.measure import look
from monitoring.drift.models import DriftReport, Episode
from monitoring.drift.rules import HOUR
from monitoring.traffic.queries import total
from tests.monitoring.drift.conftest import ABRUPT, EVEN, NOW, day

BUSY = dict.fromkeys(EVEN, 1000)


@pytest.fixture
def looked(traffic):
    """A busy endpoint at 12:30: its hours to 12:00 are measured, and the hour to 12:25 was far off."""
    traffic.write(day(18).start, BUSY)
    traffic.write(day(19).start + timedelta(hours=5), BUSY)
    traffic.write(NOW - timedelta(minutes=40))
    traffic.write(NOW + timedelta(minutes=20), ABRUPT)
    actions.tick(NOW + timedelta(minutes=30))
    return DriftReport.objects.get(between=True)


def windows_since_noon(endpoint):
    rows = DriftReport.objects.filter(endpoint=endpoint, window_end__gt=NOW).order_by("id")
    return [(row.window_start, row.window_end, row.between) for row in rows]


def test_the_next_window_comes_when_it_would_have_come(looked):
    early = (looked.window_start, looked.window_end, True)
    assert early == (NOW - timedelta(minutes=35), NOW + timedelta(minutes=25), True)

    actions.tick(NOW + timedelta(minutes=66))

    assert windows_since_noon(looked.endpoint) == [early, (NOW, NOW + HOUR, False)]
    assert Episode.objects.count() == 1


def test_later_windows_are_judged_without_it(looked):
    actions.tick(NOW + timedelta(minutes=66))

    windows = DriftReport.objects.filter(between=False)
    assert windows.get(window_end=NOW + HOUR).results["label"]["of"] == windows.count() == 4
    assert len(queries.results_until(looked)) == 4


def test_a_look_at_exactly_a_window_does_not_replace_it(traffic):
    traffic.write(day(4).start, ABRUPT)
    version, counts = (
        traffic.endpoint.alias.version,
        total(traffic.endpoint, day(4).start, day(4).end, traffic.endpoint.alias.version),
    )
    early = look(traffic.endpoint, version, day(4), counts)

    report = actions.measure(traffic.endpoint, version, day(4))

    assert (early.between, report.between, report.pk == early.pk) == (True, False, False)
    assert Episode.objects.count() == 1


def test_what_is_shown_of_an_early_hour_is_that_hour(looked):
    assert queries.standing([looked.endpoint])[looked.endpoint.pk].report == looked
    assert queries.estimates(looked.endpoint, looked.version, day(1).start)[0][-1][0] < looked.window_start


def test_a_line_of_windows_holds_an_early_hour_only_while_it_is_the_newest(looked, monkeypatch):
    monkeypatch.setattr(queries, "BACK", timedelta(days=36_500))
    by_day = queries.ratios_by_day(looked.endpoint, looked.version, day(1).start)
    assert max(each["label"] for each in by_day.values()) < 1 < looked.results["label"]["ratio"]
    windows = DriftReport.objects.filter(between=False).order_by("window_end").values_list("ratio", flat=True)
    assert queries.trends(queries.standing([looked.endpoint]))[looked.endpoint.pk] == [
        *windows.all(),
        looked.ratio,
    ]

    actions.tick(NOW + timedelta(minutes=66))

    standing = queries.standing([looked.endpoint])
    assert standing[looked.endpoint.pk].report == DriftReport.objects.get(
        window_end=NOW + HOUR, between=False
    )
    assert queries.trends(standing)[looked.endpoint.pk] == list(windows.all())
