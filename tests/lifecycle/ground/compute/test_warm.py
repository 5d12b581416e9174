"""Calls of the warm engine: its errors become refusals, and it is started without secrets."""

from __future__ import annotations

import json
import os
import socket
import threading

import psutil
import pytest

from lifecycle.ground.compute import warm
from lifecycle.runtime.engine import warm_client
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.refusals import NotReady, Refused


@pytest.fixture
def engine(monkeypatch):
    """A warm engine with responses set by the test, and the requests that it got."""
    asked = []

    def answer(reply):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(warm.socket_path()))
        listener.listen()

        def serve():
            connection, _ = listener.accept()
            with connection:
                asked.append(warm_client.receive(connection))
                warm_client.send(connection, reply)
            listener.close()

        threading.Thread(target=serve, daemon=True).start()
        return asked

    return answer


def test_result_of_the_engine_comes_back(engine, tmp_path):
    asked = engine({"ok": True, "result": {"embeddings": [[0.5, 1.0]]}})

    assert warm.embed(tmp_path, ["hello"]) == [[0.5, 1.0]]
    assert asked == [{"verb": "embed", "payload": {"artifact": str(tmp_path), "texts": ["hello"]}}]


@pytest.mark.parametrize(
    ("code", "kind"),
    [("bad_spec", Refused), ("base_missing", Refused), ("crashed", NotReady), ("out_of_memory", NotReady)],
)
def test_fault_becomes_a_refusal_with_the_engines_sentence(engine, tmp_path, code, kind):
    engine(
        {"ok": False, "error": {"code": code, "message": "The base is missing.", "next_step": "Fetch it."}}
    )

    with pytest.raises(kind) as refusal:
        warm.predict(tmp_path, ["hello"])

    assert (refusal.value.message, refusal.value.next_step) == ("The base is missing.", "Fetch it.")


def test_socket_of_a_long_data_folder_is_elsewhere_and_private(settings, tmp_path):
    settings.DATA_DIR = tmp_path / ("long" * 30)

    path = warm.socket_path()

    assert len(str(path)) <= warm_client.MAX_PATH
    assert path.parent.stat().st_mode & 0o077 == 0


def test_tests_leave_no_socket_to_later_ones(settings, tmp_path):
    settings.DATA_DIR = tmp_path / ("long" * 30)

    # a folder of this process, which goes with it
    assert warm.socket_path().is_relative_to(os.environ["DATA_DIR"])


def test_engine_is_started_with_a_scrubbed_environment(monkeypatch):
    given = {}
    monkeypatch.setenv("SECRET_KEY", "hidden")

    def call(path, verb, payload, timeout_seconds, *, environment):
        given.update(environment)
        raise EngineFault("crashed", "No.", "Again.")

    monkeypatch.setattr(warm_client, "call", call)

    with pytest.raises(NotReady):
        warm.probe()

    assert "hidden" not in given.values()
    assert given["HF_HUB_OFFLINE"] == "1"


@pytest.mark.journey
def test_real_engine_starts_at_the_first_question(cold, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "hidden")
    try:
        facts = warm.probe()

        found = [
            each
            for each in psutil.process_iter(["cmdline", "ppid"])
            if str(warm.socket_path()) in (each.info["cmdline"] or [])
        ]
        # its forks may be leaving still
        (engine,) = (each for each in found if each.info["ppid"] not in {other.pid for other in found})
        assert json.dumps(facts)
        assert "hidden" not in engine.environ().values()
        assert warm.socket_path().stat().st_mode & 0o077 == 0
    finally:
        for process in psutil.process_iter(["cmdline"]):
            if str(warm.socket_path()) in (process.info["cmdline"] or []) and process.pid != os.getpid():
                process.kill()
