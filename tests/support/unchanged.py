"""A refusal that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.apps import apps
from django.db import connection

from lifecycle.runtime.refusals import Refused

PRODUCT = ("datasets_app", "lifecycle", "monitoring", "registry")


def counted() -> dict[str, int]:
    """How many rows each table of the product has, in one statement."""
    tables = [
        model._meta.db_table for model in apps.get_models() if model.__module__.partition(".")[0] in PRODUCT
    ]
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f'(SELECT COUNT(*) FROM "{table}")' for table in tables))
        return dict(zip(tables, cursor.fetchone(), strict=True))


@contextmanager
def refused(*fields: str, match: str | None = None) -> Iterator[pytest.ExceptionInfo[Refused]]:
    """What is inside is refused in a sentence that names these fields, and no table has a row more or
    less.
    """
    before = counted()
    with pytest.raises(Refused, match=match) as refusal:
        yield refusal
    assert refusal.value.message.endswith(".")
    assert set(refusal.value.fields) == set(fields)
    assert counted() == before
