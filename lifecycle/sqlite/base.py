"""Django's SQLite, whose transactions in one process take turns.

SQLite allows one writer at a time. A second one retries after 1, 2, 5 … 100 ms, even if the first ended
earlier, and a lucky retry overtakes the others. Threads of one process need not retry: here they wait for a
lock, which wakes them. Single statements outside of transactions, and other processes, retry as before.
"""

from __future__ import annotations

import os
from collections import defaultdict
from threading import Lock
from typing import Any

from django.db import OperationalError
from django.db.backends.sqlite3 import base

from lifecycle.sqlite.schema import DatabaseSchemaEditor

TURNS: defaultdict[str, Lock] = defaultdict(Lock)  # by database; SQLite's own lock excludes other processes
PATIENCE = 5.0  # seconds, as sqlite3's own
os.register_at_fork(after_in_child=TURNS.clear)  # the threads that hold them are not there


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that holds its process's turn from BEGIN to COMMIT or ROLLBACK; it is made for
    transaction_mode IMMEDIATE.
    """

    SchemaEditorClass = DatabaseSchemaEditor
    turn: Lock | None = None

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """As Django's, but text that isn't UTF-8, which nothing here writes, ends no page and no
        verification: it reads as U+FFFD.
        """
        made = super().get_new_connection(conn_params)
        made.text_factory = lambda text: text.decode("utf-8", "replace")
        return made

    def _start_transaction_under_autocommit(self) -> None:
        turn = TURNS[str(self.settings_dict["NAME"])]
        if not turn.acquire(timeout=self.settings_dict["OPTIONS"].get("timeout", PATIENCE)):
            raise OperationalError("database is locked")
        self.turn = turn
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._end_turn()
            raise

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        self._end_turn()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _set_autocommit(self, autocommit: bool) -> None:
        super()._set_autocommit(autocommit)  # type: ignore[misc]
        if autocommit:  # which ends a transaction whose commit was interrupted
            self._end_turn()

    def _end_turn(self) -> None:
        turn, self.turn = self.turn, None  # first, since the waiting thread may have this very connection
        if turn is not None:
            turn.release()

    def __del__(self) -> None:
        self._end_turn()  # of a thread that died
