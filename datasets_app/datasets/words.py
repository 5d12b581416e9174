"""SQLite's table of words is kept by triggers, so every new item is searchable; PostgreSQL's index needs
none.

They are put in place after every migrate, since SQLite drops a table's triggers when it remakes the table.
"""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from datasets_app.datasets.search import TEXT_SEARCHED

TRIGGERS = {
    "insert": (
        "INSERT INTO datasets_words (rowid, text) "  # noqa: S608
        f"VALUES (NEW.id, substr(NEW.text, 1, {TEXT_SEARCHED}))"
    ),
    "delete": (
        "INSERT INTO datasets_words (datasets_words, rowid, text) "  # noqa: S608
        f"VALUES ('delete', OLD.id, substr(OLD.text, 1, {TEXT_SEARCHED}))"
    ),
}


def keep_words(using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Put the triggers in place (again), once the table of words is there."""
    connection = connections[using]
    if connection.vendor != "sqlite" or "datasets_words" not in connection.introspection.table_names():
        return
    with connection.cursor() as cursor:
        for event, statement in TRIGGERS.items():
            name = f"datasets_item_words_{event}"
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            cursor.execute(
                f"CREATE TRIGGER {name} AFTER {event.upper()} ON datasets_item BEGIN {statement}; END", None
            )
