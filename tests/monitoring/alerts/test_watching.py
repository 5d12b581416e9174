"""The watch over the watcher: another process pages when no one evaluates alerts, and the page ends with the
next evaluation.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from lifecycle.ground.notices.models import Notice
from monitoring.alerts import actions, queries, tasks
from monitoring.alerts.actions import watching
from monitoring.alerts.models import Alert, Heartbeat
from tests.monitoring.alerts.conftest import NOON

SECOND, MIN = timedelta(seconds=1), timedelta(minutes=1)
EARLY = NOON - timedelta(days=1)


def look(at, started=EARLY):
    return watching.look(at, started=started)


def test_two_minutes_without_an_evaluation_are_a_page_that_the_watcher_sends_itself(live_endpoint, project):
    actions.beat(NOON)

    assert look(NOON + 2 * MIN) is False
    assert look(NOON + 2 * MIN + SECOND) is True
    assert look(NOON + 3 * MIN) is True

    alert = Alert.objects.get()
    assert (alert.severity, alert.title, alert.project, alert.count) == (
        "page",
        "Alerts aren't being evaluated",
        project,
        2,
    )
    assert alert.text.startswith("Alert evaluation hasn't run for 3\u00a0min; it should run every 30 s.")
    assert sorted(Notice.objects.values_list("user__username", flat=True)) == ["lee", "omar"]


@pytest.mark.postgres
def test_the_page_ends_with_the_next_evaluation(live_endpoint):
    actions.beat(NOON)
    look(NOON + 5 * MIN)

    tasks.evaluate()

    assert Alert.objects.get().resolution == "Alerts are evaluated again."
    assert queries.last_beat() > NOON


def test_an_installation_that_was_off_all_night_is_given_two_minutes(live_endpoint):
    actions.beat(NOON - timedelta(hours=9))

    assert look(NOON + MIN, started=NOON) is False
    assert look(NOON + 2 * MIN + SECOND, started=NOON) is True


def test_one_that_never_evaluated_is_missed_too(live_endpoint):
    assert look(NOON + 2 * MIN + SECOND, started=NOON) is True
    assert "since installation" in Alert.objects.get().text


def test_where_nothing_serves_no_one_is_woken(live_endpoint, omar):
    live_endpoint.deployments.update(ended_at=NOON)

    assert look(NOON, started=EARLY) is True
    assert Alert.objects.count() == 0


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_watcher_looks_again_and_again_until_it_is_stopped(monkeypatch):
    seen, stop = [], threading.Event()

    def counted(*, started):
        seen.append(started)
        if len(seen) == 2:
            raise RuntimeError("the database is away")
        if len(seen) == 3:
            stop.set()

    monkeypatch.setattr(watching, "look", counted)
    watching.watch(stop, seconds=0.01)

    assert len(seen) == 3


@pytest.fixture
def outside():
    """A watcher outside, which counts how often it is called."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.got.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.got = []
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.postgres
def test_a_watcher_outside_is_called_once_a_minute_while_alerts_are_evaluated(db, settings, outside):
    settings.HEARTBEAT_URL = f"http://127.0.0.1:{outside.server_port}/ping/abc"
    assert actions.ping(NOON) is False

    actions.beat(NOON)
    assert [actions.ping(NOON + at * SECOND) for at in (0, 30, 60, 121)] == [True, False, True, False]

    assert outside.got == ["/ping/abc"] * 2


def test_a_watcher_outside_that_does_not_answer_stops_nothing(db, settings):
    settings.HEARTBEAT_URL = "http://127.0.0.1:9/"
    actions.beat(NOON)

    assert actions.ping(NOON) is False
    assert Heartbeat.objects.count() == 2
