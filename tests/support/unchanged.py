"""A refusal that changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction
from django.db.models import Model

from lifecycle.runtime.refusals import Refusal, Refused
from registry.ground.ledger.immutable import NO_MOVE, REFUSAL

PRODUCT = ("datasets_app", "lifecycle", "monitoring", "registry")


def contents() -> Counter[tuple[str, str]]:
    """The rows of all tables of the product, as table and row, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(every_row()))
        return Counter(cursor.fetchall())


@cache
def every_row() -> tuple[str, ...]:
    """A statement for each table."""
    is_sqlite = connection.vendor == "sqlite"
    found = []
    for model in apps.get_models():
        if model.__module__.partition(".")[0] in PRODUCT:
            table = model._meta.db_table
            columns = [f'quote("{field.column}")' for field in model._meta.local_concrete_fields]
            row = " || ',' || ".join(columns) if is_sqlite else f'"{table}"::text'
            found.append(f"SELECT '{table}', {row} FROM \"{table}\"")  # noqa: S608  contains no user input
    return tuple(found)


@contextmanager
def refused(
    *fields: str,
    by: type[Exception] = Refused,
    naming: tuple[str, ...] = (),
    match: str | None = None,
) -> Iterator[pytest.ExceptionInfo[Exception]]:
    """What is inside is refused in a sentence, and no row of the product is another than before.

    fields: those the refusal has messages for, and no other. naming: what its sentence must hold, such as
    numbers and names of objects. match: its text, where only the text tells it from another refusal.
    """
    before = contents()
    with pytest.raises(by, match=match) as refusal:
        yield refusal
    message = str(refusal.value)
    assert message.endswith((".", "?"))
    assert [name for name in naming if name not in message] == [], message
    if isinstance(refusal.value, Refusal):
        assert set(refusal.value.fields) == set(fields)
    assert contents() == before


@contextmanager
def append_only(model: type[Model]) -> Iterator[None]:
    """What is inside changes or deletes rows of a table, which the database itself refuses."""
    with refused_by_the_database(REFUSAL, model):
        yield


@contextmanager
def no_move(model: type[Model]) -> Iterator[None]:
    """What is inside gives a row a state that the database itself refuses."""
    with refused_by_the_database(NO_MOVE, model):
        yield


@contextmanager
def refused_by_the_database(sentence: str, model: type[Model]) -> Iterator[None]:
    with (
        pytest.raises(DatabaseError, match=sentence.format(table=model._meta.db_table)),
        transaction.atomic(),
    ):
        yield
