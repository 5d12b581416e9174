from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from django.db import OperationalError, connections
from django.db.backends.sqlite3 import base

from lifecycle.sqlite.base import TURNS, DatabaseWrapper


@pytest.fixture
def connect(tmp_path, django_db_blocker) -> Iterator[Any]:
    """Makes connections to one file, as the threads of a web process have them. Arguments: seconds until a
    writer gives up.
    """
    made: list[DatabaseWrapper] = []

    def new(timeout: float = 20.0) -> DatabaseWrapper:
        options = {"timeout": timeout, "transaction_mode": "IMMEDIATE"}
        settings = {
            **connections["default"].settings_dict,
            "NAME": str(tmp_path / "some.sqlite3"),
            "OPTIONS": options,
        }
        made.append(DatabaseWrapper(settings, "default"))
        made[-1].inc_thread_sharing()
        return made[-1]

    with django_db_blocker.unblock():
        yield new
        for connection in made:
            connection.close()


def interrupt(*args: Any) -> None:
    """Press Ctrl-C."""
    raise KeyboardInterrupt


def is_free(connection: DatabaseWrapper) -> bool:
    """Whether no thread of this process is writing."""
    return not TURNS[connection.settings_dict["NAME"]].locked()


def begin(connection: DatabaseWrapper) -> None:
    """As `atomic` does."""
    connection.ensure_connection()
    connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)


def test_a_second_writer_of_the_process_goes_on_once_the_first_has_ended(connect):
    one, two, begun = connect(), connect(), Event()
    with one.cursor() as cursor:
        cursor.execute("CREATE TABLE said (who TEXT)")
    begin(one)

    def write() -> None:
        begun.set()
        begin(two)
        with two.cursor() as cursor:
            cursor.execute("INSERT INTO said VALUES ('two')")
        two.commit()

    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(write)
        begun.wait(10)
        assert not second.done()
        with one.cursor() as cursor:
            cursor.execute("INSERT INTO said VALUES ('one')")
        one.commit()
        second.result(10)

    with one.cursor() as cursor:
        assert [row[0] for row in cursor.execute("SELECT who FROM said ORDER BY rowid")] == ["one", "two"]


def test_waiting_too_long_raises_the_error_of_sqlite(connect):
    begin(connect())

    with pytest.raises(OperationalError, match="database is locked"):
        begin(connect(timeout=0.01))


@pytest.mark.parametrize("ending", ["commit", "rollback", "close"])
def test_a_turn_ends_with_its_transaction(connect, ending):
    connection = connect()
    begin(connection)
    held = not is_free(connection)

    getattr(connection, ending)()

    assert (held, is_free(connection)) == (True, True)


def test_an_interrupted_commit_holds_no_turn(connect, monkeypatch):
    connection = connect()
    begin(connection)
    monkeypatch.setattr(base.DatabaseWrapper, "_commit", interrupt)

    with pytest.raises(KeyboardInterrupt):
        connection.commit()
    connection.set_autocommit(True)  # as `atomic` does on its way out

    assert is_free(connection)


def test_a_connection_that_is_forgotten_in_a_transaction_holds_no_turn(tmp_path, connect):
    other = connect()
    forgotten = DatabaseWrapper(other.settings_dict, "default")
    begin(forgotten)
    held = not is_free(other)

    del forgotten
    gc.collect()

    assert (held, is_free(other)) == (True, True)


def test_a_child_of_a_process_that_writes_does_not_wait_for_it(connect):
    connection = connect()
    begin(connection)

    child = os.fork()
    if child == 0:
        os._exit(0 if is_free(connection) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not is_free(connection)


def test_a_transaction_that_could_not_begin_holds_no_turn(connect):
    other = connect()
    begin(other)
    TURNS[other.settings_dict["NAME"]].release()  # as another process, which SQLite alone knows of
    other.turn = None
    connection = connect(timeout=0.01)

    with pytest.raises(OperationalError, match="database is locked"):
        begin(connection)

    assert is_free(connection)
