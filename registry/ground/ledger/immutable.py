"""Database triggers that refuse to change history: UPDATE, DELETE and, on PostgreSQL, TRUNCATE; and states
that do not follow each other.

A model asks for them with class attributes:

    append_only = True
        nothing of a row ever changes
    append_only = True; changeable = ("state",)
        only these columns may be updated; a row is never deleted
    append_only = True; deletable_when = "<SQL over OLD>"
        the one state of things in which a row may be deleted; {"sqlite": …, "postgresql": …} where the two
        differ
    state_moves = {"status": {"draft": {"checking"}, …}}
        which state of a column may follow which; a row begins in the first

What a row names by a many-to-many field is as fixed as the row, and goes with it.

They are put in place after every migrate, since SQLite silently drops a table's triggers when it remakes the
table. Those of other tables that read it, as a `deletable_when` may, would keep it from being remade:
`lifecycle.sqlite.schema` puts them aside meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

REFUSAL = "{table} is append-only: rows are never changed or deleted."
NO_MOVE = "{table}: this state cannot follow that one."

POSTGRES_FUNCTION = """
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {exception}
    RAISE EXCEPTION '% is append-only: rows are never changed or deleted.', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$
"""


def protected_models() -> list[type[Model]]:
    """Every installed model that declares `append_only = True`, and the tables of its many-to-many fields, by
    table name.
    """
    models = apps.get_models(include_auto_created=True)
    return sorted(
        (m for m in models if getattr(owner_of(m) or m, "append_only", False)), key=lambda m: m._meta.db_table
    )


def moving_models() -> list[type[Model]]:
    """Every installed model that declares `state_moves`, by table name."""
    return sorted(
        (m for m in apps.get_models() if getattr(m, "state_moves", None)), key=lambda m: m._meta.db_table
    )


def protect_tables(using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Put the triggers of all protected tables that exist in place (again)."""
    connection = connections[using]
    existing = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(POSTGRES_FUNCTION.format(name="refuse_change", exception=""), None)
        for model in protected_models():
            if model._meta.db_table in existing:
                for statement in trigger_statements(connection, model):
                    cursor.execute(statement, None)
        for model in moving_models():
            if model._meta.db_table in existing:
                for statement in move_statements(connection, model):
                    cursor.execute(statement, None)


def move_statements(connection: BaseDatabaseWrapper, model: type[Model]) -> list[str]:
    """The SQL that (re)creates the triggers of the state of one table."""
    table, ((column, moves),) = model._meta.db_table, model.state_moves.items()  # type: ignore[attr-defined]
    follows = " OR ".join(
        f"OLD.{column} = '{old}' AND NEW.{column} IN ({listed(new)})" for old, new in moves.items()
    )
    triggers = {
        "moves": (
            f'BEFORE UPDATE OF {column} ON "{table}" FOR EACH ROW WHEN (NOT (OLD.{column} = NEW.{column} OR'
            f" {follows}))"
        ),
        "begins": f"BEFORE INSERT ON \"{table}\" FOR EACH ROW WHEN (NEW.{column} <> '{next(iter(moves))}')",
    }
    sentence = NO_MOVE.format(table=table)
    if connection.vendor == "postgresql":
        body = f"EXECUTE FUNCTION {table}_refuse_move()"
        made = [
            f"CREATE OR REPLACE FUNCTION {table}_refuse_move() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN RAISE EXCEPTION '{sentence}' USING ERRCODE = 'restrict_violation'; END $$"
        ]
    else:
        body, made = f"BEGIN SELECT RAISE(ABORT, '{sentence}'); END", []
    for name, event in triggers.items():
        on = f' ON "{table}"' if connection.vendor == "postgresql" else ""
        made += [
            f"DROP TRIGGER IF EXISTS {table}_{name}{on}",
            f"CREATE TRIGGER {table}_{name} {event} {body}",
        ]
    return made


def listed(states: Iterable[str]) -> str:
    """States as SQL names them in a list."""
    return ", ".join(f"'{state}'" for state in sorted(states))


def trigger_statements(connection: BaseDatabaseWrapper, model: type[Model]) -> list[str]:
    """The SQL that (re)creates the triggers of one table on this kind of database."""
    table = model._meta.db_table
    of = f" OF {', '.join(fixed_columns(connection, model))}" if getattr(model, "changeable", ()) else ""
    deletable = deletable_when(connection, model)
    if connection.vendor == "postgresql":
        return postgres_statements(table, of, deletable)
    body = f"BEGIN SELECT RAISE(ABORT, '{REFUSAL.format(table=table)}'); END"
    unless = f" WHEN NOT ({deletable})" if deletable else ""
    return [
        f"DROP TRIGGER IF EXISTS {table}_no_update",
        f"DROP TRIGGER IF EXISTS {table}_no_delete",
        f'CREATE TRIGGER {table}_no_update BEFORE UPDATE{of} ON "{table}" {body}',
        f'CREATE TRIGGER {table}_no_delete BEFORE DELETE ON "{table}"{unless} {body}',
    ]


def deletable_when(connection: BaseDatabaseWrapper, model: type[Model]) -> str:
    """The condition over OLD in which a row may be deleted, in this database's SQL; "" for never."""
    if owner := owner_of(model):
        condition = deletable_when(connection, owner).replace("OLD.", "o.")
        (column,) = (f.column for f in model._meta.concrete_fields if f.related_model is owner)
        owners = f'SELECT 1 FROM "{owner._meta.db_table}" o WHERE o.id = OLD.{column}'  # noqa: S608 -- names of the models alone
        return condition and f"EXISTS ({owners} AND {condition})"
    condition = getattr(model, "deletable_when", "")
    return condition if isinstance(condition, str) else condition[connection.vendor]


def owner_of(model: type[Model]) -> type[Model] | None:
    """Of the table of a many-to-many field, the model that has the field."""
    return cast("type[Model] | None", model._meta.auto_created or None)


def postgres_statements(table: str, of: str, deletable: str) -> list[str]:
    """Row triggers for UPDATE and DELETE, a statement trigger for TRUNCATE; a conditional DELETE has a
    function of its own.
    """
    on_delete = f"{table}_refuse_delete" if deletable else "refuse_change"
    exception = f"IF {deletable} THEN RETURN OLD; END IF;"
    return [
        *([POSTGRES_FUNCTION.format(name=on_delete, exception=exception)] if deletable else []),
        *(
            f'DROP TRIGGER IF EXISTS {table}_no_{event} ON "{table}"'
            for event in ("update", "delete", "truncate")
        ),
        (
            f'CREATE TRIGGER {table}_no_update BEFORE UPDATE{of} ON "{table}" FOR EACH ROW EXECUTE FUNCTION'
            " refuse_change()"
        ),
        (
            f'CREATE TRIGGER {table}_no_delete BEFORE DELETE ON "{table}" FOR EACH ROW EXECUTE FUNCTION'
            f" {on_delete}()"
        ),
        (
            f'CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON "{table}" FOR EACH STATEMENT EXECUTE'
            " FUNCTION refuse_change()"
        ),
    ]


def fixed_columns(connection: BaseDatabaseWrapper, model: type[Model]) -> list[str]:
    """The quoted columns that never change, in the order of the model; without those that the table lacks, as
    while migrations go back.
    """
    changeable = set(getattr(model, "changeable", ()))
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT * FROM "{model._meta.db_table}" LIMIT 0')  # noqa: S608 -- introspection of SQLite parses the table's SQL
        there = {column[0] for column in cursor.description}
    return [
        f'"{field.column}"'
        for field in model._meta.concrete_fields
        if field.name not in changeable and field.column in there
    ]
