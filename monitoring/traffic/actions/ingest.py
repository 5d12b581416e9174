"""From the spool into the database: each line once, whatever is killed in between."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import DataError, IntegrityError, transaction
from django.utils import timezone

from monitoring.traffic import spool
from monitoring.traffic.actions import guard
from monitoring.traffic.actions.deposit import Place, deposit
from monitoring.traffic.actions.insert import Fresh, insert_predictions
from monitoring.traffic.actions.names import Names
from monitoring.traffic.counts import Counts
from monitoring.traffic.models import GuardTrip, Prediction, ShadowAnswer
from monitoring.traffic.rules import MINUTE, SHADOW, SKEW, floor

log = logging.getLogger(__name__)
BATCH_ROWS = 1000


class Entry(NamedTuple):
    """A line and what it says."""

    line: bytes
    parsed: spool.Parsed


def spool_folder() -> Path:
    """Where the inference servers leave their segments."""
    return Path(settings.DATA_DIR) / "spool"


def waits_since() -> datetime | None:
    """When the oldest segment was last written to that waits to be read or completed; None where none
    waits.
    """
    written = []
    for path in (*spool_folder().glob("*.jsonl"), *spool_folder().glob("*.open")):
        with suppress(FileNotFoundError):  # read and removed, or completed, meanwhile
            written.append(path.stat().st_mtime)
    return datetime.fromtimestamp(min(written), UTC) if written else None


def ingest() -> int:
    """Take in every complete segment, oldest first. Returns how many predictions are new; 0 at once when
    another worker is at it.

    Canaries that an inference server closed on its own are stopped here for good.
    """
    with sole_reader() as mine:
        if not mine:
            return 0
        new = sum(ingest_segment(path) for path in sorted(spool_folder().glob("*.jsonl")))
        guard.stop_tripped()
        return new


@contextmanager
def sole_reader() -> Iterator[bool]:
    """Whether this process is the only one that reads the spool now. Uuids alone would keep rows single; this
    keeps the work single.
    """
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
    """One segment, in transactions of about 1,000 predictions; the file goes once all is committed. Senseless
    lines are kept aside.

    Killed anywhere in between, the next reader finds the file again and what is stored already by its uuid. A
    file that cannot be read, whose bad lines cannot be kept for want of room, or that fails in a way no one
    foresaw, stays where it is and keeps no other waiting.
    """
    new, size = 0, 0
    bad: list[bytes] = []
    batch: list[Entry] = []
    try:
        for line in spool.lines(path):
            try:
                entry = Entry(line, spool.parse(line))
            except ValueError:
                bad.append(line)
                continue
            batch.append(entry)
            size += len(entry.parsed) if isinstance(entry.parsed, list) else 1
            if size >= BATCH_ROWS:
                new += store_or_split(batch, bad)
                batch, size = [], 0
        new += store_or_split(batch, bad)
        if bad:
            set_aside(path, bad)
        path.unlink(missing_ok=True)
    except OSError as error:
        log.error("event=spool_segment_left file=%s reason=%r", path.name, error.strerror)  # noqa: TRY400  the sentence is enough
    except Exception:
        log.exception("event=spool_segment_left file=%s", path.name)
    return new


def store_or_split(batch: list[Entry], bad: list[bytes]) -> int:
    """Store a batch; where the database refuses its values, find the lines that it refuses and keep them
    aside.
    """
    if not batch:
        return 0
    try:
        return store(batch)
    except (DataError, IntegrityError):
        if len(batch) == 1:
            bad.append(batch[0].line)
            return 0
        half = len(batch) // 2
        return store_or_split(batch[:half], bad) + store_or_split(batch[half:], bad)


def set_aside(path: Path, lines: list[bytes]) -> None:
    """Keep lines that could not be taken in, for a person to look at."""
    target = spool_folder() / "bad" / path.name
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(b"".join(lines))
    os.chmod(target, 0o600)
    log.error("event=spool_lines_set_aside lines=%d file=%s", len(lines), target.name)


@transaction.atomic
def store(batch: list[Entry], now: datetime | None = None) -> int:
    """Insert what is new and count it in the same transaction. Returns how many predictions are new.

    Lines of an endpoint that does not exist (any more) are left out. A time ahead of this clock is set to
    now, so that no figure is in the future; late ones keep their time, however late.
    """
    now = now or timezone.now()
    names = Names(entry.parsed for entry in batch)
    counts: dict[Place, Counts] = {}
    new = store_predictions(
        [row for entry in batch if isinstance(entry.parsed, list) for row in entry.parsed], names, counts, now
    )
    store_shadows(
        [entry.parsed for entry in batch if isinstance(entry.parsed, spool.Shadow)], names, counts, now
    )
    store_trips([entry.parsed for entry in batch if isinstance(entry.parsed, spool.Guard)], names, now)
    if counts:
        deposit(counts, now)
    return new


def store_predictions(
    rows: list[spool.SpooledPrediction], names: Names, counts: dict[Place, Counts], now: datetime
) -> int:
    """The predictions that are new."""
    if not rows:
        return 0
    known = set(Prediction.objects.filter(uuid__in=[row.uuid for row in rows]).values_list("uuid", flat=True))
    fresh = []
    for row in {row.uuid: row for row in rows if row.uuid not in known}.values():
        endpoint = names.endpoint(row.endpoint)
        if endpoint is None:
            continue
        version, deployment = (
            names.version(row.version, row.root_digest),
            names.deployment(row.deployment, endpoint),
        )
        at = not_later(row.at, now)
        fresh.append(
            Fresh(row, endpoint, version, deployment, at, row.is_marked_demo and names.is_demo(endpoint))
        )
        more = counts_at(counts, Place(endpoint, version, row.arm, floor(at, MINUTE)))
        if row.index == 0:
            more.add_request(row.code, row.latency_ms)
        if row.label or row.confidence is not None or row.value is not None:
            more.add_answer(
                labels=row.labels,
                confidence=row.confidence,
                chars=row.chars,
                tokens=row.tokens,
                oov=row.oov,
                truncated=row.truncated,
                cpu_ms=row.cpu_ms,
                written=row.written,
                key=row.key,
            )
    insert_predictions(fresh)
    return len(fresh)


def store_shadows(
    entries: list[spool.Shadow], names: Names, counts: dict[Place, Counts], now: datetime
) -> None:
    """The shadow answers that are new. One whose deployment is not the endpoint's is left out."""
    if not entries:
        return
    known = set(
        ShadowAnswer.objects.filter(uuid__in=[each.uuid for each in entries]).values_list("uuid", flat=True)
    )
    made = []
    for each in {each.uuid: each for each in entries if each.uuid not in known}.values():
        endpoint = names.endpoint(each.endpoint)
        if endpoint is None:
            continue
        version, at = names.version(each.version, each.root_digest), not_later(each.at, now)
        made.append(
            ShadowAnswer(
                uuid=each.uuid,
                endpoint_id=endpoint,
                deployment_id=names.deployment(each.deployment, endpoint),
                version_id=version,
                prediction_uuid=each.prediction,
                at=at,
                code=each.code,
                label=each.label,
                confidence=each.confidence,
                agrees=each.agrees,
                kl=each.kl,
                latency_ms=each.latency_ms,
                primary_latency_ms=each.primary_latency_ms,
            )
        )
        more = counts_at(counts, Place(endpoint, version, SHADOW, floor(at, MINUTE)))
        more.add_request(each.code, each.latency_ms)
        if each.label:
            more.add_answer(
                labels=[each.label],
                confidence=each.confidence,
                chars=0,
                tokens=0,
                oov=None,
                truncated=False,
                cpu_ms=None,
            )
        if each.agrees is not None:
            more.add_compared(each.agrees, each.key)
    ShadowAnswer.objects.bulk_create(made, batch_size=BATCH_ROWS)


