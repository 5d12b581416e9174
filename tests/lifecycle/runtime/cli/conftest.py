"""The command against a live server: its exit code, what it prints, and jobs that run while it waits."""

from __future__ import annotations

import io
import json
import secrets
import sys
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import uvicorn
from django.core.servers.basehttp import ThreadedWSGIServer
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections
from django.test.testcases import LiveServerThread, _StaticFilesHandler
from django.utils import timezone

from lifecycle.runtime.cli.main import main
from lifecycle.runtime.inference.app import Server
from lifecycle.runtime.inference.config import Config
from registry.ground.access.actions import TOKEN_PREFIX, token_digest
from registry.ground.access.models import ApiToken, User
from tests.inference.models import OTHER_TOKEN, Installation
from tests.inference.models import endpoint as routed
from tests.support.jobs import run_jobs


@dataclass
class Result:
    """The result of one call. waits: its pauses, in seconds."""

    code: int
    out: str
    err: str
    waits: list[float]

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def _no_login_but_ours(tmp_path, monkeypatch):
    for name in ("LIFECYCLE_URL", "LIFECYCLE_TOKEN", "LIFECYCLE_INFERENCE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "100")


class SharedConnection(ThreadedWSGIServer):
    """Serves within the test's transaction, so that no table has to be emptied afterwards. One request at a
    time.
    """

    busy = threading.Lock()

    def process_request_thread(self, *args: Any) -> None:
        with self.busy:
            super().process_request_thread(*args)

    def _close_connections(self) -> None:
        pass


class SharedThread(LiveServerThread):
    server_class = SharedConnection


@pytest.fixture(scope="session")
def _server(django_db_setup):
    thread = SharedThread("127.0.0.1", _StaticFilesHandler, connections_override={})
    thread.daemon = True
    thread.start()
    thread.is_ready.wait()
    assert thread.error is None, thread.error
    yield thread
    thread.terminate()


@pytest.fixture
def site(db, _server):
    """The address of a live server on the test's own connection. The command waits for each response, so two
    threads never use it.

    The connection is set again: an earlier test with its own processes may have replaced it.
    """
    connection = connections["default"]
    connection.inc_thread_sharing()
    _server.httpd.connections_override = {"default": connection}
    # as Django's own test client: a request within a transaction leaves it open
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield f"http://127.0.0.1:{_server.port}"
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
    connection.dec_thread_sharing()


@pytest.fixture
def token():
    """Returns a function that creates a user's token as a row and returns its secret;
    `tests/registry/ground/access` tests the page.
    """

    def make(user: User, *scopes: str) -> str:
        secret, until = TOKEN_PREFIX + secrets.token_urlsafe(32), timezone.now() + timedelta(days=1)
        ApiToken.objects.create(
            user=user,
            name="command",
            scopes=sorted(scopes or ApiToken.Scope.values),
            digest=token_digest(secret),
            expires_at=until,
        )
        return secret

    return make


@pytest.fixture
def command(capsys, monkeypatch):
    """Call the command. `during` is called whenever it pauses; by default it runs the queued jobs."""

    def call(*words: str, stdin: str = "", during=lambda: run_jobs()) -> Result:
        waits: list[float] = []

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            assert len(waits) < 50, "The command waits for ever."
            during()

        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        try:
            code = main(list(words), sleep=sleep)
        except SystemExit as end:
            code = int(end.code or 0)
        with SharedConnection.busy:  # the last response is sent, and its thread is done with the database
            pass
        printed = capsys.readouterr()
        return Result(code, printed.out, printed.err, waits)

    return call


@pytest.fixture(scope="module")
def _inference_server(tmp_path_factory):
    """The address of a live inference server with the endpoints `support`, whose token is TOKEN, and `topics`
    of several labels per text, whose token is OTHER_TOKEN.
    """
    installation = Installation(tmp_path_factory.mktemp("inference"))
    topics = installation.artifact(task="multi_label", thresholds=[0.6] * 3)
    installation.publish(support=routed(installation.artifact()), topics=routed(topics, token=OTHER_TOKEN))
    server = Server(Config(data_dir=installation.folder))
    server.router.start = lambda: None  # no thread: models are loaded here
    server.router.poll()
    while server.router.load_next():
        pass
    runner = uvicorn.Server(uvicorn.Config(server.application(), port=0, log_level="warning"))
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    while not runner.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{runner.servers[0].sockets[0].getsockname()[1]}"
    runner.should_exit = True
    thread.join(10)


@pytest.fixture
def inference_server(_inference_server, monkeypatch):
    """The inference server's address, set in the environment."""
    monkeypatch.setenv("LIFECYCLE_INFERENCE_URL", _inference_server)
    return _inference_server


@pytest.fixture
def as_person(command, token, site, monkeypatch):
    """The command as a user: their token in the environment, as in a script."""

    def as_user(user: User, *scopes: str):
        monkeypatch.setenv("LIFECYCLE_URL", site)
        monkeypatch.setenv("LIFECYCLE_TOKEN", token(user, *scopes))
        return command

    return as_user
