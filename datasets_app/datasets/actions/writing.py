"""Writing many items at once: COPY on PostgreSQL, one prepared statement on SQLite. Triggers and constraints
hold as for any insert.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, NamedTuple

from django.db import connection

from datasets_app.datasets import rules
from datasets_app.datasets.importing.mapping import Draft
from datasets_app.datasets.models import Item, Upload

COLUMNS = (
    "dataset_id",
    "upload_id",
    "uuid",
    "member",
    "line",
    "text",
    "digest",
    "normal_digest",
    "external_id",
    "group",
    "event_time",
    "split",
    "metadata",
    "content",
)
TARGET = "datasets_item ({})".format(", ".join(f'"{column}"' for column in COLUMNS))
PLACES = f"({', '.join(['%s'] * len(COLUMNS))})"
AT_ONCE = 250  # rows of one statement on SQLite, which releases the GIL while it runs
CACHE_KIB = 64_000  # of SQLite's indexes, kept in memory during an import


class Prepared(NamedTuple):
    """A valid row with its digests, computed before any database query."""

    draft: Draft
    digest: str
    normal_digest: str


def prepare(draft: Draft) -> Prepared:
    """The digests of one draft."""
    return Prepared(draft, rules.content_digest(draft.text, draft.content), rules.normal_digest(draft.text))


def insert_items(upload: Upload, rows: Sequence[Prepared]) -> None:
    """Insert new items of an upload, in the caller's transaction."""
    owner = (upload.dataset_id, upload.pk)
    cells = [(*owner, uuid, *values(row)) for uuid, row in zip(ordered_uuids(len(rows)), rows, strict=True)]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and rows:
            with connection.wrap_database_errors, cursor.copy(f"COPY {TARGET} FROM STDIN") as copy:
                for each in cells:
                    copy.write_row(each)
        else:
            for at in range(0, len(cells), AT_ONCE):
                some = cells[at : at + AT_ONCE]
                cursor.execute(
                    f"INSERT INTO {TARGET} VALUES {', '.join([PLACES] * len(some))}",  # noqa: S608
                    list(chain.from_iterable(some)),
                )


def values(row: Prepared) -> tuple[Any, ...]:
    """A row in the order of COLUMNS, from the member on, as the database stores it."""
    draft, digest, normal_digest = row
    line, text, _, external_id, group, moment, split, metadata, member, content, *_ = draft
    at = connection.ops.adapt_datetimefield_value(moment) if moment else None
    more = json.dumps(content) if content else None
    return member, line, text, digest, normal_digest, external_id, group, at, split, flat_json(metadata), more


def flat_json(metadata: dict[str, str]) -> str:
    """An object of texts as json.dumps writes it."""
    return "{" + ", ".join([f"{quoted(key)}: {quoted(value)}" for key, value in metadata.items()]) + "}"


def ordered_uuids(count: int) -> list[str]:
    """Random uuids that begin with the time (version 7 of RFC 9562), in hex: rows written together are
    adjacent in their index.
    """
    head, chance = f"{time.time_ns() // 1_000_000:012x}7", os.urandom(9 * count).hex()
    return [f"{head}{chance[at : at + 3]}8{chance[at + 3 : at + 18]}" for at in range(0, 18 * count, 18)]


def keys_of(upload: Upload, digests: Sequence[str]) -> dict[str, int]:
    """The keys of items of the upload that were just written, by digest."""
    rows = Item.objects.filter(upload=upload).order_by("-id").values_list("digest", "pk")
    return dict(rows[: len(digests)])


@contextmanager
def room_for_indexes() -> Iterator[None]:
    """Enlarge SQLite's page cache while many rows are inserted into indexes in random order."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA cache_size")
        (before,) = cursor.fetchone()
        cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA cache_size = {before}")
