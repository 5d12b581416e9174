"""The spool keeps whole lines through kills and full disks, and never makes a request wait."""

import errno
import fcntl
import hashlib
import json
import os
import threading

from lifecycle.runtime.inference.spool import Spool, recover
from tests.inference.models import TOKEN, ask, auth, deployment_of, version_of


def lines(folder):
    return [
        json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()
    ]


def test_a_prediction_is_one_line_that_names_its_version_and_its_token_in_part(
    client, installation, server, root
):
    answered = client.post(
        "/v2/models/support/infer", json=ask("card", "hello money"), headers=auth() | {"x-request-id": "r1"}
    ).json()
    server.spool.stop()

    (line,) = installation.spooled()
    assert line["uuid"] == answered["parameters"]["prediction_id"]
    assert (line["endpoint"], line["version"], line["root_digest"], line["arm"]) == (
        "inbox/support",
        version_of(root),
        root,
        "stable",
    )
    assert (line["status"], line["code"], line["rows"], line["epoch"], line["request_id"]) == (
        "ok",
        200,
        2,
        1,
        "r1",
    )
    assert line["token"] == hashlib.sha256(TOKEN.encode()).hexdigest()[:8]
    assert (line["deployment"], line["key"]) == (deployment_of("stable-1"), "")
    seen = {
        "sha256": hashlib.sha256(b"hello money").hexdigest(),
        "chars": 11,
        "tokens": 4,
        "oov": 0.0,
        "truncated": False,
    }
    assert line["inputs"][1] == seen
    assert line["cpu_ms"] > 0
    assert line["outputs"][0]["label"] == "card"
    assert list(line["outputs"][0]["scores"]) == ["card", "money", "other"]
    assert line["latency_ms"] >= line["queue_ms"] >= 0


def test_segments_are_complete_when_they_are_visible(tmp_path):
    spool = Spool(tmp_path / "spool")
    spool.start()
    for number in range(1_200):
        spool.put({"n": number})
    spool.stop()

    assert [line["n"] for line in lines(tmp_path / "spool")] == list(range(1_200))
    assert list((tmp_path / "spool").glob("*.open")) == []
    assert (spool.written, spool.dropped) == (1_200, 0)


def test_a_killed_writer_leaves_whole_lines_only(tmp_path):
    (tmp_path / "20260101T000000-1-000001.open").write_bytes(b'{"n": 1}\n{"n": 2}\n{"n": 3')
    (tmp_path / "20260101T000000-1-000002.open").write_bytes(b'{"n"')
    (tmp_path / "20260101T000000-1-000000.jsonl").write_bytes(b'{"n": 0}\n')

    assert recover(tmp_path) == 2

    assert [line["n"] for line in lines(tmp_path)] == [0, 1, 2]
    assert list(tmp_path.glob("*.open")) == []


def test_a_segment_of_a_living_writer_is_left_alone(tmp_path):
    path = tmp_path / "20260101T000000-1-000001.open"
    path.write_bytes(b'{"n": 1}\n')
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)

        assert recover(tmp_path) == 0
        assert path.exists()


def test_a_full_disk_drops_and_counts_and_leaves_no_half_line(tmp_path):
    full = True

    def write(handle, data):
        if full and len(data) > 10:
            return os.write(handle, data[:10])  # the disk takes a part of it first
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(handle, data)

    spool = Spool(tmp_path, write=write)
    spool._append([{"n": 1, "long": "x" * 20}, {"n": 2}])
    full = False
    spool._append([{"n": 3}])
    spool._rotate()

    assert (spool.written, spool.dropped) == (1, 2)
    assert lines(tmp_path) == [{"n": 3}]


def test_an_unread_spool_stops_growing_and_continues_when_it_is_read(tmp_path):
    spool = Spool(tmp_path, max_bytes=30)
    for number in range(4):
        spool._append([{"number": number}])
        spool._rotate()
    assert (spool.written, spool.dropped) == (3, 1)
    for path in tmp_path.glob("*.jsonl"):
        path.unlink()
    spool._append([{"number": 8}])
    spool._append([{"number": 9}])
    spool._rotate()

    assert lines(tmp_path) == [{"number": 9}]
    assert spool.dropped == 2


def test_a_disk_that_hangs_makes_no_request_wait(tmp_path, monkeypatch):
    monkeypatch.setattr("lifecycle.runtime.inference.spool.MAX_WAITING", 50)
    entered, leave = threading.Event(), threading.Event()

    def hang(handle, data):
        entered.set()
        leave.wait(30)
        return os.write(handle, data)

    spool = Spool(tmp_path / "spool", write=hang)
    spool.start()
    spool.put({"n": 0})
    assert entered.wait(10)
    for number in range(1, 81):
        spool.put({"n": number})  # returns at once, or this test would never end

    assert spool.dropped == 30
    leave.set()
    spool.stop()
    assert [line["n"] for line in lines(tmp_path / "spool")] == list(range(51))


def test_a_full_disk_costs_no_client_an_answer(client, installation, server):
    def full(handle, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    server.spool._write = full
    answers = [client.post("/v2/models/support/infer", json=ask("card"), headers=auth()) for _ in range(5)]
    server.spool.stop()

    assert [answer.status_code for answer in answers] == [200] * 5
    assert (server.spool.written, server.spool.dropped) == (0, 5)
    assert installation.spooled() == []
