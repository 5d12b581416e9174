"""Files of tests lie in memory where it has room for them."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.environment import ROOM, in_memory


def test_a_folder_with_room_is_taken(tmp_path):
    assert in_memory(tmp_path, room=1)


def test_a_folder_that_is_missing_or_full_is_not(tmp_path):
    facts = os.statvfs(tmp_path)

    assert not in_memory(tmp_path / "missing", room=1)
    assert not in_memory(tmp_path, room=2 * facts.f_blocks * facts.f_frsize)


def test_a_folder_from_which_nothing_may_be_started_is_not(tmp_path, monkeypatch):
    facts = os.statvfs(tmp_path)
    noexec = os.statvfs_result((*facts[:8], facts.f_flag | os.ST_NOEXEC, facts.f_namemax))
    monkeypatch.setattr(os, "statvfs", lambda _: noexec)

    assert not in_memory(tmp_path, room=1)


def test_the_files_of_this_test_lie_there_where_there_is_room(tmp_path):
    memory = Path("/dev/shm")
    if os.environ["TMPDIR"] == str(memory):
        assert tmp_path.is_relative_to(memory)
    else:
        assert not in_memory(memory, ROOM)
