"""Events from lower rooms to upper ones: a transactional outbox, read by cursor in the reader's own periodic
task.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from lifecycle.ground.notices.models import Cursor, Outbox
from registry.ground.access.models import Project

# no transaction of the product takes longer; a gap older than this was rolled back
SETTLE = timedelta(minutes=10)
GAPS_MAX = 1000


def append(topic: str, *, project: Project | None = None, **payload: Any) -> Outbox:
    """Append an event in the caller's transaction: both commit or neither.

    payload: ids as JSON types. Raises RuntimeError outside a transaction.
    """
    if not connection.in_atomic_block:
        raise RuntimeError(f"{topic} was appended outside a transaction.")
    return Outbox.objects.create(topic=topic, payload=payload, project=project)


def read(reader: str, *topics: str, limit: int = 500) -> Iterator[Outbox]:
    """The reader's unseen events, oldest first, at most `limit` rows; topics: only these (all by default).

    The cursor moves past a row once the loop's body has come to its end: when the body raises or its process
    is killed, that row comes again at the next read (at least once, so handlers are safe twice). Rows whose
    ids were given out earlier but committed later are not skipped. Not inside a transaction of the caller,
    which would undo the cursor with it.
    """
    Cursor.objects.get_or_create(reader=reader)
    for _ in range(limit):
        cursor = Cursor.objects.get(reader=reader)
        position = cursor.position
        row = _next(cursor)
        if row is not None and (not topics or row.topic in topics):
            yield row
        Cursor.objects.filter(pk=cursor.pk, position=position).update(
            position=cursor.position, late=cursor.late, at=cursor.at
        )
        if row is None:
            return


def _next(cursor: Cursor) -> Outbox | None:
    """The next row, late ones first; moves the cursor (unsaved) past it and remembers the gap before it."""
    if cursor.late:
        row = Outbox.objects.filter(pk__in=cursor.late).order_by("pk").first()
        if row is not None:
            cursor.late = [key for key in cursor.late if key != row.pk]
            return row
    row = Outbox.objects.filter(pk__gt=cursor.position).order_by("pk").first()
    if row is None:
        if cursor.late and timezone.now() - cursor.at > SETTLE:
            cursor.late = []
        return None
    gap = range(max(cursor.position + 1, row.pk - GAPS_MAX), row.pk)
    cursor.late = [*cursor.late, *gap][-GAPS_MAX:]
    cursor.position, cursor.at = row.pk, timezone.now()
    return row
