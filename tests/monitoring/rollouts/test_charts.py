"""What the charts of a rollout are drawn from: few looks of many, and figures that stay when the minutes are
cleared away.
"""

from datetime import UTC, datetime, timedelta

import pytest

from monitoring.rollouts import actions
from monitoring.rollouts.charts import arms
from monitoring.rollouts.models import Look
from monitoring.rollouts.queries import chart_data, segments
from monitoring.rollouts.rules.points import ArmPoint
from monitoring.traffic import actions as traffic
from monitoring.traffic import histogram
from monitoring.traffic.models import MinuteRollup

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_a_chart_of_an_old_rollout_is_drawn_from_hours_when_the_minutes_are_deleted(rollout, street):
    street.feed(1, canary=(20, 2), stable=(380, 19))
    until = street.at(60)
    before = drawn(rollout, until)
    assert before == [{"stable": 0.005}, {"canary": 0.1, "stable": 0.05}]
    later = street.at(20 * 24 * 60)
    traffic.build_rollups(later)

    traffic.clear_old(later)

    assert not MinuteRollup.objects.exists()
    after = drawn(rollout, until)
    assert sum("canary" in each for each in after) == 1
    assert next(each["canary"] for each in after if "canary" in each) == 0.1


def drawn(rollout, until):
    """The error shares of the steps in which something came."""
    return [each.errors for each in chart_data.arm_points(rollout, until) if each.errors]


@pytest.mark.parametrize(("looks", "drawn"), [(1, 1), (120, 120), (121, 61), (500, 101)])
def test_a_chart_reads_a_hundred_looks_of_however_many_and_always_the_last(
    rollout, django_assert_num_queries, looks, drawn
):
    segment = segments.segments(rollout)[0]
    shape = {
        "rollout": rollout,
        "segment": segment,
        "decision": "continue",
        "log_e_slow": 0,
        "log_e_wrong": 0,
        "difference": 0.0,
    }
    Look.objects.bulk_create(
        [
            Look(**shape, at=rollout.started_at + timedelta(seconds=10 * at), log_e_errors=at)
            for at in range(looks)
        ]
    )

    for only in (None, segment):
        with django_assert_num_queries(2):
            found = chart_data.chart_looks(rollout, only)
        assert (len(found), found[0].log_e_errors, found[-1].log_e_errors) == (drawn, 0, looks - 1)


def lead(**ms):
    """Of a chart of one step; by arm: (how many answers, how long each took)."""
    latency = {arm: {str(histogram.bucket(each)): number} for arm, (number, each) in ms.items()}
    point = ArmPoint(NOON, {}, {arm: each for arm, (_, each) in ms.items()}, latency=latency)
    return arms.latency([point], NOON).lead


@pytest.mark.parametrize(
    ("canary", "stable", "text"),
    [
        ((99, 20.0), (5000, 30.0), "Not enough data: fewer than 100 requests on an arm."),
        ((5000, 20.0), (99, 30.0), "Not enough data: fewer than 100 requests on an arm."),
        ((100, 20.0), (5000, 30.0), "Canary −9.7\u00a0ms against stable: p95 of 100 and 5,000 responses."),
        ((100, 20.0), (5000, 20.0), "Canary as fast as stable: p95 of 100 and 5,000 responses."),
    ],
)
def test_latency_is_compared_from_as_many_requests_as_errors_and_with_its_unit(canary, stable, text):
    assert lead(canary=canary, stable=stable) == text


def test_latency_of_one_arm_alone_is_not_compared():
    assert lead(stable=(5000, 30.0)) == "Not enough data: fewer than 100 requests on an arm."


def test_a_rollout_begins_with_its_canary_and_not_while_files_are_laid_out(asked, version, mia):
    asked.take_in_now(400, 2)
    approval = asked.approved(version, max_hours=48)
    rollout = actions.start(request_id=approval.uuid, actor=mia)

    begun = approval.endpoint.deployments.get(arm="canary", ended_at=None).started_at
    segment = segments.segments(rollout)[0]
    assert {rollout.started_at, rollout.step_started_at, rollout.window_started_at, segment.started_at} == {
        begun
    }
