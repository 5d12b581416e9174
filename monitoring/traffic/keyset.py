"""Where the next page of a list begins, as it is in a URL: a time and a key,
`2026-11-25T10:00:00.000000Z_5`.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

from django.db.models import Model, QuerySet

from lifecycle.ui.addresses import key_in, unreadable

Key = tuple[datetime, int]
M = TypeVar("M", bound=Model)


def page(rows: QuerySet[M], before: Key | None, size: int, *, at: str = "at") -> tuple[list[M], Key | None]:
    """One page of rows, newest first, and the key to go on before; None on the last page. at: the field of
    their time.
    """
    rows = rows.order_by(f"-{at}", "-id")
    if before:
        rows = rows.filter(**{f"{at}__lte": before[0]}).exclude(**{at: before[0], "id__gte": before[1]})
    found = list(rows[: size + 1])
    return found[:size], (getattr(found[size - 1], at), found[size - 1].pk) if len(found) > size else None


def written(key: Key) -> str:
    """The place as an address holds it."""
    return f"{key[0].astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}_{key[1]}"


def read(text: str) -> Key | None:
    """The place, in UTC; None for the first page. Raises Unreadable."""
    if not text:
        return None
    at, _, pk = text.replace(" ", "+").partition("_")
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(at)
        if moment.tzinfo and (key := key_in({"before": pk})) is not None:
            return moment.astimezone(UTC), key
    raise unreadable({"before": ["Use the value from the previous page's link."]})
