"""What is counted: one unit for each sticky key and minute, late news again, a beat that slept, and nothing
that is not a number.
"""

from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone

from monitoring.rollouts import actions
from monitoring.rollouts.actions import count as counting
from monitoring.rollouts.models import FirstEvent, Look, Minute
from monitoring.rollouts.queries import evidence as evidence_queries
from monitoring.rollouts.queries import minutes as minute_queries
from monitoring.rollouts.queries import segments
from monitoring.rollouts.rules import Counts, Groups, Request, Side, log_e, log_limit, tally
from monitoring.rollouts.rules.units import group_of
from monitoring.traffic.actions import record_feedback
from monitoring.traffic.models import Prediction
from tests.monitoring.rollouts.conftest import key


def counted():
    found = Minute.objects.order_by("start").last()
    return found.counts.canary.astuple(), found.counts.stable.astuple()


def events(rollout, segment=0):
    """What is evidence, by metric: (canary, stable)."""
    return minute_queries.whole(segments.segments(rollout)[segment]).events


def test_requests_of_one_key_in_one_minute_are_one_event(rollout, street):
    loop = [street.line("canary", 1 + at / 60, failed=True, key=key("ana")) for at in range(30)]
    others = [street.line("canary", 1, key=key(name)) for name in "bcd"]
    street.take_in(*loop, *others, street.line("stable", 1, key=key("x")))

    street.tick(2)

    assert counted() == ((33, 4, 1, 0, 0), (1, 1, 0, 0, 0))
    assert Look.objects.get().decision == "continue"


def test_the_same_key_in_the_next_minute_is_another_unit_and_no_more_evidence(rollout, street):
    street.take_in(*[street.line("canary", minute, failed=True, key=key("ana")) for minute in (1, 2, 3)])

    street.tick(4)

    assert minute_queries.counts(segments.segments(rollout)[0]).canary.astuple() == (3, 3, 3, 0, 0)
    assert events(rollout) == {"errors": (1, 0), "slow": (0, 0), "wrong": (0, 0)}
    assert Look.objects.get().log_e_errors == pytest.approx(float(log_e(1, 0, 0.05)))


def test_a_key_is_evidence_once_though_its_minutes_come_late_and_are_counted_again(rollout, street):
    street.take_in(*[street.line("canary", minute, failed=True, key=key("ana")) for minute in (2, 3)])
    street.tick(4)
    street.take_in(
        street.line("canary", 1, failed=True, key=key("ana")),
        street.line("canary", 2, failed=True, key=key("ana")),
    )
    street.take_in(
        street.line("stable", 3, failed=True), street.line("stable", 3, failed=True, key=key("ben"))
    )

    street.tick(5)

    assert events(rollout)["errors"] == (1, 2)
    assert list(Minute.objects.order_by("start").values_list("canary_first_errors", flat=True)) == [1, 0, 0]


def test_under_a_wider_share_only_keys_that_were_not_counted_on_the_canary_are_evidence_again(
    rollout, street
):
    """Who failed on the canary before was sure to be there again; who failed on the stable arm was not."""
    street.take_in(
        street.line("canary", 1, failed=True, key=key("ana")),
        street.line("stable", 1, failed=True, key=key("ben")),
    )
    street.feed(1, canary=(110, 0), stable=(400, 9))
    street.tick(3)
    for minute in (4, 5):
        street.take_in(
            *[street.line("canary", minute, failed=True, key=key(name)) for name in ("ana", "ben", "cleo")]
        )
    street.tick(6)

    assert (events(rollout, 0)["errors"], events(rollout, 1)["errors"]) == ((1, 10), (2, 0))
    assert minute_queries.counts(segments.segments(rollout)[1]).canary.errors == 6
    expected = float(log_e(1, 10, 0.05)) + float(log_e(2, 0, 0.25))
    assert Look.objects.order_by("id").last().log_e_errors == pytest.approx(expected)


@pytest.mark.postgres
def test_a_word_that_is_taken_back_is_no_evidence(rollout, street, omar):
    street.take_in(street.line("canary", 1, key=key("ana")))
    prediction = Prediction.objects.get(arm="canary")
    record_feedback(prediction_id=prediction.uuid, right=False, label="refund", actor=omar)
    street.tick(2)
    assert events(rollout)["wrong"] == (1, 0)

    record_feedback(prediction_id=prediction.uuid, right=True, label="", actor=omar)
    street.tick(3)

    assert events(rollout)["wrong"] == (0, 0)


