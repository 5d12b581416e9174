"""Lines that come twice, late, out of order, from a clock that is wrong, or senseless: the figures are
exactly what was sent, once.
"""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from monitoring.traffic import actions, queries
from monitoring.traffic.models import MinuteRollup, Prediction
from tests.support import endpoints


def at(moment):
    return moment.isoformat(timespec="milliseconds")


def minutes():
    return {row.start: row.requests for row in MinuteRollup.objects.order_by("start")}


def test_out_of_order_and_twice_counts_as_in_order_and_once(live_endpoint):
    first = datetime(2026, 3, 1, 10, 0, 30, tzinfo=UTC)
    lines = [endpoints.spool_line(live_endpoint, at=at(first + timedelta(minutes=step))) for step in range(4)]
    endpoints.write_segment(lines[3], lines[1], lines[3], name="2.jsonl")
    endpoints.write_segment(lines[2], lines[0], lines[1], name="1.jsonl")

    assert actions.ingest() == 4

    begin = first.replace(second=0)
    assert minutes() == {begin + timedelta(minutes=step): 1 for step in range(4)}


def test_a_clock_ahead_is_set_to_now_and_one_behind_keeps_its_time(live_endpoint, caplog):
    now = timezone.now()
    endpoints.write_segment(
        endpoints.spool_line(live_endpoint, at=at(now + timedelta(hours=3))),
        endpoints.spool_line(live_endpoint, at=at(now - timedelta(days=40))),
    )

    assert actions.ingest() == 2

    late, ahead = Prediction.objects.order_by("at")
    assert ahead.at <= timezone.now()
    assert late.at == (now - timedelta(days=40)).replace(microsecond=late.at.microsecond)
    assert caplog.text.count("event=spool_clock_ahead") == 1


def test_a_clock_that_was_never_set_is_kept_aside(live_endpoint, settings):
    endpoints.write_segment(
        endpoints.spool_line(live_endpoint, at="1970-01-01T00:00:00+00:00"), name="5.jsonl"
    )

    assert actions.ingest() == 0
    assert (settings.DATA_DIR / "spool" / "bad" / "5.jsonl").exists()


def test_each_ending_is_counted_once(live_endpoint):
    when = at(timezone.now() - timedelta(minutes=1))
    endpoints.write_segment(
        endpoints.spool_line(live_endpoint, ("a", "billing", 0.9), ("b", "refund", 1.0), at=when, cpu_ms=8.0),
        *(endpoints.error_line(live_endpoint, code, at=when) for code in (400, 404, 429, 500, 503, 504)),
    )

    assert actions.ingest() == 8

    total = queries.total(live_endpoint, timezone.now() - timedelta(hours=1), timezone.now())
    assert (total.requests, total.errors, total.refused, total.shed, total.answers) == (7, 3, 2, 1, 2)
    assert (total.taken, total.error_share, total.availability) == (4, 0.75, 0.25)
    assert total.confidence == {"45": 1, "49": 1}
    assert total.labels == {"billing": 1, "refund": 1}
    assert (total.cpu_us, total.timed) == (8000, 2)


def test_cost_is_the_measured_cpu_time_at_the_price(live_endpoint, settings):
    endpoints.write_segment(
        endpoints.spool_line(live_endpoint, ("a", "billing", 0.9), ("b", "refund", 0.8), cpu_ms=72.0),
        endpoints.spool_line(live_endpoint),
    )
    actions.ingest()
    total = queries.total(
        live_endpoint, timezone.now() - timedelta(hours=1), timezone.now() + timedelta(minutes=1)
    )

    settings.PRICE_PER_CORE_HOUR = None
    assert total.cost_per_million is None
    settings.PRICE_PER_CORE_HOUR = 0.5
    assert total.answers == 3
    # 36 ms for each text whose time is known
    assert total.cost_per_million == pytest.approx(1_000_000 * 0.036 / 3600 * 0.5)


@pytest.mark.postgres
def test_a_shadow_is_counted_apart_and_once(live_endpoint):
    asked = endpoints.spool_line(live_endpoint)
    version = live_endpoint.alias.version
    answer = {
        "kind": "shadow",
        "uuid": "11111111-0000-4000-8000-000000000001",
        "at": asked["at"],
        "endpoint": live_endpoint.full_name,
        "version": str(version.uuid),
        "root_digest": version.root_digest,
        "deployment": None,
        "prediction": asked["uuid"],
        "code": 200,
        "label": "refund",
        "confidence": 0.6,
        "agrees": False,
        "kl": 0.4,
        "latency_ms": 9.0,
        "primary_latency_ms": 5.0,
        "key": "0" * 16,
    }
    endpoints.write_segment(answer, asked, answer)
    assert actions.ingest() == 1
    endpoints.write_segment(
        answer, answer | {"uuid": "11111111-0000-4000-8000-000000000002", "label": "billing", "agrees": True}
    )
    assert actions.ingest() == 0

    since, until = timezone.now() - timedelta(hours=1), timezone.now() + timedelta(minutes=1)
    shadow, clients = (
        queries.total(live_endpoint, since, until, arm="shadow"),
        queries.total(live_endpoint, since, until),
    )
    assert (shadow.requests, shadow.agree, shadow.disagree, shadow.agree_share) == (2, 1, 1, 0.5)
    assert shadow.by_sender == {"229-": 1, "229+": 1}
    assert (clients.requests, clients.labels) == (1, {"billing": 1})
    shown = queries.shadow_answers(Prediction.objects.get())
    assert [(row.label, row.agrees) for row in shown] == [("refund", False), ("billing", True)]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "nonsense"},
        {"kind": "shadow"},
        {"kind": "guard", "deployment": None, "failures": 1, "of": 2},
        {"inputs": [{"oov": 1.5}]},
        {"outputs": [{"label": "x", "confidence": -0.2}]},
        {"cpu_ms": -1},
        {"at": None},
    ],
)
def test_senseless_lines_are_kept_aside(live_endpoint, settings, change):
    endpoints.write_segment(
        endpoints.spool_line(live_endpoint) | change, endpoints.spool_line(live_endpoint), name="9.jsonl"
    )

    assert actions.ingest() == 1

    assert (settings.DATA_DIR / "spool" / "bad" / "9.jsonl").read_bytes().count(b"\n") == 1
