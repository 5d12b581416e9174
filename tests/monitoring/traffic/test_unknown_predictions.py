"""A word on a prediction that is not here: to be sent again while the prediction may arrive from the spool,
refused after that.
"""

import os
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from rest_framework.test import APIClient

from lifecycle.runtime.inference.spool import timed_uuid
from lifecycle.runtime.refusals import NotReady
from monitoring.traffic import actions, queries, spool
from monitoring.traffic.models import Feedback, Outcome
from monitoring.traffic.rules import may_arrive
from tests.support import endpoints

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("made_at", "waits_since", "may"),
    [
        (NOW, None, True),
        (NOW - 5 * MINUTE, None, True),
        (NOW - 5 * MINUTE - SECOND, None, False),
        (NOW - HOUR, NOW - HOUR, True),  # no one has read the spool for an hour
        (NOW - HOUR, NOW - 30 * MINUTE, False),
        (NOW - HOUR, NOW + HOUR, False),  # the disk's clock is ahead
        (NOW + 5 * MINUTE, None, True),  # the server's clock is a little ahead
        (NOW + 6 * MINUTE, None, False),  # made up
        (None, NOW - HOUR, False),
    ],
)
def test_a_prediction_may_arrive_until_the_spool_of_its_time_is_read(made_at, waits_since, may):
    assert may_arrive(made_at, waits_since, NOW) is may


def test_the_id_of_a_prediction_has_its_time():
    before, first, second, after = datetime.now(UTC), timed_uuid(), timed_uuid(), datetime.now(UTC)

    assert (first.version, first.variant) == (7, uuid.RFC_4122)
    assert before - timedelta(milliseconds=1) <= spool.made_at(first) <= spool.made_at(second) <= after
    assert first != second
    assert spool.made_at(uuid.uuid4()) is None
    assert spool.made_at(uuid.UUID("ffffffff-ffff-7fff-bfff-ffffffffffff")) is None


def dated(moment):
    """An id as if it had been made at a moment."""
    return uuid.UUID(int=(int(moment.timestamp() * 1000) << 80) | timed_uuid().int & ((1 << 80) - 1))


def test_what_may_arrive_is_asked_for_again_and_what_cannot_is_refused_for_good(live_endpoint, lee):
    api = APIClient()
    api.force_authenticate(lee)
    kpi = actions.define_kpi(
        endpoint_id=live_endpoint.uuid,
        name="Handled",
        direction="up",
        kind="share",
        holdout_share=0.1,
        actor=lee,
    )
    now = datetime.now(UTC)

    def answers(prediction, index):
        word = {"prediction": str(prediction), "index": index}
        case = word | {"uuid": str(uuid.uuid4()), "arm": "model", "value": 1, "at": now.isoformat()}
        asked = (
            ("feedback/", {"feedback": [word | {"right": True}]}),
            (f"kpis/{kpi.uuid}/outcomes/", {"outcomes": [case]}),
        )
        found = [api.post(f"/api/v1/{address}", body, format="json") for address, body in asked]
        return {
            (answer.status_code, answer.json()["code"], answer.headers.get("Retry-After")) for answer in found
        }

    for index in (0, 3):
        assert answers(timed_uuid(), index) == {(503, "not_ready", "5")}
        assert answers(dated(now - HOUR), index) == {(422, "refused", None)}
        assert answers(uuid.uuid4(), index) == {(422, "refused", None)}

    waiting = endpoints.write_segment(endpoints.spool_line(live_endpoint), name="20260101-0001.open")
    os.utime(waiting, ((now - HOUR).timestamp(),) * 2)
    assert answers(dated(now - HOUR), 0) == {(503, "not_ready", "5")}
    assert not Feedback.objects.exists()
    assert not Outcome.objects.exists()


@pytest.mark.parametrize("what", ["feedback", "outcome"])
def test_what_arrives_from_a_backlog_while_it_is_looked_for_may_be_sent_again(
    live_endpoint, lee, monkeypatch, what
):
    """The server answered an hour ago, its segment waited since, and is taken in between the two reads."""
    kpi = actions.define_kpi(
        endpoint_id=live_endpoint.uuid,
        name="Handled",
        direction="up",
        kind="share",
        holdout_share=0.1,
        actor=lee,
    )
    now = datetime.now(UTC)
    waiting = endpoints.write_segment(endpoints.spool_line(live_endpoint))
    os.utime(waiting, ((now - HOUR).timestamp(),) * 2)
    visible = queries.visible

    def taken_in_afterwards(actor):
        waiting.unlink(missing_ok=True)
        return visible(actor)

    monkeypatch.setattr(queries, "visible", taken_in_afterwards)
    prediction = dated(now - HOUR)
    case = actions.Case(uuid.uuid4(), "model", 1.0, now, prediction=prediction)

    body = {
        "feedback": lambda: actions.record_feedback(
            prediction_id=prediction, right=True, label="", actor=lee
        ),
        "outcome": lambda: actions.record_outcomes(kpi_id=kpi.uuid, cases=[case], actor=lee),
    }

    with pytest.raises(NotReady):
        body[what]()
    assert (Feedback.objects.exists(), Outcome.objects.exists(), waiting.exists()) == (False, False, False)
