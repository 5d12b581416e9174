"""A version goes live on the real inference server, answers, and is rolled back under a stream of requests:
none fails.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from rest_framework.test import APIClient

from monitoring.traffic import actions as traffic
from monitoring.traffic.models import Prediction
from registry.endpoints import actions, servers
from registry.endpoints.queries import published
from registry.ground.access.actions import create_token
from tests.support import endpoints, registry
from tests.support.tiny_artifact import tiny_artifact

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


def until(condition, what: str, seconds: float = 30):
    """Wait for another process; the limit only ends a test that would hang."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.02)
    return found


@pytest.fixture
def server(settings):
    """The real server on our data folder, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    actions.publish()
    settings.INFERENCE_URL = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "DATA_DIR": str(settings.DATA_DIR),
        "INFERENCE_PORT": str(port),
        "INFERENCE_DRAIN_SECONDS": "0",
    }
    log = (settings.DATA_DIR / "inference.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "lifecycle.runtime.inference"],
        env=environment,
        stderr=log,
        stdin=subprocess.DEVNULL,
    )
    try:
        yield settings.INFERENCE_URL
    finally:
        process.terminate()
        process.wait(30)
        log.close()


class Stream:
    """Requests without a pause, in threads of their own. answers: (status, version label, moment it
    began).
    """

    def __init__(self, url: str, secret: str, threads: int = 3) -> None:
        self.answers: list[tuple[int, str, float]] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(url, secret)) for _ in range(threads)]

    def __enter__(self) -> Stream:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, url: str, secret: str) -> None:
        with httpx.Client(headers={"Authorization": f"Bearer {secret}"}, timeout=30) as client:
            while not self._stop.is_set():
                begun = time.monotonic()
                answer = client.post(url, json=ask("card"))
                self.answers.append((answer.status_code, answer.headers.get("X-Model-Version", ""), begun))


def ask(text: str) -> dict:
    return {"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [1], "data": [text]}]}


def test_deploy_answer_roll_back(project, mia, ravi, lee, gita, omar, ana, server):
    _, secret = create_token(user=ana, name="app", scopes=["infer", "feedback"], days=7)
    snapshot = registry.make_snapshot(project, ravi)
    first = registry.make_version(project, mia, ravi, snapshot=snapshot, artifact=tiny_artifact(0))
    endpoint = registry.make_endpoint(first.model, mia, slug="support-inbox-prod")
    url = f"{server}/v2/models/{endpoint.full_name}/infer"
    bearer = {"Authorization": f"Bearer {secret}"}

    def asks():
        try:
            answer = httpx.post(url, json=ask("card"), headers=bearer)
        except httpx.TransportError:
            return None
        return answer.json() if answer.status_code == 200 else None

    endpoints.deploy(project, endpoint, first)
    assert until(asks, "the first version answers")["outputs"][0]["data"] == ["billing"]

    second = registry.make_version(
        project, mia, ravi, model=first.model, snapshot=snapshot, semver="1.1.0", artifact=tiny_artifact(1)
    )
    endpoints.deploy(project, endpoint, second)
    until(lambda: (asks() or {}).get("model_version") == str(second.uuid), "the second version answers")

    with Stream(url, secret) as stream:
        until(lambda: len(stream.answers) > 20, "requests run")
        actions.roll_back(
            endpoint_id=endpoint.uuid, actor=omar, reason="Wrong on cards.", typed="1.0.0", seen_moves=2
        )
        committed = time.monotonic()
        until(lambda: stream.answers[-1][1] == str(first.uuid), "the first version answers again")
        seen = len(stream.answers)
        until(lambda: len(stream.answers) > seen + 100, "more requests run")
    last_of_old = max(began for _, version, began in stream.answers if version == str(second.uuid))
    print(
        f"rollback: the last request answered by the old version began {last_of_old - committed:.3f} s after"
        " the commit"
    )

    assert {status for status, _, _ in stream.answers} == {200}
    assert {version for _, version, began in stream.answers if began > last_of_old} == {str(first.uuid)}
    assert [state.epoch for state in servers.server_states()] == [published.routes_row().published_epoch]
    known = asks()["parameters"]["prediction_id"]

    until(
        lambda: traffic.ingest() is not None and Prediction.objects.filter(uuid=known).exists(),
        "the last request arrives",
    )
    assert Prediction.objects.filter(version=second).exists()
    assert Prediction.objects.filter(version=first, label="billing").exists()
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    response = api.post(
        f"/api/v1/predictions/{known}/feedback/", {"right": False, "label": "refund"}, format="json"
    )
    assert response.status_code == 201
    assert Prediction.objects.get(uuid=known).feedback.get().label == "refund"


def test_a_damaged_version_changes_nothing(project, mia, ravi, lee, gita, omar, server, settings):
    snapshot = registry.make_snapshot(project, ravi)
    first = registry.make_version(project, mia, ravi, snapshot=snapshot, artifact=tiny_artifact(0))
    endpoint = registry.make_endpoint(first.model, mia, slug="support-inbox-prod")
    bearer = {"Authorization": f"Bearer {published.web_token()}"}

    def version():
        try:
            return (
                httpx.post(f"{server}/v2/models/{endpoint.full_name}/infer", json=ask("card"), headers=bearer)
                .json()
                .get("model_version")
            )
        except httpx.TransportError:
            return None

    endpoints.deploy(project, endpoint, first)
    until(lambda: version() == str(first.uuid), "the first version answers")
    second = registry.make_version(
        project, mia, ravi, model=first.model, snapshot=snapshot, semver="1.1.0", artifact=tiny_artifact(1)
    )
    request = endpoints.approved(project, endpoint, second)
    folder = settings.DATA_DIR / "serving" / "artifacts" / second.root_digest

    deploy_then_damage(request, omar, folder)

    until(lambda: any(state.refusal_of(second) for state in servers.server_states()), "the server refuses it")
    assert actions.check_loads() == 1
    second.refresh_from_db()
    assert second.state == "quarantined"
    assert version() == str(first.uuid)


def deploy_then_damage(request, actor, folder: Path) -> None:
    """Deploy while the publication waits, so that the files can be damaged before any server reads them."""
    from registry.endpoints.actions import intervals

    published = []
    original, intervals.publish = intervals.publish, lambda: published.append(1)
    try:
        actions.deploy(request_id=request.uuid, actor=actor)
    finally:
        intervals.publish = original
    path = folder / "serving" / "model.onnx"
    path.chmod(0o600)
    path.write_bytes(b"x" + path.read_bytes()[1:])
    assert published
    actions.publish()
