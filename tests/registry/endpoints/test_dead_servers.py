"""What a dead server left behind is not believed of the present; what it did stays done."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from lifecycle.ground.notices.models import Outbox
from registry.catalog.models import Alias
from registry.endpoints import actions, tasks
from registry.endpoints import servers as server_files
from registry.endpoints.queries import faults
from tests.support import endpoints

LONG_AGO = "2026-01-01T00:00:00+00:00"
IGNORED = "The routes document was ignored."


@pytest.fixture
def dead():
    """Writes the file of a server that fell silent."""

    def write(name="2", **more):
        return endpoints.write_status(name=name, at=LONG_AGO, **more)

    return write


def test_of_two_files_the_living_servers_is_read_alone(live_endpoint, dead, client_for, omar):
    endpoints.write_status(name="1")
    dead()

    assert [state.name for state in server_files.server_states()] == ["1"]
    servers = client_for(omar).get(f"/api/v1/endpoints/{live_endpoint.uuid}/").json()["servers"]
    assert [each["name"] for each in servers] == ["1"]


def test_what_a_dead_server_refused_quarantines_nothing_and_hides_no_recovery(live_endpoint, dead):
    version = Alias.objects.get(endpoint=live_endpoint).version
    dead(refused={version.root_digest: "Damaged."})
    assert actions.check_loads() == 0

    endpoints.write_status(name="1", refused={version.root_digest: "MemoryError."})
    assert actions.check_loads() == 1
    endpoints.write_status(name="1", versions={version.root_digest: {"state": "ready"}})
    actions.check_loads()
    assert Outbox.objects.filter(topic="endpoints.load_recovered").count() == 1


def test_drills_of_a_dead_server_are_over(live_endpoint, dead):
    dead(drills=True)
    assert not faults.drills_run()

    endpoints.write_status(name="1", drills=True)
    assert faults.drills_run()


@pytest.mark.parametrize(("is_left", "problem"), [(True, ""), (False, ""), (True, IGNORED)])
def test_a_problem_stays_when_its_server_dies_until_the_server_runs_again(
    live_endpoint, dead, is_left, problem
):
    def raised():
        return [
            row.payload["problem"]
            for row in Outbox.objects.filter(topic="endpoints.server_problem").order_by("pk")
        ]

    endpoints.write_status(name="2", problem=IGNORED)
    assert actions.check_problems() == 1
    left = dead(problem=IGNORED)
    if not is_left:
        left.unlink()

    assert [actions.check_problems() for _ in range(2)] == [0, 0]
    assert raised() == [IGNORED]
    endpoints.write_status(name="2", problem=problem)

    assert [actions.check_problems() for _ in range(2)] == [1, 0]
    assert raised() == [IGNORED, problem]


def test_that_a_server_which_refused_a_version_died_is_no_recovery_while_it_is_missed(live_endpoint, dead):
    version = Alias.objects.get(endpoint=live_endpoint).version
    endpoints.write_status(name="1", versions={version.root_digest: {"state": "ready"}})
    endpoints.write_status(name="2", refused={version.root_digest: "MemoryError."})
    assert actions.check_loads() == 1
    died = (timezone.now() - timedelta(minutes=5)).isoformat()

    endpoints.write_status(name="2", refused={version.root_digest: "MemoryError."}, at=died)
    actions.check_loads()
    assert not Outbox.objects.filter(topic="endpoints.load_recovered").exists()
    endpoints.write_status(name="2", versions={version.root_digest: {"state": "ready"}})
    actions.check_loads()

    assert Outbox.objects.filter(topic="endpoints.load_recovered").count() == 1


def test_a_canary_that_a_server_closed_before_it_died_is_stopped(live_endpoint, canary, dead):
    dead(guard=[{"deployment": str(canary.uuid), "failures": 10, "of": 14}])

    tasks.tend()

    canary.refresh_from_db()
    assert canary.end_reason == "The server's guard closed it: 10 of its last 14 requests failed."


def test_the_epoch_of_a_dead_server_is_not_published_again(live_endpoint, dead):
    dead(epoch=70)

    assert actions.publish() >= 70


def test_the_page_names_a_server_that_fell_silent_within_the_hour_and_none_that_left_long_ago(
    live_endpoint, dead, client_for, omar
):
    dead(name="old")
    endpoints.write_status(name="new", at=(timezone.now() - timedelta(minutes=5)).isoformat())

    html = client_for(omar).get(f"/endpoints/{live_endpoint.uuid}/servers/").content.decode()

    assert re.findall(r'data-server="(\w+)"', html) == ["bad"]
    assert re.findall(r"\b(?:old|new)\b", html.partition('data-server="bad"')[2].partition("</p>")[0]) == [
        "new"
    ]
