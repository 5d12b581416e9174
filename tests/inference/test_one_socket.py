"""Several servers on one listening socket, as run by `manage.py up`: when one dies, no connection is
refused.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as read_text

from lifecycle.ground.jobs.management.commands.up import inference_servers
from lifecycle.runtime.inference.config import Config
from tests.inference.models import ask, auth, version_of
from tests.inference.test_real_process import free_port, until

pytestmark = pytest.mark.engine
TOTAL = "lifecycle_inference_requests_total"


# In a process of its own: a supervisor ends everything that its process has started.
PROGRAM = """
import os, signal, sys
from pathlib import Path
import django
django.setup()
from lifecycle.runtime.inference.config import Config
from lifecycle.ground.jobs.management.commands.up import inference_servers
from lifecycle.ground.jobs.supervisor import Shared, Supervisor
config = Config(data_dir=Path(os.environ["DATA_DIR"]), port=int(sys.argv[1]), processes=int(sys.argv[2]))
servers = Shared(*inference_servers(config))
command = f"inference: {sys.executable} -m lifecycle.runtime.inference"
supervisor = Supervisor(command, os.environ, shared={"inference": servers})
signal.signal(signal.SIGTERM, supervisor.stop)
supervisor.run()
"""


class Servers:
    """The processes, under the supervisor of `up`."""

    def __init__(self, installation, processes):
        self.serving, port = installation.serving, free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = os.environ | {"DATA_DIR": str(installation.folder), "INFERENCE_DRAIN_SECONDS": "0"}
        command = [sys.executable, "-c", PROGRAM, str(port), str(processes)]
        with (installation.folder / "up.log").open("w") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def states(self):
        return [json.loads(path.read_text()) for path in sorted(self.serving.glob("status*.json"))]

    def pids(self):
        return [state["pid"] for state in self.states() if state["endpoints"]]

    def ask(self):
        return httpx.post(f"{self.url}/v2/models/support/infer", json=ask("card"), headers=auth(), timeout=60)

    def end(self):
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture
def start(installation, root):
    made = []

    def begin(processes=2):
        made.append(Servers(installation, processes))
        until(lambda: len(made[-1].pids()) == processes, "all have loaded the version", seconds=60)
        return made[-1]

    yield begin
    for servers in made:
        servers.end()


class Callers:
    """Clients with a new connection for each request, until they are stopped. outcomes: (begun, status or
    error).
    """

    def __init__(self, servers, count=4):
        self.outcomes, self._servers, self._stop = [], servers, threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self):
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                self.outcomes.append((begun, self._servers.ask().status_code))
            except httpx.TransportError as error:
                self.outcomes.append((begun, type(error)))

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)


def test_kill_nine_of_one_of_two_refuses_no_connection_and_it_restarts(start):
    servers = start()
    first, second = servers.pids()
    callers = Callers(servers)
    until(lambda: len(callers.outcomes) > 20, "requests are answered")

    os.kill(first, signal.SIGKILL)
    killed_at = time.monotonic()
    until(lambda: servers.pids()[0] not in (first, second), "another takes its place", seconds=60)
    asked = len(callers.outcomes)
    until(lambda: len(callers.outcomes) > asked + 20, "both answer")
    callers.stop()

    assert servers.pids()[1] == second
    assert httpx.ConnectError not in {outcome for _, outcome in callers.outcomes}
    assert {outcome for begun, outcome in callers.outcomes if begun > killed_at} == {200}
    # of each client at most what it had on its way
    assert len([outcome for _, outcome in callers.outcomes if outcome != 200]) <= 4


def test_requests_while_all_are_dead_wait_and_are_answered(start, root):
    servers = start(processes=1)

    os.kill(servers.pids()[0], signal.SIGKILL)

    assert servers.ask().json()["model_version"] == version_of(root)


def test_any_scraped_server_returns_the_counts_of_all_by_name(start):
    servers, asked = start(), 40
    assert {servers.ask().status_code for _ in range(asked)} == {200}

    def counts():
        response = httpx.get(f"{servers.url}/metrics")
        samples = [each for family in read_text(response.text) for each in family.samples]
        assert {each.labels["server"] for each in samples} == {"1", "2"}
        return sum(each.value for each in samples if each.name == TOTAL)

    until(lambda: counts() == asked, "both have written their counts")
    first = json.loads((servers.serving / "metrics.1.json").read_text())
    assert first["pid"] == servers.pids()[0]


def test_one_server_has_the_name_that_it_was_given_and_several_have_numbers_too(tmp_path):
    for name, processes, wanted in (
        ("", 1, {"inference": None}),
        ("", 2, {"inference-1": "1", "inference-2": "2"}),
        ("west", 2, {"inference-1": "west-1", "inference-2": "west-2"}),
    ):
        listening, copies = inference_servers(
            Config(data_dir=Path(tmp_path), port=free_port(), name=name, processes=processes)
        )
        with listening:
            assert {process: more.get("INFERENCE_NAME") for process, more in copies.items()} == wanted
            assert {more["INFERENCE_SOCKET"] for more in copies.values()} == {str(listening.fileno())}
