from __future__ import annotations

from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection

from lifecycle.ground.jobs import doorbell


@pytest.fixture
def channel(tmp_path: Path):
    doorbell.install()
    options = {
        "data_folder_in": str(tmp_path),
        "data_folder_out": str(tmp_path),
        "control_folder": str(tmp_path / "control"),
    }
    with Connection("filesystem://localhost//", transport_options=options) as connection:
        made = connection.channel()
        assert isinstance(made, doorbell.Channel)
        yield made


def test_a_message_is_taken_whole_and_once(channel, tmp_path: Path):
    channel._put("default", {"body": "ring"})
    assert [path.suffix for path in tmp_path.iterdir() if path.is_file()] == [".msg"]

    assert channel._get("default") == {"body": "ring"}
    with pytest.raises(Empty):
        channel._get("default")


def test_a_message_that_is_being_written_is_not_seen(channel, tmp_path: Path):
    (tmp_path / ".1_a.default.msg.part").write_text('{"body"')

    with pytest.raises(Empty):
        channel._get("default")
    assert (tmp_path / ".1_a.default.msg.part").exists()


def test_a_message_that_is_not_json_is_dropped_and_the_worker_lives(channel, tmp_path: Path):
    (tmp_path / "1_a.default.msg").write_text("")

    with pytest.raises(Empty):
        channel._get("default")
    channel._put("default", {"body": "next"})
    assert channel._get("default") == {"body": "next"}