def test_a_key_whose_first_feedback_is_taken_back_is_evidence_by_its_next(rollout, street, omar):
    street.take_in(
        *[street.line("canary", minute, key=key("ana")) for minute in (3, 5)],
        street.line("canary", 4, key=key("ben")),
    )
    third, fifth = Prediction.objects.filter(endpoint=street.endpoint, key=key("ana")).order_by("at")
    for prediction in (third, fifth):
        record_feedback(prediction_id=prediction.uuid, right=False, label="refund", actor=omar)
    street.tick(6)
    firsts = Minute.objects.order_by("start").values_list("canary_first_wrong", flat=True)
    assert list(firsts) == [1, 0, 0]

    record_feedback(prediction_id=third.uuid, right=True, label="", actor=omar)
    assert counting.count(rollout, street.at(7)) is False
    street.tick(8)

    assert list(firsts.all()) == [0, 0, 1]
    assert events(rollout)["wrong"] == (1, 0)
    assert Look.objects.order_by("id").last().log_e_wrong == pytest.approx(float(log_e(1, 0, 0.05)))


def test_a_key_whose_feedback_is_taken_back_at_one_share_is_evidence_at_the_next(rollout, street, omar):
    street.take_in(street.line("canary", 1, key=key("ana")))
    street.feed(1, canary=(110, 0), stable=(400, 9))
    first = Prediction.objects.get(endpoint=street.endpoint, key=key("ana"))
    record_feedback(prediction_id=first.uuid, right=False, label="refund", actor=omar)
    street.tick(3)
    street.take_in(street.line("canary", 4, key=key("ana")))
    second = Prediction.objects.filter(endpoint=street.endpoint, key=key("ana")).latest("at")
    record_feedback(prediction_id=second.uuid, right=False, label="refund", actor=omar)
    street.tick(5)
    assert [events(rollout, at)["wrong"] for at in (0, 1)] == [(1, 0), (0, 0)]

    record_feedback(prediction_id=first.uuid, right=True, label="", actor=omar)
    street.tick(6)
    street.tick(7)

    assert [events(rollout, at)["wrong"] for at in (0, 1)] == [(0, 0), (1, 0)]


def test_predictions_are_read_before_anything_is_locked(rollout, street, monkeypatch):
    street.feed(1, canary=(20, 0), stable=(380, 2))
    outside, inside, original = len(connection.savepoint_ids), [], minute_queries.requests_of
    monkeypatch.setattr(
        minute_queries,
        "requests_of",
        lambda *given: inside.append(len(connection.savepoint_ids)) or original(*given),
    )

    street.tick(2)

    assert inside == [outside]


@pytest.mark.postgres
def test_a_rollout_that_ends_while_its_minutes_are_read_keeps_no_key(
    rollout, street, omar, fresh, monkeypatch
):
    street.take_in(street.line("canary", 1, failed=True, key=key("ana")))
    original = minute_queries.requests_of

    def read(*given):
        actions.abort(
            rollout_id=rollout.uuid, actor=omar, seen=0, reason="Complaints.", typed="1.0.0", now=street.at(2)
        )
        return original(*given)

    monkeypatch.setattr(minute_queries, "requests_of", read)
    street.tick(2)

    assert fresh(rollout).state == "aborted"
    assert (FirstEvent.objects.count(), Minute.objects.count()) == (0, 0)


def test_older_counts_written_over_newer_ones_are_counted_again(rollout, street, monkeypatch):
    """Two ticks at once: the one that read first writes last."""
    street.feed(1, canary=(20, 0), stable=(380, 2))
    original = minute_queries.requests_of

    def overtaken(segment, start):
        found = list(original(segment, start))
        monkeypatch.setattr(minute_queries, "requests_of", original)
        street.feed(1, canary=(10, 1))
        street.tick(2)
        return found

    monkeypatch.setattr(minute_queries, "requests_of", overtaken)
    street.tick(2)
    assert counted()[0] == (20, 20, 0, 0, 0)
    street.tick(3)

    assert counted()[0] == (30, 30, 1, 0, 0)


