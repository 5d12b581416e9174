"""Transactional tests empty all tables at their end, which the append-only triggers refuse: they are lifted
for that one statement list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.backends.base.operations import BaseDatabaseOperations


@contextmanager
def flush_leaves_history_alone() -> Iterator[None]:
    """Within it, a flush works; every other UPDATE, DELETE and TRUNCATE is refused as in production."""
    original = BaseDatabaseOperations.execute_sql_flush

    def flush(self: BaseDatabaseOperations, sql_list: list[str]) -> None:
        with triggers_lifted(self.connection):
            original(self, quick(self.connection, sql_list))

    BaseDatabaseOperations.execute_sql_flush = flush
    try:
        yield
    finally:
        BaseDatabaseOperations.execute_sql_flush = original


def quick(connection, sql_list: list[str]) -> list[str]:
    """The same for PostgreSQL, which makes the files of all tables anew for one TRUNCATE: rows are deleted
    where there are some.
    """
    whole = " ".join(sql_list)
    if connection.vendor != "postgresql" or "RESTART IDENTITY" in whole:
        return sql_list
    tables = re.findall(r'"(\w+)"', whole)
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f'EXISTS (SELECT 1 FROM "{table}")' for table in tables))
        return [
            f'DELETE FROM "{table}"'
            for table, has_rows in zip(tables, cursor.fetchone(), strict=True)
            if has_rows
        ]


@contextmanager
def triggers_lifted(connection, table: str = "") -> Iterator[None]:
    """Those of one table, or of all."""
    if connection.vendor == "sqlite":
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND %s IN ('', tbl_name)", [table]
            )
            triggers = cursor.fetchall()
            for name, _ in triggers:
                cursor.execute(f'DROP TRIGGER "{name}"')
            yield
            if any(name == "datasets_item_words_delete" for name, _ in triggers):
                cursor.execute("INSERT INTO datasets_words (datasets_words) VALUES ('delete-all')")
            for _, sql in triggers:
                cursor.execute(sql)
        return
    tables = [each for each in _tables_with_triggers(connection) if table in ("", each)]
    with connection.cursor() as cursor:
        _check_now(cursor)
        for table in tables:
            cursor.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER USER')
    yield
    with connection.cursor() as cursor:
        _check_now(cursor)
        for table in tables:
            cursor.execute(f'ALTER TABLE "{table}" ENABLE TRIGGER USER')


def _check_now(cursor) -> None:
    """Foreign keys that are checked at the end of a transaction keep its tables from being altered."""
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _tables_with_triggers(connection) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT"
            " t.tgisinternal ORDER BY 1"
        )
        return [row[0] for row in cursor.fetchall()]
