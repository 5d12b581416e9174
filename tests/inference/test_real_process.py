"""The server as a process of its own: swaps under load, kills, ends. Order of events is asserted, never
time.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPResponse

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from lifecycle.runtime import bundle
from tests.inference.models import TOKEN, Installation, ask, auth, deployment_of, endpoint, version_of

pytestmark = pytest.mark.engine


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, what, seconds=60):
    """Wait for a condition of another process; the limit only ends a test that would hang."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.02)


class Process:
    def __init__(self, installation, **environment):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = installation.folder / f"server-{self.port}.log"
        settings = {
            "DATA_DIR": str(installation.folder),
            "INFERENCE_PORT": str(self.port),
            "INFERENCE_DRAIN_SECONDS": "0",
        } | environment
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lifecycle.runtime.inference"],
                env=os.environ | settings,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        until(lambda: self.process.poll() is not None or self.ready(), "the server is ready")
        assert self.process.poll() is None, self.log.read_text()

    def ready(self):
        try:
            return httpx.get(f"{self.url}/v2/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def ask(self, *texts, **more):
        return httpx.post(f"{self.url}/v2/models/support/infer", json=ask(*texts, **more), headers=auth())

    def version(self):
        return self.ask("card").json()["model_version"]

    def end(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        return self.process.wait(30)


@pytest.fixture
def start(installation, root):
    made = []

    def begin(**environment):
        made.append(Process(installation, **environment))
        return made[-1]

    yield begin
    for server in made:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait(10)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One server for the tests that only ask: (server, version)."""
    installation = Installation(tmp_path_factory.mktemp("shared"))
    root = installation.artifact()
    installation.publish(support=endpoint(root))
    server = Process(installation)
    yield server, version_of(root)
    server.process.kill()
    server.process.wait(10)


class Load:
    """Clients that send requests until they are stopped; their responses in order."""

    def __init__(self, server, clients=4):
        self.failures, self.versions = [], []
        self._server, self._stop = server, threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self):
        with httpx.Client(headers=auth()) as client:
            while not self._stop.is_set():
                try:
                    response = client.post(
                        f"{self._server.url}/v2/models/support/infer", json=ask("card", "hello money")
                    )
                    if response.status_code == 200:
                        self.versions.append(response.json()["model_version"])
                    else:
                        self.failures.append((response.status_code, response.text))
                except httpx.TransportError as error:
                    self.failures.append(error)

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


def test_versions_are_swapped_and_rolled_back_under_load_without_a_failed_request(start, installation, root):
    server, new = start(), installation.artifact(1)
    load = Load(server)
    until(lambda: len(load.versions) > 20, "the old version answers")
    installation.publish(support=endpoint(new, standby=(root,)))
    until(lambda: version_of(new) in load.versions, "the new version answers")
    until(
        lambda: installation.status()["endpoints"]["inbox/support"]["versions"] == [version_of(new)],
        "the status shows it",
    )
    assert server.version() == version_of(new)
    marked = len(load.versions)
    installation.publish(support=endpoint(root, standby=(new,)))
    until(lambda: version_of(root) in load.versions[marked:], "the old version answers again")
    assert server.version() == version_of(root)
    load.stop()

    assert load.failures == []
    assert installation.status()["epoch_applied"] == 3
    assert server.end() == 0
    ok = [line for line in installation.spooled() if line["status"] == "ok"]
    assert len(ok) == len({line["uuid"] for line in ok}) == len(load.versions) + 2


def test_damage_and_forgery_change_nothing_for_clients(start, installation, root):
    server, damaged = start(), installation.artifact(1)
    forger = installation.folder / "forger" / "signing.pem"
    bundle.generate_key(forger)
    tokenizer = installation.serving / "artifacts" / damaged / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace("card", "cord"))
    installation.publish(support=endpoint(damaged))
    until(
        lambda: installation.status()["versions"].get(damaged, {}).get("state") == "refused",
        "the damaged version is refused",
    )
    assert server.version() == version_of(root)
    installation.publish(installation.document(support=endpoint(damaged)), key=forger)
    until(lambda: "signature" in installation.status()["problem"], "the forged document is ignored")

    assert server.version() == version_of(root)
    assert installation.status()["versions"][damaged]["reason"].startswith(
        "tokenizer.json was changed after the model was signed."
    )


def test_kill_nine_loses_no_written_line_and_the_next_start_completes_it(start, installation, root):
    server = start()
    answered = [
        server.ask("card", id=str(number)).json()["parameters"]["prediction_id"] for number in range(30)
    ]
    spool = installation.folder / "spool"
    written = lambda: sum(path.read_bytes().count(b"\n") for path in spool.iterdir())  # noqa: E731
    until(lambda: written() == 30, "all lines are on disk")
    server.end(signal.SIGKILL)
    (spool / "20990101T000000-1-000001.open").write_bytes(b'{"half": ')

    again = start()

    assert list(spool.glob("*.open")) == []
    assert [line["uuid"] for line in installation.spooled()] == answered
    assert again.version() == version_of(root)


def test_sigterm_turns_ready_off_serves_late_requests_and_ends_with_a_flushed_spool(
    start, installation, root
):
    server = start(INFERENCE_DRAIN_SECONDS="600")
    load = Load(server)
    until(lambda: len(load.versions) > 20, "the server answers")
    server.process.send_signal(signal.SIGTERM)
    until(lambda: not server.ready(), "ready is false")
    asked = len(load.versions)
    until(lambda: len(load.versions) > asked, "the open port still answers")
    load.stop()  # clients leave, as a balancer makes them

    assert server.end(signal.SIGINT) == 0  # does not wait for the rest of the drain
    assert load.failures == []
    assert len(installation.spooled()) == len(load.versions)
    assert list((installation.folder / "spool").glob("*.open")) == []


def test_sigterm_finishes_what_is_in_flight_and_exits_zero(start, installation):
    server, body = start(), json.dumps(ask("card")).encode()
    head = (
        "POST /v2/models/support/infer HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer"
        f" {TOKEN}\r\nContent-Length: {len(body)}\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
        # the server waits for this request's body
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        server.process.send_signal(signal.SIGTERM)
        until(lambda: not server.ready(), "the port is closed")
        connection.sendall(body)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert received.startswith(b"HTTP/1.1 200 OK")
    assert server.process.wait(30) == 0
    assert [line["code"] for line in installation.spooled()] == [200]


def test_overload_gives_200_or_429_and_nothing_else(start):
    server = start(INFERENCE_SLOTS="1", INFERENCE_QUEUE_TEXTS="3")
    load = Load(server, clients=12)
    until(lambda: len(load.versions) > 50 and load.failures, "some are served, some are sent away")
    load.stop()

    assert {failure[0] for failure in load.failures} == {429}
    assert server.ask("card").status_code == 200


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False, None])
def test_triton_client_reads_every_mode(shared, binary_in, binary_out):
    server, version = shared
    client = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
    data = triton.InferInput("TEXT", [2], "BYTES")
    data.set_data_from_numpy(np.array(["card né".encode(), b"money"], dtype=object), binary_data=binary_in)
    names = ("LABEL", "CONFIDENCE", "SCORES")
    wanted = (
        None
        if binary_out is None
        else [triton.InferRequestedOutput(name, binary_data=binary_out) for name in names]
    )

    found = client.infer("support", [data], outputs=wanted, headers=auth(), request_id="r-5")

    labels = [
        label.decode() if isinstance(label, bytes) else label for label in found.as_numpy("LABEL").tolist()
    ]
    assert labels == ["card", "money"]
    assert found.as_numpy("SCORES").shape == (2, 3)
    assert found.as_numpy("SCORES").max(axis=1) == pytest.approx(found.as_numpy("CONFIDENCE"))
    assert found.get_response()["id"] == "r-5"


def test_triton_client_reads_health_metadata_and_errors(shared):
    server, version = shared
    client = triton.InferenceServerClient(f"127.0.0.1:{server.port}")

    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("support", headers=auth())
    assert client.get_model_metadata("support", headers=auth())["versions"] == [version]
    assert client.get_model_config("support", headers=auth())["input"][0]["data_type"] == "TYPE_STRING"
    assert (
        client.get_inference_statistics("support", headers=auth())["model_stats"][0]["name"]
        == "inbox/support"
    )
    assert client.get_model_repository_index(headers=auth())[0]["state"] == "READY"
    with pytest.raises(InferenceServerException, match="valid token"):
        client.get_model_metadata("support")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET /v2 HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        (
            b"GET /v2/no HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade:"
            b" websocket\r\nsec-websocket-key: AA\r\n\r\n"
        ),
        b"POST /v2/models/support/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 5, 6\r\n\r\n",
        b"POST /v2/models/support/infer HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
    ],
)
def test_bytes_that_are_no_request_get_a_refusal_like_any_other(shared, sent):
    server, _ = shared
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(sent)
        answer = HTTPResponse(connection)
        answer.begin()
        body = answer.read()  # which may come behind its head

    assert 400 <= answer.status < 500
    assert list(json.loads(body)) == ["error"]


def test_bad_settings_end_the_start_with_a_sentence(tmp_path):
    environment = os.environ | {"DATA_DIR": str(tmp_path), "INFERENCE_PORT": "many"}

    done = subprocess.run(
        [sys.executable, "-m", "lifecycle.runtime.inference"], env=environment, capture_output=True, text=True
    )

    assert done.returncode == 2
    assert "INFERENCE_PORT is 'many'; it must be a whole number from 1 to 65535." in done.stderr


def test_the_server_imports_no_django_and_no_torch():
    code = (
        "import sys, lifecycle.runtime.inference.__main__; sys.exit(bool({'django', 'torch', 'celery'} &"
        " set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_bad_canary_is_closed_and_stays_closed_over_a_kill(installation, root, start):
    canary = installation.artifact(1)
    installation.publish(support=endpoint(root, canary=canary, share=9_999))
    named = {
        "deployment": deployment_of("canary-1"),
        "kind": "error",
        "share": 10_000,
        "delay_ms": 0,
        "until": "2999-01-01T00:00:00+00:00",
    }
    installation.plant(named)
    server = start(INFERENCE_DRILLS="1")
    until(
        lambda: len(installation.status()["endpoints"]["inbox/support"]["versions"]) == 2,
        "the canary is loaded",
    )

    codes = [server.ask("card", parameters={"route_key": f"k{number}"}).status_code for number in range(30)]
    assert codes == [500] * 10 + [200] * 20
    server.end(signal.SIGKILL)
    again = start()

    assert {again.version() for _ in range(10)} == {version_of(root)}
    assert installation.status()["guard"] == [
        {"deployment": deployment_of("canary-1"), "failures": 10, "of": 10}
    ]
    again.end()
    lines = [line for line in installation.spooled() if line.get("kind") == "guard"]
    assert {(line["failures"], line["of"]) for line in lines} == {(10, 10)}
    assert len({line["uuid"] for line in lines}) == 1


def test_a_server_with_a_shadow_answers_compares_and_ends(installation, root, start):
    installation.publish(support=endpoint(root, shadow=installation.artifact(1)))
    server = start()
    until(
        lambda: all(state["state"] == "ready" for state in installation.status()["versions"].values()),
        "both are loaded",
    )
    keys = [{"parameters": {"route_key": f"customer {at}"}} for at in range(20)]
    assert [server.ask("card", **each).status_code for each in keys] == [200] * 20

    assert server.end() == 0

    lines = installation.spooled()
    kinds = [line.get("kind") for line in lines]
    assert kinds.count(None) == 20
    assert 0 < kinds.count("shadow") <= 20
    asked = {line["uuid"]: line["key"] for line in lines if "kind" not in line}
    assert all(line["key"] == asked[line["prediction"]] != "" for line in lines if "kind" in line)
