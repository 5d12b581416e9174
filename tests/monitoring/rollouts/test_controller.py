"""The controller on real rows: it rolls a bad canary back, widens a good one, and never widens without
evidence.
"""

import json

import pytest

from lifecycle.ground.notices.models import Notice, Outbox
from monitoring.alerts.models import Alert
from monitoring.rollouts.models import Look, Minute, Segment
from registry.ground.ledger.models import Event
from tests.support import endpoints
from tests.support.trail import found


def test_starting_gives_the_first_share_and_begins_the_evidence(rollout, street, approval, mia, verbs):
    assert street.running() == [("stable", "1.0.0", 10_000), ("canary", "1.1.0", 500)]
    assert (
        rollout.state,
        rollout.share,
        rollout.started_by,
        rollout.version.semver,
        rollout.baseline.semver,
    ) == (
        "running",
        500,
        mia,
        "1.1.0",
        "1.0.0",
    )
    segment = Segment.objects.get()
    assert (segment.number, segment.share, segment.started_at, segment.deployment.arm) == (
        1,
        500,
        street.at(0),
        "canary",
    )
    assert verbs(rollout) == ["rollouts.started"]
    approval.refresh_from_db()
    assert approval.status == "fulfilled"


def test_a_bad_canary_is_taken_back_with_its_event_and_a_page(rollout, street, omar, verbs, fresh):
    street.feed(1, canary=(20, 6), stable=(380, 2))

    assert street.tick(2) == 1

    rollout = fresh(rollout)
    assert (rollout.state, rollout.ended_by, rollout.ended_at) == ("rolled_back", None, street.at(2))
    assert street.running() == [("stable", "1.0.0", 10_000)]
    assert rollout.reason.startswith(
        "Too many failed requests: 6 of 20 on the canary, 2 of 380 on the stable arm."
    )
    assert verbs(rollout) == ["rollouts.started", "rollouts.rolled_back"]
    event = json.loads(Event.objects.get(verb="rollouts.rolled_back").canonical)
    assert (event["actor"], event["payload"]["old"], event["payload"]["new"]) == ("system", 500, 0)
    assert Event.objects.filter(verb="endpoints.canary_stopped", actor="system").count() == 1
    assert Outbox.objects.get(topic="endpoints.canary_stopped").payload["steered"] is True
    alert = Alert.objects.get()
    assert (alert.severity, alert.source, alert.title) == (
        "page",
        "canary",
        "1.1.0 was rolled back on support-inbox-prod",
    )
    assert alert.url == f"/rollouts/{rollout.uuid}/"
    look = Look.objects.get()
    assert (look.decision, look.canary_errors, look.stable_errors) == ("rollback", 6, 2)


def test_the_servers_get_it_on_commit(rollout, street, django_capture_on_commit_callbacks):
    street.feed(1, canary=(20, 6), stable=(380, 2))

    with django_capture_on_commit_callbacks(execute=True):
        street.tick(2)

    assert [
        (arm["arm"], arm["share"])
        for arm in endpoints.routes()["endpoints"][street.endpoint.full_name]["arms"]
    ] == [("stable", 10_000)]


def test_a_look_at_the_same_thing_decides_nothing_twice(rollout, street, fresh):
    street.feed(1, canary=(20, 6), stable=(380, 2))
    street.tick(2)
    moves = fresh(rollout).moves

    assert [street.tick(minute) for minute in (2, 3, 60)] == [0, 0, 0]
    assert (fresh(rollout).moves, Look.objects.count(), Alert.objects.count()) == (moves, 1, 1)


def test_a_good_canary_goes_5_25_50_100_by_itself(rollout, street, verbs, fresh):
    shares = []
    for step, (canary, stable) in enumerate(
        [((100, 0), (1900, 9)), ((300, 1), (900, 4)), ((300, 2), (300, 1))]
    ):
        begin = 10 * step
        street.feed(begin + 1, canary=canary, stable=stable)
        street.tick(begin + 2.5)
        shares.append(fresh(rollout).share)

    assert shares == [2500, 5000, 10_000]
    rollout = fresh(rollout)
    assert (rollout.state, rollout.ended_by, rollout.reason) == (
        "promoted",
        None,
        "All measured conditions are met. Not measured: wrong predictions (from feedback).",
    )
    assert street.running() == [("stable", "1.1.0", 10_000)]
    decided = "rollouts.step_decided"
    assert verbs(rollout) == [
        "rollouts.started",
        decided,
        "rollouts.widened",
        decided,
        "rollouts.widened",
        decided,
        "rollouts.promoted",
    ]
    assert found() == []
    assert [(each.share, each.started_at) for each in Segment.objects.order_by("number")] == [
        (500, street.at(0)),
        (2500, street.at(2.5)),
        (5000, street.at(12.5)),
    ]
    assert not Alert.objects.exists()
    assert (
        Notice.objects.filter(
            user=rollout.started_by, text="1.1.0 now serves all traffic of support-inbox-prod."
        ).count()
        == 1
    )


