"""What an installation counted by the minute is taken along: the evidence of what has ended, and open rollouts are counted anew."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from monitoring.rollouts.models import Minute
from tests.monitoring.rollouts.conftest import key, make_approval

pytestmark = pytest.mark.postgres

BEFORE = [("rollouts", "0001_initial")]


@pytest.fixture
def live_endpoint(transactional_db, project, mia, ravi, lee, gita, omar):
    return make_approval()


def test_minutes_keep_their_evidence_and_those_of_an_open_rollout_are_due_again(street, approval, mia):
    street.begin(approval, mia)
    street.take_in(*[street.line("canary", minute, failed=True, key=key("ana")) for minute in (1, 2)])
    street.tick(3)
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    MigrationExecutor(connection).migrate(BEFORE)

    MigrationExecutor(connection).migrate(newest)

    minutes = Minute.objects.order_by("start").values_list("canary_first_errors", "stamp")
    assert list(minutes) == [(1, ""), (1, "")]
    street.tick(5)
    assert [events for events, _ in minutes.all()] == [1, 0]
