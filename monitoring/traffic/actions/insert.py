"""Writing many predictions at once, by the quickest road of each database: COPY on PostgreSQL, one prepared
statement on SQLite.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from monitoring.traffic.models import Prediction
from monitoring.traffic.spool import SpooledPrediction

COLUMNS = (
    "uuid", "request_id", "endpoint_id", "version_id", "deployment_id", "arm", "key", "at", "code",
    "latency_ms", "cpu_ms", "text", "content", "text_digest", "chars", "tokens", "oov", "truncated", "label",
    "confidence", "scores", "value", "epoch", "pinned", "is_demo",
)  # fmt: skip


class Fresh(NamedTuple):
    """A prediction to be written: what the line says, and what of it is known here. at: never in the future.

    is_demo: made by the demo's own generator, for an endpoint of a demo.
    """

    row: SpooledPrediction
    endpoint: int
    version: int | None
    deployment: int | None
    at: datetime
    is_demo: bool


def insert_predictions(fresh: Sequence[Fresh]) -> None:
    """In the caller's transaction. Raises Django's DataError or IntegrityError as every other insert does."""
    if not fresh:
        return
    table, columns = Prediction._meta.db_table, ", ".join(f'"{name}"' for name in COLUMNS)
    on_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        if on_postgresql:
            with (
                connection.wrap_database_errors,
                cursor.cursor.copy(f'COPY "{table}" ({columns}) FROM STDIN') as copy,
            ):
                for each in fresh:
                    copy.write_row(values(each, each.row.uuid, each.at))
            return
        places = ", ".join(["%s"] * len(COLUMNS))
        moment = connection.ops.adapt_datetimefield_value
        rows = [values(each, each.row.uuid.hex, moment(each.at)) for each in fresh]
        cursor.executemany(f'INSERT INTO "{table}" ({columns}) VALUES ({places})', rows)  # noqa: S608  names of our own columns


def values(each: Fresh, uuid: object, at: object) -> tuple[Any, ...]:
    """One row in the order of COLUMNS; uuid and at in the form that the database takes."""
    row = each.row
    return (
        uuid,
        row.request_id,
        each.endpoint,
        each.version,
        each.deployment,
        row.arm,
        row.key,
        at,
        row.code,
        row.latency_ms,
        row.cpu_ms,
        row.text,
        None if row.content is None else json.dumps(row.content),
        row.text_digest,
        row.chars,
        row.tokens,
        row.oov,
        row.truncated,
        row.label,
        row.confidence,
        json.dumps(row.scores),
        None if row.value is None else json.dumps(row.value),
        row.epoch,
        row.pinned,
        each.is_demo,
    )
