"""Verifying the trail, and writing to the database behind the product's back, for tests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from django.db import connection

from registry.ledger import verify
from registry.ledger.faults import Fault
from tests.support.flush import triggers_lifted


def faults(kept: Iterable[Path] = ()) -> list[Fault]:
    """Everything that does not hold now."""
    return [found for found in verify.verify_all(kept) if isinstance(found, Fault)]


def found(kept: Iterable[Path] = ()) -> list[tuple[str, str]]:
    """The rule and the place of everything that does not hold now."""
    return [(str(fault.rule), fault.where) for fault in faults(kept)]


def behind_its_back(statement: str, *params: object) -> None:
    """What an owner of the database could do to a table: no trigger is in the way."""
    (table,) = re.match(r"(?:UPDATE|DELETE FROM|INSERT INTO) (\w+)", statement).groups()
    with triggers_lifted(connection, table), connection.cursor() as cursor:
        cursor.execute(statement, params)
