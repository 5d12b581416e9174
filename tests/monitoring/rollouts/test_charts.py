"""What the charts of a rollout are drawn from: few looks of many, and figures that stay when the minutes are cleared away."""

from datetime import timedelta

import pytest

from monitoring.rollouts import queries
from monitoring.rollouts.models import Look
from monitoring.traffic import actions as traffic
from monitoring.traffic.models import MinuteRollup


def test_a_chart_of_an_old_rollout_is_drawn_from_hours_when_the_minutes_are_gone(rollout, street):
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
    return [each.errors for each in queries.arm_points(rollout, until) if each.errors]


@pytest.mark.parametrize(("looks", "drawn"), [(1, 1), (120, 120), (121, 61), (500, 101)])
def test_a_chart_reads_a_hundred_looks_of_however_many_and_always_the_last(rollout, django_assert_num_queries, looks, drawn):
    segment = queries.segments(rollout)[0]
    shape = {"rollout": rollout, "segment": segment, "decision": "continue", "log_e_slow": 0, "log_e_wrong": 0, "difference": 0.0}
    Look.objects.bulk_create([Look(**shape, at=rollout.started_at + timedelta(seconds=10 * at), log_e_errors=at) for at in range(looks)])

    for only in (None, segment):
        with django_assert_num_queries(2):
            found = queries.chart_looks(rollout, only)
        assert (len(found), found[0].log_e_errors, found[-1].log_e_errors) == (drawn, 0, looks - 1)
