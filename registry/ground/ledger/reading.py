"""Rows in batches, of which one that can't be read is named and keeps no other from being read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from django.db.models import Model, QuerySet

from registry.ground.ledger import rules
from registry.ground.ledger.faults import Fault, Rule

Row = TypeVar("Row")
Found = TypeVar("Found", bound=Model)


def batched(found: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """So many at a time."""
    left = iter(found)
    while batch := list(islice(left, size)):
        yield batch


def batches(rows: QuerySet[Found, Row], name: str, size: int) -> Iterator[tuple[list[Row], list[Fault]]]:
    """So many rows at a time by their key, and a fault for each of them that holds what no action writes."""
    keys = rows.order_by("pk").values_list("pk", flat=True)
    for batch in batched(keys.iterator(chunk_size=1000), size):
        yield read(rows, name, batch)


def read(rows: QuerySet[Found, Row], name: str, keys: list[int]) -> tuple[list[Row], list[Fault]]:
    """The rows with these keys, read one by one where they can't be read together."""
    try:
        return list(rows.filter(pk__in=keys).order_by("pk")), []
    except rules.UNREADABLE as error:
        if len(keys) == 1:
            return [], [
                Fault(
                    Rule.ROW_UNREADABLE,
                    f"{name}, row {keys[0]}",
                    f"It has a value that no action writes ({error!r}).",
                )
            ]
    found = [read(rows, name, [key]) for key in keys]
    return [row for part, _ in found for row in part], [fault for _, part in found for fault in part]
