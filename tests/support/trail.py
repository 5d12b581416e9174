"""Verify the audit log, and bypass the product with direct database writes, for tests."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.db import connection

from lifecycle.runtime import bundle
from registry.ground.ledger import rules, verify
from registry.ground.ledger.faults import Fault
from registry.ground.ledger.models import Chain, Event
from tests.support.flush import triggers_lifted


def faults(kept: Iterable[Path] = ()) -> list[Fault]:
    """Everything that does not hold now."""
    return [found for found in verify.verify_all(kept) if isinstance(found, Fault)]


def found(kept: Iterable[Path] = ()) -> list[tuple[str, str]]:
    """The rule and the location of every current fault."""
    return [(str(fault.rule), fault.where) for fault in faults(kept)]


def rewrite(chain: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Replace every event of a chain with `change` of its content, hashes included."""
    previous = rules.GENESIS
    for event in Event.objects.filter(chain=chain).order_by("seq"):
        canonical = bundle.canonical_json(
            change(json.loads(event.canonical)) | {"previous": previous}
        ).decode()
        hashed = rules.event_hash(canonical)
        columns = "canonical = %s, previous_hash = %s, hash = %s"
        behind_its_back(  # noqa: S608
            f"UPDATE ledger_event SET {columns} WHERE id = %s", canonical, previous, hashed, event.pk
        )
        previous = hashed
    Chain.objects.filter(name=chain).update(hash=previous)


def forget_the_installation() -> None:
    """The audit log begins with the project: the installation's own event is as old as the process of the
    tests, which dates may not be.
    """
    behind_its_back("DELETE FROM ledger_name")
    behind_its_back("DELETE FROM ledger_event WHERE chain = %s", rules.INSTALLATION)
    behind_its_back("DELETE FROM ledger_chain WHERE name = %s", rules.INSTALLATION)
    behind_its_back("DELETE FROM policies_policy")  # what that event is about


def behind_its_back(statement: str, *params: object) -> None:
    """What an owner of the database could do to a table: no trigger is in the way."""
    (table,) = re.match(r"(?:UPDATE|DELETE FROM|INSERT INTO) (\w+)", statement).groups()
    with triggers_lifted(connection, table), connection.cursor() as cursor:
        cursor.execute(statement, params)
