"""Signed checkpoints: a chain alone cannot show that its tail was cut off, a statement kept elsewhere can.

Each checkpoint is a row of the database and a line of a file outside it, and both are there or neither: a
marker on disk, made before the row and removed after the line, shows which checkpoint was under way when a
process died. The next signing ends what it began.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from lifecycle.runtime import bundle
from registry.ground.ledger import keys, rules
from registry.ground.ledger.models import Chain, Checkpoint, Event

INTERVAL = timedelta(minutes=5)  # how often the heads are signed
LATE = 2 * INTERVAL  # an event waits for the next turn, and the turn for what its worker has in hand


def sign_checkpoints() -> list[Checkpoint]:
    """Sign the head of every chain that moved since its last checkpoint, if it is an event: a head that was
    made up is left to verification. Raises RuntimeError inside a transaction, which could take rows back
    whose lines are written.
    """
    with one_signer():
        finish()
        head = Event.objects.filter(chain=OuterRef("name"), seq=OuterRef("seq"), hash=OuterRef("hash"))
        return [
            sign_checkpoint(chain) for chain in unsigned().filter(Exists(head)) if rules.is_chain(chain.name)
        ]


def unsigned() -> QuerySet[Any, Any]:
    """The chains with events that no checkpoint covers. signed: the seq that the last one covers, or 0."""
    last = Checkpoint.objects.filter(chain=OuterRef("name")).order_by("-seq").values("seq")[:1]
    return (
        Chain.objects.annotate(signed=Coalesce(Subquery(last), Value(0)))
        .filter(seq__gt=F("signed"))
        .order_by("name")
    )


def late(now: datetime) -> QuerySet[Any, Any]:
    """Those of the unsigned chains that should have been signed by now. since: when the first event that
    isn't was recorded.
    """
    after = Event.objects.filter(chain=OuterRef("name"), seq=OuterRef("signed") + 1).values("at")[:1]
    return unsigned().annotate(since=Subquery(after)).filter(since__lt=now - LATE)


def sign_checkpoint(chain: Chain) -> Checkpoint:
    """One signed statement {chain, seq, hash, at}: a row, and a line in the chain's file."""
    now = timezone.now()
    statement = {
        "chain": chain.name,
        "seq": chain.seq,
        "hash": chain.hash,
        "at": now.isoformat(timespec="seconds"),
    }
    signed = json.loads(bundle.sign_document(statement, keys.private_key_path()))
    document = json.dumps(signed, separators=(",", ":"))  # one line in the file
    made = Checkpoint(
        uuid=uuid4(), chain=chain.name, seq=chain.seq, hash=chain.hash, at=now, document=document
    )
    marker(made.uuid).touch()
    flush(folder())
    with transaction.atomic(durable=True):
        made.save(force_insert=True)
    append(made, document)
    return made


def finish() -> None:
    """End what a process began and died in: a marked checkpoint without its row was never made, one with its
    row gets its line, if a chain can have its name.
    """
    for path in folder().glob("????????-????-????-????-????????????.pending"):
        row = Checkpoint.objects.filter(uuid=path.stem).only("uuid", "chain", "document").first()
        if row is None or not rules.is_chain(row.chain):
            path.unlink()
            continue
        file = checkpoint_file(row.chain)
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        torn = text.rpartition("\n")[2]
        append(row, "" if text.endswith(row.document + "\n") else row.document.removeprefix(torn))


def append(row: Checkpoint, text: str) -> None:
    """Write what the chain's file lacks of a checkpoint, flush it to disk, and take the marker away."""
    if text:
        with checkpoint_file(row.chain).open("a", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        flush(folder())
    marker(row.uuid).unlink()


def folder() -> Path:
    """Where the checkpoints are kept outside the database."""
    return Path(settings.CHECKPOINT_DIR)


def checkpoint_file(chain: str) -> Path:
    """Where the checkpoints of a chain are kept, one signed JSON document a line. Raises ValueError for a
    name that no chain has.
    """
    return folder() / f"{chain if chain == rules.INSTALLATION else UUID(chain)}.jsonl"


def marker(uuid: UUID) -> Path:
    """The marker file of a checkpoint that is being made."""
    return folder() / f"{uuid}.pending"


def flush(path: Path) -> None:
    """Have the names in a folder on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def one_signer() -> Iterator[None]:
    """One process signs at a time."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