def test_when_the_rollout_ends_no_key_is_kept(rollout, street, fresh):
    street.take_in(*[street.line("canary", 1, failed=True, key=key(str(at))) for at in range(8)])

    street.tick(2)

    assert fresh(rollout).state == "rolled_back"
    assert FirstEvent.objects.count() == 0
    assert events(rollout)["errors"] == (8, 0)


@pytest.mark.parametrize(("share", "taken_back", "by_the_minute"), [(500, 0, 6), (2500, 1, 24)])
def test_three_clients_that_fail_all_day_do_not_take_back_a_harmless_canary(
    rollout, share, taken_back, by_the_minute
):
    """40 days of 480 minutes: 2 failures a minute of 400 requests at random, and 3 sticky clients that fail
    on either arm, every minute.

    by_the_minute: how many would be rolled back if a key were evidence once for each minute, at 3 % allowed.
    """
    segment = segments.segments(rollout)[0]
    minutes = [segment.started_at + minute * timedelta(minutes=1) for minute in range(480)]
    ended = {False: 0, True: 0}
    for day in range(40):
        rng = np.random.default_rng([share, day])
        clients = [("stable", "canary")[rng.random() < share / 10_000] for _ in range(3)]
        found = {start: tally(failures(rng, share, clients), None) for start in minutes}
        firsts, _ = counting.events(segment, found)

        by_key = np.array(
            [(row["canary_first_errors"], row["stable_first_errors"]) for row in firsts.values()]
        ).cumsum(axis=0)
        by_minute = np.array([each.counts.of("errors") for each in found.values()]).cumsum(axis=0)
        for each, (canary, stable) in ((False, by_key.T), (True, by_minute.T)):
            ended[each] += bool((log_e(canary, stable, share / 10_000) >= log_limit(0.03)).any())

    assert ended == {False: taken_back, True: by_the_minute}


def failures(rng, share, clients):
    """The failed requests of one minute."""
    for at, canary in enumerate(rng.random(rng.poisson(2)) < share / 10_000):
        yield Request(
            ("stable", "canary")[int(canary)], f"request-{at}", failed=True, latency_ms=None, wrong=False
        )
    for at, arm in enumerate(clients):
        yield Request(arm, f"client-{at}", failed=True, latency_ms=None, wrong=False, keyed=True)


def test_a_request_of_many_texts_is_one_event(rollout, street):
    shape = street.line("canary", 1)
    street.take_in(shape | {"rows": 3, "inputs": shape["inputs"] * 3, "outputs": shape["outputs"] * 3})

    street.tick(2)

    assert Prediction.objects.filter(arm="canary").count() == 3
    assert counted()[0] == (1, 1, 0, 0, 0)


def test_refused_and_shed_requests_are_no_ones_failure(rollout, street):
    street.take_in(
        *[
            street.line("canary", 1, failed=True, code=code, key=key(str(code)))
            for code in (400, 404, 413, 422, 429, 500, 503)
        ]
    )

    street.tick(2)

    assert counted()[0] == (2, 2, 2, 0, 0)


def test_requests_that_pin_a_version_are_left_out(begun, street, fresh):
    rollout = begun(warm_up=1)
    street.take_in(*[street.line("canary", 1, failed=True, pinned=True) for _ in range(30)])
    street.take_in(
        street.line("canary", 2),
        street.line("canary", 3),
        street.line("stable", 3),
        street.line("stable", 3, pinned=True),
    )

    street.tick(4)

    assert Prediction.objects.filter(pinned=True).count() == 31
    assert minute_queries.counts(segments.segments(rollout)[0]) == Counts(
        Side(1, 1, 0, 0, 0), Side(1, 1, 0, 0, 0)
    )
    assert fresh(rollout).state == "running"


def test_what_comes_late_is_counted_again_and_only_its_minute(rollout, street, fresh, monkeypatch):
    street.feed(1, canary=(20, 1), stable=(380, 2))
    street.feed(2, canary=(20, 0), stable=(380, 2))
    street.tick(3)
    assert fresh(rollout).state == "running"
    read = []
    original = minute_queries.requests_of
    monkeypatch.setattr(
        minute_queries, "requests_of", lambda segment, start: read.append(start) or original(segment, start)
    )

    street.feed(1, canary=(10, 9))  # from a server whose spool was stuck
    street.tick(30)

    assert read == [street.at(1)]
    assert [(row.start, row.canary_units, row.canary_errors) for row in Minute.objects.order_by("start")] == [
        (street.at(1), 30, 10),
        (street.at(2), 20, 0),
    ]
    assert fresh(rollout).state == "rolled_back"


