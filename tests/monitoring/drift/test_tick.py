"""The beat: each window once, also after a long sleep."""

from datetime import UTC, datetime, timedelta

import pytest

from lifecycle.ground.jobs.models import Job
from monitoring.drift import actions
from monitoring.drift.models import DriftReport
from monitoring.drift.rules import WINDOWS_AT_ONCE
from registry.catalog.models import Endpoint
from tests.monitoring.drift.conftest import EVEN, NOW, day
from tests.support import endpoints, registry

BUSY = dict.fromkeys(EVEN, 1000)


def windows(endpoint):
    return [
        (row.window_start, row.window_end)
        for row in DriftReport.objects.filter(endpoint=endpoint).order_by("id")
    ]


def test_each_whole_day_is_measured_once(traffic, live_endpoint):
    for number in (17, 18, 19):
        traffic.write(day(number).start + timedelta(hours=3))

    assert actions.tick(NOW) == 3
    assert actions.tick(NOW) == 0

    assert windows(live_endpoint) == [(day(number).start, day(number).end) for number in (17, 18, 19)]


def test_a_day_is_over_only_when_late_lines_have_come(traffic, live_endpoint):
    traffic.write(day(19).start)

    assert actions.catch_up(live_endpoint, day(19).end + timedelta(minutes=4)) == []
    assert len(actions.catch_up(live_endpoint, day(19).end + timedelta(minutes=6))) == 1


def test_after_a_busy_day_the_hours_are_measured(traffic, live_endpoint):
    traffic.write(day(18).start, BUSY)
    traffic.write(day(19).start + timedelta(hours=5), BUSY)
    traffic.write(day(20).start + timedelta(hours=1), BUSY)

    actions.tick(NOW)

    found = windows(live_endpoint)
    assert found[0] == (day(18).start, day(18).end)
    hours = [day(19).start + timedelta(hours=5), day(20).start + timedelta(hours=1)]
    # in the others nothing was live, by the deployments
    assert found[1:] == [(hour, hour + timedelta(hours=1)) for hour in hours]


def test_a_beat_that_slept_measures_what_it_missed_once_and_in_order(traffic, live_endpoint):
    for number in range(10, 20):
        traffic.write(day(number).start)
    actions.tick(day(11).end + timedelta(minutes=10))
    assert len(windows(live_endpoint)) == 2

    assert actions.tick(NOW) == 8

    assert windows(live_endpoint) == [(day(number).start, day(number).end) for number in range(10, 20)]


def test_one_turn_is_bounded_and_the_next_goes_on(traffic, live_endpoint):
    for number in range(10, 20):
        traffic.write(day(number).start)

    assert len(actions.catch_up(live_endpoint, NOW, most=4)) == 4
    assert len(actions.catch_up(live_endpoint, NOW, most=4)) == 4
    assert len(actions.catch_up(live_endpoint, NOW, most=4)) == 2
    assert WINDOWS_AT_ONCE == 100


def test_nothing_older_than_sixty_days_is_looked_at(traffic, live_endpoint):
    traffic.write(datetime(2025, 12, 1, tzinfo=UTC))
    traffic.write(day(19).start)

    actions.tick(NOW)

    assert min(windows(live_endpoint))[0] >= datetime(2026, 1, 18, tzinfo=UTC)


def test_the_version_that_answered_most_is_measured(project, traffic, live_endpoint, ravi, mia):
    newer = registry.make_version(project, mia, ravi, model=live_endpoint.model, semver="1.1.0")
    traffic.write(day(19).start, EVEN)
    traffic.write(day(19).start + timedelta(hours=20), {"billing": 100}, version=newer)

    report = actions.catch_up(live_endpoint, NOW)[-1]

    assert (report.version.semver, report.rows) == ("1.0.0", 600)


def test_an_endpoint_that_goes_wrong_does_not_keep_others_from_their_turn(
    traffic, live_endpoint, monkeypatch
):
    other = endpoints.copied(live_endpoint, "second")
    traffic.write(day(19).start)
    ticking = actions.tick.__globals__
    original = ticking["catch_up"]

    def broken(endpoint, now):
        if endpoint == other:
            raise RuntimeError("of no concern to the rest")
        return original(endpoint, now)

    monkeypatch.setitem(ticking, "catch_up", broken)

    assert actions.tick(NOW) == 1


def test_the_texts_of_the_last_day_are_queued_once(traffic, live_endpoint):
    traffic.write(day(19).start)

    actions.tick(NOW)
    actions.tick(NOW)

    job = Job.objects.get(kind="drift.texts")
    assert (job.args["start"], job.args["end"]) == (day(19).start.isoformat(), day(19).end.isoformat())
    assert (job.subject_uuid, job.project, job.created_by) == (
        live_endpoint.uuid,
        live_endpoint.model.project,
        None,
    )


@pytest.mark.postgres
def test_no_texts_are_compared_where_none_are_kept(traffic, live_endpoint):
    Endpoint.objects.filter(pk=live_endpoint.pk).update(keep_text=False)
    traffic.write(day(19).start)

    actions.tick(NOW)

    assert not Job.objects.filter(kind="drift.texts").exists()


@pytest.mark.django_db
def test_without_endpoints_there_is_nothing_to_do():
    assert actions.tick(NOW) == 0


def test_an_endpoint_without_any_traffic_is_insufficient(live_endpoint):
    """It was deployed today, so no window is over; tomorrow there is one, and it is not good."""
    later = (datetime.now(UTC) + timedelta(days=1)).replace(hour=1, minute=0)

    reports = actions.catch_up(live_endpoint, later)

    assert [report.state for report in reports] == ["insufficient"]
