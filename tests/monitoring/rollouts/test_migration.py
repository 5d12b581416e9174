"""What an installation counted by the minute is taken along: the evidence of what has ended, and open rollouts are counted anew."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from monitoring.rollouts.models import FirstEvent, Minute, Rollout
from tests.monitoring.rollouts.conftest import key
from tests.support.endpoints import deployed_endpoint

BEFORE = [("rollouts", "0001_initial")]


@pytest.fixture
def live_endpoint(transactional_db, project, mia, ravi, lee, gita, omar):
    return deployed_endpoint(project)


@pytest.mark.parametrize(("state", "stamp"), [("running", ""), ("aborted", "as it was")])
def test_minutes_keep_their_evidence_and_those_of_an_open_rollout_are_due_again(begun, street, state, stamp):
    rollout = begun()
    street.take_in(*[street.line("canary", minute, failed=True, key=key("ana")) for minute in (1, 2)])
    street.tick(3)
    if state != "running":
        Rollout.objects.filter(pk=rollout.pk).update(state=state, ended_at=street.at(4))
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    MigrationExecutor(connection).migrate(BEFORE)

    MigrationExecutor(connection).migrate(newest)

    minutes = Minute.objects.order_by("start")
    assert [(row.canary_first_errors, row.stamp == "") for row in minutes] == [(1, stamp == ""), (1, stamp == "")]
    street.tick(5)
    counted = [1, 0] if state == "running" else [1, 1]
    assert [row.canary_first_errors for row in minutes.all()] == counted
    assert FirstEvent.objects.count() == (1 if state == "running" else 0)