def test_the_same_segment_twice_counts_once(rollout, street):
    lines = [street.line("canary", 1) for _ in range(5)]
    street.take_in(*lines)
    street.tick(2)
    street.take_in(*lines)
    street.tick(3)

    assert counted()[0] == (5, 5, 0, 0, 0)


def test_the_groups_of_a_segment_are_those_of_its_minutes_however_often_they_are_counted(
    rollout, street, omar
):
    street.take_in(
        *[
            street.line("canary", minute, failed=name == "ana", key=key(name))
            for minute in (1, 2)
            for name in ("ana", "ben")
        ]
    )
    street.tick(3)
    street.take_in(
        street.line("canary", 1, failed=True, key=key("cleo")), street.line("stable", 2, key=key("dan"))
    )
    record_feedback(
        prediction_id=Prediction.objects.get(key=key("dan")).uuid, right=True, label="", actor=omar
    )
    street.tick(4)

    groups = Groups.from_json(segments.segments(rollout)[0].groups)
    assert (
        groups.sums
        == sum(map(Groups.from_json, Minute.objects.values_list("groups", flat=True)), Groups()).sums
    ).all()
    assert groups.sums.sum(axis=1).tolist() == [[5, 3, 0, 0], [1, 0, 1, 0]]  # units, errors, judged, wrong
    assert groups.sums[0, group_of(key("ana"))].tolist() == [2, 2, 0, 0]


def test_twenty_customers_who_return_widen_nothing_however_often_they_ask(rollout, street, fresh):
    for minute in range(1, 9):
        lines = [
            street.line(arm, minute, key=key(f"{arm}{at}"))
            for at in range(20)
            for arm in ("canary", "stable")
        ]
        street.take_in(*lines)
    street.tick(10)

    assert (fresh(rollout).share, minute_queries.counts(segments.segments(rollout)[0]).canary.units) == (
        500,
        160,
    )
    assert Look.objects.get().why.startswith("30 different sticky keys on each arm: at least ")
    assert Look.objects.get().interval is None


def test_late_feedback_is_counted_again(rollout, street, omar, fresh):
    street.feed(1, canary=(20, 0), stable=(380, 0))
    street.tick(2)
    for prediction in Prediction.objects.filter(arm="canary")[:8]:
        record_feedback(prediction_id=prediction.uuid, right=False, label="refund", actor=omar)

    street.tick(3)

    assert counted()[0] == (20, 20, 0, 0, 8)
    assert fresh(rollout).state == "rolled_back"
    assert fresh(rollout).reason.startswith(
        "Too many wrong predictions (from feedback): 8 of 20 on the canary, 0 of 380 on the stable arm."
    )


def test_slow_answers_are_those_above_the_stable_arms_p95_of_the_hour_before(rollout, street, fresh):
    """400 stable answers came in 5 ms half an hour before."""
    street.feed(1, canary=(20, 0), stable=(380, 0), latency_ms=5.0)
    street.take_in(*[street.line("canary", 1.5, latency_ms=80.0, key=key(str(at))) for at in range(10)])
    street.tick(2)

    assert counted() == ((30, 30, 0, 10, 0), (380, 380, 0, 0, 0))
    assert fresh(rollout).state == "rolled_back"
    assert fresh(rollout).reason.startswith("Too many slow responses: 10 of 30 on the canary")


def test_nothing_is_slow_while_too_few_answers_show_what_is(street, version, mia):
    street.feed(-30, stable=(99, 0))
    street.start(street.approved(version, max_hours=48), mia)
    street.take_in(*[street.line("canary", 1, latency_ms=9000.0) for _ in range(10)])
    street.tick(2)

    assert Minute.objects.get().slow_ms is None
    assert counted()[0] == (10, 10, 0, 0, 0)


@pytest.mark.postgres
def test_the_first_requests_after_loading_count_for_nothing(begun, street):
    rollout = begun(warm_up=20)
    street.take_in(*[street.line("canary", 1 + at / 60, failed=True) for at in range(20)])
    street.tick(2)
    assert counted() == ((0, 0, 0, 0, 0), (0, 0, 0, 0, 0))

    street.feed(3, canary=(5, 0), stable=(95, 0))
    street.tick(4)

    assert minute_queries.counts(segments.segments(rollout)[0]).canary.astuple() == (5, 5, 0, 0, 0)


