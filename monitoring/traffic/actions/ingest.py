"""From the spool into the database: each line once, whatever is killed in between."""

from __future__ import annotations

import fcntl
import logging
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from monitoring.traffic import histogram, spool
from monitoring.traffic.models import MinuteRollup, Prediction
from registry.catalog.models import Endpoint, ModelVersion

log = logging.getLogger(__name__)
BATCH_ROWS = 1000


def spool_folder() -> Path:
    """Where the inference servers leave their segments."""
    return Path(settings.DATA_DIR) / "spool"


def ingest() -> int:
    """Take in every complete segment, oldest first. Returns how many predictions are new; 0 at once when another worker is at it."""
    with sole_reader() as mine:
        if not mine:
            return 0
        return sum(ingest_segment(path) for path in sorted(spool_folder().glob("*.jsonl")))


@contextmanager
def sole_reader() -> Iterator[bool]:
    """Whether this process is the only one that reads the spool now. Uuids alone would keep rows single; this keeps the work single."""
    folder = spool_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".reader").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def ingest_segment(path: Path) -> int:
    """One segment, in transactions of about 1,000 predictions; the file goes once all is committed. Senseless lines are kept aside.

    Killed anywhere in between, the next reader finds the file again and what is stored already by its uuid.
    """
    new = 0
    bad: list[bytes] = []
    rows: list[spool.Row] = []
    for line in spool.lines(path):
        try:
            rows += spool.parse(line)
        except ValueError:
            bad.append(line)
        if len(rows) >= BATCH_ROWS:
            new += store(rows)
            rows = []
    new += store(rows) if rows else 0
    if bad:
        set_aside(path, bad)
    path.unlink(missing_ok=True)
    return new


def set_aside(path: Path, lines: list[bytes]) -> None:
    """Keep lines that could not be taken in, for a person to look at."""
    target = spool_folder() / "bad" / path.name
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(b"".join(lines))
    os.chmod(target, 0o600)
    log.error("event=spool_lines_set_aside lines=%d file=%s", len(lines), target.name)


@transaction.atomic
def store(rows: list[spool.Row]) -> int:
    """Insert what is new and count it in the same transaction. Rows of an endpoint that does not exist (any more) are left out."""
    endpoints = {e.slug: e for e in Endpoint.objects.filter(slug__in={row.endpoint for row in rows})}
    versions = {str(v.uuid): v for v in ModelVersion.objects.filter(uuid__in={row.version for row in rows if row.version})}
    known = set(Prediction.objects.filter(uuid__in=[row.uuid for row in rows]).values_list("uuid", flat=True))
    fresh = list({row.uuid: row for row in rows if row.uuid not in known and row.endpoint in endpoints}.values())
    predictions = [prediction(row, endpoints[row.endpoint], versions.get(row.version or "")) for row in fresh]
    Prediction.objects.bulk_create(predictions, batch_size=BATCH_ROWS)
    roll_up(predictions, first={row.uuid for row in fresh if row.index == 0})
    return len(predictions)


def prediction(row: spool.Row, endpoint: Endpoint, version: ModelVersion | None) -> Prediction:
    """The row of the table for one text. A version whose digest is not what was served is not named."""
    served = version if version and version.root_digest == row.root_digest else None
    return Prediction(
        uuid=row.uuid, request_id=row.request_id, endpoint=endpoint, version=served, arm=row.arm, at=row.at, code=row.code,
        latency_ms=row.latency_ms, text=row.text, text_digest=row.text_digest, chars=row.chars, tokens=row.tokens, label=row.label,
        confidence=row.confidence, scores=row.scores, epoch=row.epoch, is_demo=row.is_demo,
    )  # fmt: skip


def roll_up(predictions: list[Prediction], first: set[object]) -> None:
    """Add new predictions to their minutes. first: those that stand for their request, so that a request of many texts counts once."""
    groups: dict[tuple[int, int | None, datetime], list[Prediction]] = defaultdict(list)
    for row in predictions:
        groups[row.endpoint_id, row.version_id, row.at.replace(second=0, microsecond=0)].append(row)
    for (endpoint, version, minute), members in sorted(groups.items(), key=lambda group: (group[0][0], group[0][1] or 0, group[0][2])):
        rollup, _ = MinuteRollup.objects.select_for_update().get_or_create(endpoint_id=endpoint, version_id=version, minute=minute)
        requests = [row for row in members if row.uuid in first]
        answered = [row.latency_ms for row in requests if row.code == 200]
        rollup.requests += len(requests)
        rollup.errors += len(requests) - len(answered)
        rollup.latency = histogram.add(rollup.latency, answered)
        for row in members:
            if row.label:
                rollup.labels[row.label] = rollup.labels.get(row.label, 0) + 1
        rollup.save()
