"""A server listens only when its models are loaded: an accepted connection gets a prediction."""

import json
import os
import socket
import subprocess
import sys
import threading

import httpx
import pytest
import uvicorn

from lifecycle.runtime.inference import engines
from lifecycle.runtime.inference.__main__ import DrainingServer
from lifecycle.runtime.inference.app import Server
from lifecycle.runtime.inference.config import Config
from lifecycle.runtime.inference.router import Router
from lifecycle.runtime.inference.routing import build_table
from tests.inference.models import ask, auth, version_of
from tests.inference.test_real_process import free_port, until

pytestmark = pytest.mark.engine


class Slow:
    """A server whose versions load when they are let."""

    def __init__(self, installation):
        self.loading, self.let, self.port = threading.Event(), threading.Event(), free_port()
        config = Config(data_dir=installation.folder, port=self.port, drain_seconds=0)
        router = Router(config.data_dir / "serving", config.public_key, load=self.load)
        server = Server(config, router=router)
        self.uvicorn = DrainingServer(
            uvicorn.Config(server.application(), port=self.port, log_level="warning", lifespan="on"), server
        )
        self.thread = threading.Thread(target=self.uvicorn.run)
        self.thread.start()

    def load(self, *given):
        self.loading.set()
        assert self.let.wait(60)
        return engines.load(*given)

    def connects(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def end(self):
        self.let.set()
        self.uvicorn.should_exit = True
        self.thread.join(60)


@pytest.fixture
def slow(installation, root):
    made = Slow(installation)
    yield made
    made.end()


def test_nothing_listens_while_a_version_is_loaded_and_the_first_connection_is_answered(slow, root):
    assert slow.loading.wait(60)
    assert not slow.connects()

    slow.let.set()
    until(slow.connects, "it listens")

    answer = httpx.post(
        f"http://127.0.0.1:{slow.port}/v2/models/support/infer", json=ask("card"), headers=auth()
    )
    assert (answer.status_code, answer.json()["model_version"]) == (200, version_of(root))


def test_a_version_is_not_there_before_the_table_that_requests_read_has_it(installation, root, monkeypatch):
    """A server that began in between answered its first requests with 503."""
    config = Config(data_dir=installation.folder)
    router = Router(config.data_dir / "serving", config.public_key)
    awaited = []

    def build(*given):
        awaited.append(router.begins)
        return build_table(*given)

    monkeypatch.setattr("lifecycle.runtime.inference.router.build_table", build)
    router.poll()
    assert router.load_next()

    assert awaited == [True, True]  # as the document is read, and as its version is put into the table
    assert not router.begins


def test_a_server_without_routes_listens_and_is_not_ready(installation):
    slow = Slow(installation)
    try:
        until(slow.connects, "it listens")
        assert httpx.get(f"http://127.0.0.1:{slow.port}/v2/health/ready").status_code == 503
    finally:
        slow.end()


def test_a_number_that_is_no_socket_ends_the_start_with_a_sentence(tmp_path):
    environment = os.environ | {"DATA_DIR": str(tmp_path), "INFERENCE_SOCKET": "987"}

    done = subprocess.run(
        [sys.executable, "-m", "lifecycle.runtime.inference"], env=environment, capture_output=True, text=True
    )

    assert done.returncode == 2
    assert "INFERENCE_SOCKET is 987, which is no open socket" in done.stderr


def test_a_server_of_another_name_begins_no_lower_than_any_before_it(installation, root):
    (installation.serving / "status.json").write_text(json.dumps({"epoch_applied": installation.epoch + 1}))

    router = Router(installation.serving, installation.folder / "keys" / "signing.pub.pem", name="2")

    assert not router.poll()
    assert "isn't newer than the applied v2" in router.problem