def test_evidence_of_the_steps_multiplies_and_counts_begin_anew(rollout, street):
    street.feed(1, canary=(110, 1), stable=(400, 9))
    street.tick(3)
    first = Look.objects.order_by("id").last()
    street.feed(4, canary=(50, 3), stable=(150, 0))
    street.tick(5)

    last = Look.objects.order_by("id").last()
    assert (last.segment.number, last.canary_units, last.canary_errors) == (2, 50, 3)
    expected = float(log_e(1, 9, 0.05)) + float(log_e(3, 0, 0.25))
    assert first.log_e_errors == pytest.approx(float(log_e(1, 9, 0.05)))
    assert last.log_e_errors == pytest.approx(expected)
    assert evidence_queries.evidence(rollout, street.at(5)).log_e["errors"] == pytest.approx(expected)


@pytest.mark.postgres
def test_requests_under_the_old_split_stay_with_the_old_step(rollout, street):
    """A server that took the new split a few seconds late spools with the old epoch, which identifies it."""
    old = street.line("canary", 3.05)
    street.feed(1, canary=(110, 0), stable=(400, 9))
    street.tick(3)
    street.take_in(old, street.line("canary", 3.1))
    street.tick(4)

    first, second = segments.segments(rollout)
    assert minute_queries.counts(first).canary.requests == 111
    assert minute_queries.counts(second).canary.requests == 1


def test_a_beat_that_slept_for_a_day_catches_up_in_parts_and_widens_only_when_all_is_counted(
    rollout, street, fresh, monkeypatch
):
    monkeypatch.setattr(counting, "MINUTES_AT_ONCE", 4)
    for minute in range(1, 11):
        street.feed(60 * minute, canary=(20, 0), stable=(80, 0))
    day = 24 * 60

    street.tick(day)
    assert (Minute.objects.count(), fresh(rollout).share) == (4, 500)
    street.tick(day)
    assert (Minute.objects.count(), fresh(rollout).share) == (8, 500)
    assert Look.objects.order_by("id").last().why == "Some requests aren't counted yet."
    street.tick(day)

    assert (Minute.objects.count(), fresh(rollout).share) == (10, 2500)


@pytest.mark.postgres
def test_a_bad_canary_is_found_though_the_beat_slept(rollout, street, fresh):
    street.feed(60, canary=(20, 7), stable=(380, 2))

    street.tick(24 * 60)

    assert fresh(rollout).state == "rolled_back"


def test_a_window_without_requests_adds_no_look_and_no_number(rollout, street):
    street.feed(1, canary=(20, 0), stable=(380, 2))
    street.tick(2)

    for minute in (3, 4, 300):
        street.tick(minute)

    assert (Look.objects.count(), Minute.objects.count()) == (1, 1)
    found = evidence_queries.evidence(rollout, street.at(300))
    assert (found.interval(rollout.rule), found.log_e["slow"], found.log_e["wrong"]) == (None, 0.0, 0.0)


@pytest.mark.parametrize(
    "bad",
    [
        {"latency_ms": float("nan")},
        {"latency_ms": float("inf")},
        {"code": "x"},
        {"at": "1970-01-01T00:00:00+00:00"},
    ],
)
def test_what_is_not_a_number_is_set_aside_and_not_counted(rollout, street, bad):
    street.take_in(street.line("canary", 1) | bad, street.line("canary", 1), street.line("stable", 1))

    street.tick(2)

    assert counted() == ((1, 1, 0, 0, 0), (1, 1, 0, 0, 0))


def test_one_rollout_that_fails_leaves_the_others_alone(rollout, street, fresh, monkeypatch):
    street.feed(1, canary=(20, 7), stable=(380, 2))
    with monkeypatch.context() as patch:
        patch.setattr(evidence_queries, "evidence", lambda *_, **__: 1 / 0)
        assert street.tick(2) == 0
    assert fresh(rollout).state == "running"

    assert street.tick(3) == 1


def test_a_tick_reads_the_clock_itself(rollout, street, fresh):
    street.feed(1, canary=(20, 7), stable=(380, 2))

    actions.tick()

    assert timezone.now() - fresh(rollout).ended_at < timedelta(minutes=1)
