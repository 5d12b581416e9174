"""Taking the audit log out, and proving that it is whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet

from lifecycle.ground.jobs.actions import enqueue
from lifecycle.ground.jobs.models import Job
from lifecycle.ui.cells import inert_cell
from registry.audit import queries
from registry.ground.access import roles
from registry.ground.access.models import User
from registry.ground.access.policy import can_somewhere
from registry.ground.ledger import checkpoints
from registry.ground.ledger.actions import record
from registry.ground.ledger.models import Event
from registry.ground.ledger.rules import is_chain
from registry.ground.ledger.verbs import Verb

COLUMNS = [
    "chain",
    "seq",
    "at",
    "verb",
    "actor",
    "actor_name",
    "object_type",
    "object_id",
    "object_name",
    "project",
    "hash",
    "previous_hash",
]


def export(*, actor: User, filters: queries.Filters, form: str) -> Iterator[str]:
    """The matching events as JSON Lines (hashed bytes, hashes, signed checkpoints) or CSV, in flat memory;
    the export is itself an Event.

    form: jsonl or csv. Raises PermissionDenied when no role of the actor may export.
    """
    if not (can_somewhere(actor, "audit.export") or actor.is_organisation_admin):
        raise PermissionDenied(roles.sentence("audit.export"))
    checkpoints.sign_checkpoints()
    with transaction.atomic():
        record(
            actor,
            Verb.AUDIT_EXPORTED,
            actor,
            form=form,
            filters={k: str(v) for k, v in asdict(filters).items() if v},
        )
    events = queries.search(actor, filters)
    return as_csv(events) if form == "csv" else as_json_lines(events)


def as_json_lines(events: QuerySet[Event]) -> Iterator[str]:
    """One event a line, newest first, then one signed checkpoint a line for every chain that occurs."""
    chains: set[str] = set()
    for event in events.iterator(chunk_size=1000):
        chains.add(event.chain)
        yield json.dumps({"hash": event.hash, "canonical": event.canonical}, ensure_ascii=False) + "\n"
    for chain in filter(is_chain, sorted(chains)):
        path = checkpoints.checkpoint_file(chain)
        for text in path.read_text(encoding="utf-8").splitlines()[-1:] if path.exists() else []:
            yield json.dumps({"checkpoint": json.loads(text)}) + "\n"


def as_csv(events: QuerySet[Event]) -> Iterator[str]:
    """A table for people; cells that a spreadsheet would run as a formula are made inert."""
    yield csv_row(COLUMNS)
    batch: list[Event] = []
    for event in events.iterator(chunk_size=1000):
        batch.append(event)
        if len(batch) == 1000:
            yield from csv_rows(batch)
            batch = []
    yield from csv_rows(batch)


def csv_rows(events: list[Event]) -> Iterator[str]:
    """The rows of one batch."""
    for line in queries.lines(events):
        e = line.event
        cells = [
            e.chain,
            e.seq,
            e.at.isoformat(),
            e.verb,
            e.actor,
            line.actor,
            e.object_type,
            e.object_id,
            line.subject,
            e.project,
            e.hash,
            e.previous_hash,
        ]
        yield csv_row([inert_cell(cell) for cell in cells])


def csv_row(cells: list[str]) -> str:
    """One row of RFC 4180."""
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def start_verification(*, actor: User) -> Job:
    """Queue a walk over all chains; a second request while one waits or runs gives the same job."""
    if not (can_somewhere(actor, "audit.export") or actor.is_organisation_admin):
        raise PermissionDenied(roles.sentence("audit.export"))
    return enqueue("audit.verify", actor=actor, project=None, args={}, key="audit.verify")
