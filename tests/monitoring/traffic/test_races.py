"""One holds a row and waits for the trail, the other holds the trail and names that row. In real threads, on
PostgreSQL alone.
"""

from __future__ import annotations

import importlib
import json
import threading
import uuid

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from monitoring.traffic import actions, spool
from monitoring.traffic.models import Feedback, Kpi, MinuteRollup, Outcome, Prediction
from registry.ground.ledger.models import Event
from tests.support import endpoints

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="row locks need PostgreSQL"),
]
NAMES = ("feedback", "ingest", "outcomes")
feedback, ingesting, outcomes = (
    importlib.import_module(f"monitoring.traffic.actions.{name}") for name in NAMES
)
PATIENCE = 30


@pytest.fixture
def live_endpoint(project, mia, ravi, lee, gita, omar):
    return endpoints.deployed_endpoint(project)


@pytest.fixture
def prediction(answered):
    return answered()[0]


def crossed(monkeypatch, first, second):
    """first: (module, call) that locks its row, and notes its event only once the second call has noted its
    own. How both ended.
    """
    (first_module, first_call), (second_module, second_call) = first, second
    row_is_locked, trail_is_held, ended = threading.Event(), threading.Event(), {}
    to_trail = first_module.record

    def after_the_other(*args, **kwargs):
        row_is_locked.set()
        assert trail_is_held.wait(PATIENCE)
        return to_trail(*args, **kwargs)

    def between(*args, **kwargs):
        assert row_is_locked.wait(PATIENCE)
        event = to_trail(*args, **kwargs)
        trail_is_held.set()
        return event

    monkeypatch.setattr(first_module, "record", after_the_other)
    monkeypatch.setattr(second_module, "record", between)

    def run(name, call):
        try:
            call()
            ended[name] = "done"
        except Exception as error:
            ended[name] = type(error).__name__
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=each) for each in (("first", first_call), ("second", second_call))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended


def test_feedback_names_an_endpoint_that_is_locked(prediction, lee, ana, monkeypatch):
    def define():
        actions.define_kpi(
            endpoint_id=prediction.endpoint.uuid,
            name="Solved at once",
            direction="up",
            kind="share",
            holdout_share=0.1,
            actor=lee,
        )

    def give_feedback():
        actions.record_feedback(prediction_id=prediction.uuid, right=True, label="", actor=ana)

    assert crossed(monkeypatch, (outcomes, define), (feedback, give_feedback)) == {
        "first": "done",
        "second": "done",
    }

    assert (Kpi.objects.count(), Feedback.objects.count()) == (1, 1)
    assert Event.objects.filter(verb__in=["traffic.kpi_defined", "traffic.feedback_recorded"]).count() == 2


def test_an_outcome_names_a_prediction_that_is_being_judged(prediction, lee, ana, omar, monkeypatch):
    kpi = actions.define_kpi(
        endpoint_id=prediction.endpoint.uuid,
        name="Solved at once",
        direction="up",
        kind="share",
        holdout_share=0.1,
        actor=lee,
    )
    case = actions.Case(uuid.uuid4(), "model", 1.0, timezone.now(), prediction.uuid)

    def give_feedback():
        actions.record_feedback(prediction_id=prediction.uuid, right=True, label="", actor=ana)

    def report():
        actions.record_outcomes(kpi_id=kpi.uuid, cases=[case], actor=omar)

    assert crossed(monkeypatch, (feedback, give_feedback), (outcomes, report)) == {
        "first": "done",
        "second": "done",
    }

    assert (Outcome.objects.count(), Feedback.objects.count()) == (1, 1)


def test_two_stores_of_the_same_lines_at_once(live_endpoint, monkeypatch):
    lines = [
        json.dumps(endpoints.spool_line(live_endpoint, at="2026-01-01T12:30:15.250+00:00")).encode()
        for _ in range(50)
    ]
    batch = [ingesting.Entry(line, spool.parse(line)) for line in lines]
    start, ended = threading.Barrier(2), []

    def run():
        start.wait()
        try:
            ended.append(ingesting.store(batch))
        except (
            DatabaseError
        ) as error:  # the loser's transaction is rolled back whole, and its segment read again
            ended.append(type(error).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Prediction.objects.count() == 50
    assert MinuteRollup.objects.get().requests == 50
    assert ingesting.store(batch) == 0
    assert 50 in ended
