"""What an installation of the first form had is taken along: no prediction, word or count is lost."""

import uuid
from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.db import connection

from monitoring.traffic.models import Feedback, MinuteRollup, Prediction
from tests.support.registry import make_endpoint, make_model
from tests.support.steps import taken_back

pytestmark = pytest.mark.postgres
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def first_form(transactional_db):
    with taken_back(("traffic", "0002_figures")) as first_form:
        yield first_form


def test_the_first_form_becomes_the_present_one(first_form, project, mia):
    endpoint = make_endpoint(make_model(project, mia), mia)
    old, migrate = first_form
    prediction = old.get_model("traffic", "Prediction")
    given = {"endpoint_id": endpoint.pk, "at": AT, "latency_ms": 5.0}
    first = prediction.objects.create(**given, code=200, label="a", confidence=0.9, chars=10, tokens=3)
    prediction.objects.create(**given, code=200, label="b", confidence=0.5, chars=10, uuid=uuid.uuid5(first.uuid, "1"))
    for code in (429, 404, 503):
        prediction.objects.create(**given, code=code)
    old.get_model("traffic", "Feedback").objects.create(prediction=first, right=True)
    minute = AT.replace(second=0)
    old.get_model("traffic", "MinuteRollup").objects.create(
        endpoint_id=endpoint.pk, minute=minute, requests=4, errors=3, labels={"a": 1, "b": 1}, latency={"42": 1}, right=1
    )

    migrate()

    word = Feedback.objects.get()
    assert (word.prediction_id, word.endpoint_id, word.predicted_at, word.kind) == (first.pk, endpoint.pk, AT, "review")
    row = MinuteRollup.objects.get()
    assert (row.start, row.arm, row.requests, row.answers, row.right) == (minute, "stable", 4, 2, 1)
    assert (row.errors, row.refused, row.shed) == (1, 1, 1)
    assert (row.labels, row.latency) == ({"a": 1, "b": 1}, {"42": 1})
    assert (row.confidence, row.chars, row.tokens) == ({"45": 1, "25": 1}, {"49": 2}, {"36": 1})
    kept = Prediction.objects.order_by("id").values_list("code", "label", "pinned")
    assert [*kept] == [(200, "a", None), (200, "b", None), (429, "", None), (404, "", None), (503, "", None)]


def test_a_big_table_of_predictions_gains_a_column_and_is_not_written_anew(transactional_db, capsys):
    call_command("sqlmigrate", "traffic", "0006")

    boolean = "bool" if connection.vendor == "sqlite" else "boolean"
    done = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("ALTER", "CREATE", "INSERT", "DROP"))]
    assert done == [f'ALTER TABLE "traffic_prediction" ADD COLUMN "pinned" {boolean} NULL;']
