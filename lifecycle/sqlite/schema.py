"""Django's way to change tables of SQLite, which can also remake one that a trigger of another table
reads.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.sqlite3 import schema
from django.db.models import Model


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """A table is remade by dropping it and renaming another one to its name, which SQLite refuses as long as
    a trigger names what isn't there. Triggers of other tables that name it are away meanwhile, within the
    transaction of the migration.
    """

    def _remake_table(self, model: type[Model], *args: Any, **options: Any) -> None:
        table = model._meta.db_table
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name <> %s AND"
                " instr(sql, %s)",
                [table, table],
            )
            reading = cursor.fetchall()
        for name, _ in reading:
            self.execute(f"DROP TRIGGER {self.quote_name(name)}")
        super()._remake_table(model, *args, **options)  # type: ignore[misc]
        for _, sql in reading:
            self.execute(sql, None)
