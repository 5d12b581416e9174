"""What an installation of the first form had is taken along: no prediction, word or count is lost."""

import uuid
from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor

from tests.support.endpoints import deployed_endpoint

BEFORE, AFTER = [("traffic", "0001_initial")], [("traffic", "0004_words_have_their_window")]
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def live_endpoint(transactional_db, project, mia, ravi, lee, gita, omar):
    return deployed_endpoint(project)


@pytest.fixture
def _models_of_a_step_are_made_when_asked_for(monkeypatch):
    """Steps that are only counted in, not taken, else have all models made anew by each of their operations."""
    mutate = Migration.mutate_state

    def mutate_state(self, state, preserve=True):
        state = state.clone() if preserve else state
        vars(state).pop("apps", None)
        return mutate(self, state, preserve=False)

    monkeypatch.setattr(Migration, "mutate_state", mutate_state)


@pytest.fixture
def old_apps(transactional_db, live_endpoint, _models_of_a_step_are_made_when_asked_for):
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes()
    executor.migrate(BEFORE)
    yield executor.loader.project_state(BEFORE).apps
    MigrationExecutor(connection).migrate(newest)


def test_the_first_form_becomes_the_second(old_apps, live_endpoint):
    get = old_apps.get_model
    endpoint = get("catalog", "Endpoint").objects.get(pk=live_endpoint.pk)
    prediction = get("traffic", "Prediction")
    given = {"endpoint": endpoint, "at": AT, "latency_ms": 5.0}
    first = prediction.objects.create(**given, code=200, label="a", confidence=0.9, chars=10, tokens=3)
    prediction.objects.create(**given, code=200, label="b", confidence=0.5, chars=10, uuid=uuid.uuid5(first.uuid, "1"))
    for code in (429, 404, 503):
        prediction.objects.create(**given, code=code)
    get("traffic", "Feedback").objects.create(prediction=first, right=True)
    minute = AT.replace(second=0)
    get("traffic", "MinuteRollup").objects.create(
        endpoint=endpoint, minute=minute, requests=4, errors=3, labels={"a": 1, "b": 1}, latency={"42": 1}, right=1
    )

    executor = MigrationExecutor(connection)
    executor.migrate(AFTER)
    get = executor.loader.project_state(AFTER).apps.get_model

    word = get("traffic", "Feedback").objects.get()
    assert (word.endpoint_id, word.predicted_at, word.kind) == (endpoint.pk, AT, "review")
    row = get("traffic", "MinuteRollup").objects.get()
    assert (row.start, row.arm, row.requests, row.errors, row.refused, row.shed, row.answers, row.right) == (
        minute,
        "stable",
        4,
        1,
        1,
        1,
        2,
        1,
    )
    assert (row.confidence, row.chars, row.tokens) == ({"45": 1, "25": 1}, {"49": 2}, {"36": 1})
    assert get("traffic", "Prediction").objects.count() == 5
    for name in ("Feedback", "Prediction", "MinuteRollup"):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {get('traffic', name)._meta.db_table}")  # noqa: S608
            assert cursor.fetchone()[0]


def test_a_big_table_of_predictions_gains_a_column_and_is_not_written_anew(transactional_db, capsys):
    call_command("sqlmigrate", "traffic", "0006")

    boolean = "bool" if connection.vendor == "sqlite" else "boolean"
    done = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("ALTER", "CREATE", "INSERT", "DROP"))]
    assert done == [f'ALTER TABLE "traffic_prediction" ADD COLUMN "pinned" {boolean} NULL;']
