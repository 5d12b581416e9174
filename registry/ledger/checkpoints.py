"""Signed checkpoints: a chain alone cannot show that its tail was cut off, a statement kept elsewhere can."""

from __future__ import annotations

import json
import os
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from lifecycle import bundle
from registry.ledger import keys
from registry.ledger.models import Chain, Checkpoint


def sign_checkpoints() -> list[Checkpoint]:
    """Sign the head of every chain that moved since its last checkpoint; write each to CHECKPOINT_DIR, then to the database."""
    made = []
    for chain in Chain.objects.exclude(seq=0).order_by("name"):
        if not Checkpoint.objects.filter(chain=chain.name, seq=chain.seq).exists():
            made.append(sign_checkpoint(chain))
    return made


def sign_checkpoint(chain: Chain) -> Checkpoint:
    """One signed statement {chain, seq, hash, at}, appended to the chain's file outside the database."""
    now = timezone.now()
    statement = {"chain": chain.name, "seq": chain.seq, "hash": chain.hash, "at": now.isoformat(timespec="seconds")}
    signed = json.loads(bundle.sign_document(statement, keys.private_key_path()))
    document = json.dumps(signed, separators=(",", ":"))  # one line in the file
    append_line(checkpoint_file(chain.name), document)
    with transaction.atomic():
        return Checkpoint.objects.create(chain=chain.name, seq=chain.seq, hash=chain.hash, at=now, document=document)


def checkpoint_file(chain: str) -> Path:
    """Where the checkpoints of a chain are kept, one signed JSON document a line."""
    return Path(settings.CHECKPOINT_DIR) / f"{chain}.jsonl"


def append_line(path: Path, line: str) -> None:
    """Append and flush to disk, so that a checkpoint that is in the database is on disk too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_checkpoints(path: Path) -> list[dict[str, object]]:
    """The statements in a file whose signature holds. Raises Refused for a line that was altered."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    public = keys.public_key_path()
    return [bundle.verify_document(line.encode("utf-8"), public) for line in lines if line.strip()]
