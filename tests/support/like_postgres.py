"""SQLite takes what PostgreSQL refuses: too long a word, too big a number, NUL. And it keeps the order of a
JSON object's keys, where PostgreSQL has one of its own. In tests it behaves like PostgreSQL, so that every
test shows that the product works on both.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from itertools import chain
from typing import Any

from django.db import DataError, connection
from django.db.backends.signals import connection_created
from django.db.models import CharField, IntegerField, JSONField

LONE = range(0xD800, 0xE000)  # halves of a surrogate pair
RANGES = {2: (-(2**15), 2**15 - 1), 4: (-(2**31), 2**31 - 1)}  # of numbers, by bytes
BYTES = {"SmallIntegerField": 2, "PositiveSmallIntegerField": 2, "IntegerField": 4, "PositiveIntegerField": 4}


def check_length(value: Any, most: int | None) -> None:
    """Refuse a text that needs more than so many characters."""
    if most is not None and isinstance(value, str) and len(value) > most:
        raise DataError(f"value too long for type character varying({most})")


def check_number(value: Any, size: int | None) -> None:
    """Refuse a number that needs more than so many bytes."""
    if size and isinstance(value, int):
        low, high = RANGES[size]
        if not low <= value <= high:
            raise DataError("integer out of range")


def check_json(value: Any) -> None:
    """Refuse an object with a text in it that PostgreSQL does not take."""
    if isinstance(value, str):
        if "\x00" in value or not value.isascii() and any(ord(sign) in LONE for sign in value):
            raise DataError("unsupported Unicode escape sequence")
    elif isinstance(value, dict):
        for key, each in value.items():
            check_json(key)
            check_json(each)
    elif isinstance(value, list | tuple):
        for each in value:
            check_json(each)


def in_its_order(value: Any) -> Any:
    """The same with the keys of each object as PostgreSQL orders them: short ones first."""
    if isinstance(value, dict):
        return {
            key: in_its_order(value[key])
            for key in sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        }
    return [in_its_order(each) for each in value] if isinstance(value, list) else value


def check_parameters(execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Refuse a text with NUL anywhere in a statement."""
    params = [*params] if many else params
    for each in chain.from_iterable(params) if many else params or ():
        if isinstance(each, str) and "\x00" in each:
            raise DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    return execute(sql, params, many, context)


def strict(connection: Any, **_: Any) -> None:
    """Have a new connection check what is given to it."""
    if check_parameters not in connection.execute_wrappers:
        connection.execute_wrappers.append(check_parameters)


def before(kind: type, check: Callable[[Any, Any], None]) -> None:
    """Have a kind of field check each value that it is about to write."""
    original = kind.get_db_prep_save

    @wraps(original)
    def get_db_prep_save(self: Any, value: Any, connection: Any) -> Any:
        if connection.vendor == "sqlite":
            check(self, value)
        return original(self, value, connection)

    kind.get_db_prep_save = get_db_prep_save


def pytest_sessionstart() -> None:
    """Once for each process, before the first test."""
    if connection.vendor != "sqlite":
        return
    connection_created.connect(strict)
    before(CharField, lambda field, value: check_length(value, field.max_length))
    before(IntegerField, lambda field, value: check_number(value, BYTES.get(field.get_internal_type())))
    before(JSONField, lambda _, value: check_json(value))
    read = JSONField.from_db_value
    JSONField.from_db_value = lambda self, *given: in_its_order(read(self, *given))