def store_trips(entries: list[spool.Guard], names: Names, now: datetime) -> None:
    """The canaries that a server closed. A deployment that is not the endpoint's is left out and logged."""
    if not entries:
        return
    known = set(
        GuardTrip.objects.filter(uuid__in=[each.uuid for each in entries]).values_list("uuid", flat=True)
    )
    for each in {each.uuid: each for each in entries if each.uuid not in known}.values():
        endpoint = names.endpoint(each.endpoint)
        deployment = names.deployment(each.deployment, endpoint) if endpoint else None
        if endpoint is None or deployment is None:
            log.error(
                "event=guard_of_unknown_deployment endpoint=%s deployment=%s", each.endpoint, each.deployment
            )
            continue
        GuardTrip.objects.create(
            uuid=each.uuid,
            endpoint_id=endpoint,
            deployment_id=deployment,
            at=not_later(each.at, now),
            failures=each.failures,
            of=each.of,
        )


def counts_at(counts: dict[Place, Counts], place: Place) -> Counts:
    """The counts of a place, made at their first use."""
    found = counts.get(place)
    if found is None:
        found = counts[place] = Counts()
    return found


def not_later(at: datetime, now: datetime) -> datetime:
    """The time, or now for a time that has not come yet."""
    if at <= now:
        return at
    if at - now > SKEW:
        log.warning("event=spool_clock_ahead seconds=%d", (at - now).total_seconds())
    return now
