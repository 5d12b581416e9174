"""An outage in which no server wrote a line costs what was to be expected in it, once."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from django.conf import settings
from django.db import transaction

from monitoring.alerts.rules.burn import Count
from monitoring.alerts.rules.objectives import Kind, count_of
from monitoring.traffic import actions, queries
from monitoring.traffic.actions import probing
from monitoring.traffic.actions.deposit import Place, deposit
from monitoring.traffic.counts import Counts
from monitoring.traffic.models import MinuteRollup, ProbeMinute
from monitoring.traffic.rules import HOUR, MINUTE
from tests.support import endpoints

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)


@pytest.fixture
def busy(live_endpoint):
    """Sixty requests a minute in the hour before NOW, of which one a minute was refused."""
    version = live_endpoint.alias.version
    put(
        {
            Place(live_endpoint.pk, version.pk, "stable", NOW - at * MINUTE): Counts(requests=61, refused=1)
            for at in range(1, 61)
        }
    )
    return live_endpoint


@transaction.atomic
def put(counts):
    deposit(counts, NOW)


@pytest.fixture
def responds(monkeypatch):
    """Sets what the serving port does: a status, or an error."""

    def set_to(response):
        def get(url, **_):
            assert url == f"{settings.INFERENCE_URL}/v2/health/live"
            if isinstance(response, Exception):
                raise response
            return httpx.Response(response, request=httpx.Request("GET", url))

        monkeypatch.setattr(probing.httpx, "get", get)

    return set_to


def probes():
    return [(row.start, row.probes, row.failed) for row in ProbeMinute.objects.order_by("start")]


def failing(start, failed, probes=12):
    return ProbeMinute.objects.create(start=start, probes=probes, failed=failed)


def lost():
    return {row.start: row.lost_milli for row in MinuteRollup.objects.filter(lost_milli__gt=0)}


@pytest.mark.postgres
def test_probes_are_counted_by_minute_and_unanswered_ones_apart(live_endpoint, responds):
    refused, slow = httpx.ConnectError("refused"), httpx.ReadTimeout("slow")
    for seconds, response, answered in (
        (0, 200, True),
        (5, refused, False),
        (10, slow, False),
        (15, 503, False),
        (61, 404, True),
    ):
        responds(response)
        assert actions.probe(NOW + timedelta(seconds=seconds)) is answered

    assert probes() == [(NOW, 4, 3), (NOW + MINUTE, 1, 0)]


def test_nothing_is_asked_where_nothing_is_live(db, responds):
    responds(httpx.ConnectError("refused"))

    assert actions.probe(NOW) is None
    assert probes() == []


@pytest.mark.postgres
def test_a_minute_costs_its_failed_share_of_what_was_to_be_expected_and_once(busy):
    failing(NOW, 3)

    assert actions.count_lost(NOW + MINUTE) == 0  # its lines are still on their way
    assert [actions.count_lost(NOW + 2 * MINUTE) for _ in range(2)] == [1, 0]

    assert lost() == {NOW: 15_000}
    total = queries.total(busy, NOW, NOW + MINUTE)
    assert (total.requests, total.lost, total.availability) == (0, 15, 0.0)
    assert count_of(Kind.AVAILABILITY, None, total) == Count(15, 15)
    hour = queries.total(busy, NOW - HOUR, NOW + MINUTE)
    assert count_of(Kind.AVAILABILITY, None, hour) == Count(15, 3615)


def test_a_long_outage_is_held_to_the_traffic_before_it_and_not_to_its_own_silence(busy):
    for at in range(70):
        failing(NOW + at * MINUTE, 12)

    actions.count_lost(NOW + 3 * HOUR)

    assert lost() == {NOW + at * MINUTE: 60_000 for at in range(70)}


def test_a_quiet_endpoint_loses_its_fractions_and_one_without_requests_nothing(live_endpoint):
    unasked = endpoints.copied(live_endpoint, "unasked")
    put({Place(live_endpoint.pk, None, "", NOW - 30 * MINUTE): Counts(requests=3, errors=3)})
    for at in range(20):
        failing(NOW + at * MINUTE, 12)

    actions.count_lost(NOW + HOUR)

    assert set(lost().values()) == {50}
    assert queries.total(live_endpoint, NOW, NOW + HOUR).lost == 1
    assert queries.total(unasked, NOW, NOW + HOUR).lost == 0


def test_minutes_without_a_failure_cost_nothing_and_old_ones_are_forgotten(busy):
    failing(NOW, 0)
    assert actions.count_lost(NOW + HOUR) == 0
    assert lost() == {}

    actions.clear_old(NOW + timedelta(days=settings.MINUTE_DAYS, minutes=1))
    assert probes() == []