@pytest.mark.parametrize(
    ("canary", "stable", "minute", "missing"),
    [
        ((99, 0), (400, 9), 2.5, "100 canary requests: 99."),
        ((100, 0), (400, 9), 1.9, "At least 2\u00a0min at this step: 1\u00a0min 54\u00a0s."),
        ((100, 0), (99, 0), 2.5, "not enough data, 100 per arm needed"),
    ],
)
def test_one_missing_minimum_keeps_the_share(rollout, street, fresh, canary, stable, minute, missing):
    street.feed(1, canary=canary, stable=stable)

    street.tick(minute)

    assert (fresh(rollout).state, fresh(rollout).share) == ("running", 500)
    look = Look.objects.get()
    assert look.decision == "continue"
    assert missing in look.why


def test_no_worse_is_shown_by_the_upper_bound_and_by_nothing_else(begun, street, fresh):
    """A canary with fewer failures, whose interval still reaches the margin, does not widen."""
    rollout = begun(margin=0.02, max_hours=720)
    street.feed(1, canary=(150, 0), stable=(1900, 9))

    street.tick(3)

    look = Look.objects.get()
    assert look.difference < 0 < 0.02 < look.high
    assert (fresh(rollout).share, look.decision) == (500, "continue")


def test_insufficient_evidence_holds_asks_once_and_never_widens(brief, street, verbs, fresh, mia):
    street.feed(1, canary=(40, 0), stable=(760, 4))

    street.tick(359)
    assert fresh(brief).state == "running"
    street.tick(360)

    rollout = fresh(brief)
    assert (rollout.state, rollout.share) == ("holding", 500)
    assert rollout.reason.startswith("Not enough evidence after 6\u00a0h. 100 canary requests: 40;")
    assert verbs(rollout) == ["rollouts.started", "rollouts.held"]
    alert = Alert.objects.get()
    assert (alert.severity, alert.title) == (
        "ticket",
        "The rollout of 1.1.0 on support-inbox-prod is on hold",
    )
    assert (
        Notice.objects.filter(
            user=mia, text__startswith="The rollout of 1.1.0 on support-inbox-prod is on hold"
        ).count()
        == 1
    )
    street.tick(2000)
    assert (fresh(rollout).state, fresh(rollout).share, Alert.objects.get().count) == ("holding", 500, 1)


def test_no_request_at_all_is_insufficient_evidence(brief, street, fresh):
    street.tick(30)
    assert (fresh(brief).state, Look.objects.get().why) == ("running", "100 canary requests: 0.")
    assert Look.objects.get().interval is None
    street.tick(361)

    assert (fresh(brief).state, Minute.objects.count()) == ("holding", 0)


def test_a_holding_canary_is_still_taken_back(brief, street, fresh):
    street.tick(361)
    street.feed(362, canary=(20, 8), stable=(380, 2))

    street.tick(363)

    assert fresh(brief).state == "rolled_back"
    assert [(alert.severity, alert.state) for alert in Alert.objects.order_by("id")] == [
        ("ticket", "resolved"),
        ("page", "firing"),
    ]


def test_a_canary_that_is_worse_than_the_margin_holds_even_where_evidence_of_harm_is_missing(
    begun, street, fresh
):
    """Half of the traffic each, a little worse for long: the interval is above the margin before its time is
    over.
    """
    rollout = begun(
        steps=(5000, 10_000),
        margin=0.01,
        min_requests=100_000,
        rise=0.5,
        max_hours=720,
        rate_ratios={"errors": 3.0, "slow": 1.5, "wrong": 1.0},
    )
    street.feed(1, canary=(1500, 375), stable=(1500, 225))

    street.tick(2)

    assert fresh(rollout).state == "holding"
    assert fresh(rollout).reason.startswith("Errors are higher by at least +")
