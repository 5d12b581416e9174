"""A test's own savepoint makes all that it calls look as if a transaction were open. In tests what needs one
must have opened it itself: a lock on rows, and an audit event, which commits with the change it records.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.db import connection
from django.db.models.sql.compiler import SQLCompiler
from django.db.transaction import TransactionManagementError


class OwnTransaction:
    """What `registry.ground.ledger` asks of Django's connection."""

    @property
    def in_atomic_block(self) -> bool:
        """Whether a transaction is open that is not the test's."""
        return is_open(connection)


def is_open(connection: Any) -> bool:
    """Whether a transaction is open on it that is not the test's."""
    return any(not block._from_testcase for block in connection.atomic_blocks)


def pytest_sessionstart() -> None:
    """Once for each process, before the first test."""
    from registry.ground.ledger import actions  # late: no application is loaded when plugins are

    actions.connection = OwnTransaction()
    original = SQLCompiler.as_sql

    @wraps(original)
    def as_sql(self: SQLCompiler, *given: Any, **options: Any) -> Any:
        if self.query.select_for_update and not is_open(self.connection):
            raise TransactionManagementError("select_for_update cannot be used outside of a transaction.")
        return original(self, *given, **options)

    SQLCompiler.as_sql = as_sql
