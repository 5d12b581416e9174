"""What was signed about the chains: rows of the database and lines outside it, of which no two may disagree
and none may lack the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from lifecycle.runtime import bundle
from lifecycle.runtime.refusals import Refused
from registry.ground.ledger import checkpoints, keys, reading, rules
from registry.ground.ledger.faults import Fault, Part, Rule, counted
from registry.ground.ledger.models import Checkpoint


class Signature(NamedTuple):
    """What the key signed of one event: its hash, and when it was signed."""

    hash: str
    at: datetime


# chain → seq → signature; all in memory, some 250 bytes a checkpoint
Signed = dict[str, dict[int, Signature]]


class Statement(NamedTuple):
    """The content of one checkpoint. at: as it was signed."""

    chain: str
    seq: int
    hash: str
    at: str


def check(signed: Signed, kept: Iterable[Path] = ()) -> Iterator[Fault | Part]:
    """Fill `signed` with every statement whose signature holds, and yield what is wrong with one or between
    two.

    kept: files that someone kept elsewhere, read beside those of CHECKPOINT_DIR. Raises Refused where the
    signing key is gone.
    """
    faults, rows = 0, set[tuple[str, int]]()
    for fault in faults_in(signed, rows, list(kept)):
        faults += 1
        yield fault
    yield Part("checkpoints", len(rows), "signed statements", faults)


def faults_in(signed: Signed, rows: set[tuple[str, int]], kept: list[Path]) -> Iterator[Fault]:
    """The rows, then the files, then what the files lack. rows: filled with the chain and seq of each."""
    written = set[tuple[str, int]]()
    yield from check_rows(signed, rows)
    missing = rows - under_way()  # before the files are read: what is not under way any more is in its file
    for path in sorted(checkpoints.folder().glob("*.jsonl")):
        yield from check_file(path, signed, rows, written)
    for path in kept:
        yield from check_file(path, signed, rows, set())
    yield from check_written(missing - written)


def check_rows(signed: Signed, rows: set[tuple[str, int]]) -> Iterator[Fault]:
    """The rows against what is signed in them. rows: filled with the chain and seq of each."""
    public = keys.public_key_path()
    for found, unread in reading.batches(Checkpoint.objects.all(), "checkpoints", 1000):
        yield from unread
        for row in found:
            rows.add((row.chain, row.seq))
            yield from check_row(row, statement(row.document, public), signed)


def check_row(row: Checkpoint, stated: Statement | None, signed: Signed) -> Iterator[Fault]:
    """One row against what is signed in it."""
    where = f"checkpoint {row.uuid}"
    if stated is None:
        yield Fault(Rule.CHECKPOINT_UNREADABLE, where, "The row's signature is invalid.")
        return
    # which SQLite gives none of for a text that is no date
    at = row.at.isoformat(timespec="seconds") if row.at else ""
    if stated != (row.chain, row.seq, row.hash, at):
        yield Fault(Rule.CHECKPOINT_ALTERED, where, "The row's columns differ from its signed content.")
    yield from add(signed, stated, where)


def check_file(
    path: Path, signed: Signed, rows: set[tuple[str, int]], written: set[tuple[str, int]]
) -> Iterator[Fault]:
    """The lines of a file against all statements before. written: filled with the chain and seq of each."""
    public = keys.public_key_path()
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            stated = statement(line, public)
            if stated is None:
                yield Fault(Rule.CHECKPOINT_UNREADABLE, where, "The line's signature is invalid.")
                continue
            written.add((stated.chain, stated.seq))
            yield from add(signed, stated, where)
            if (stated.chain, stated.seq) not in rows and not Checkpoint.objects.filter(
                chain=stated.chain, seq=stated.seq
            ).exists():
                detail = (
                    f"The checkpoint of chain {stated.chain} at event {stated.seq} is signed here, but its"
                    " row is missing."
                )
                yield Fault(Rule.CHECKPOINT_NOT_IN_DATABASE, where, detail)


def check_written(missing: set[tuple[str, int]]) -> Iterator[Fault]:
    """One fault for each chain whose file lacks checkpoints that have a row."""
    by_chain: dict[str, list[int]] = defaultdict(list)
    for chain, seq in missing:
        by_chain[chain].append(seq)
    for chain, seqs in sorted(by_chain.items()):
        if not rules.is_chain(chain):
            yield Fault(
                Rule.CHECKPOINT_NOT_ON_DISK,
                f"chain {chain}",
                "No chain has this name, and its rows' checkpoints are in no file.",
            )
            continue
        path = checkpoints.checkpoint_file(chain)
        what = "The file lacks" if path.exists() else "The file is missing, with it"
        detail = (
            f"{what} {counted(len(seqs), 'checkpoint')} with a row in the database, the first at event"
            f" {min(seqs)}."
        )
        yield Fault(Rule.CHECKPOINT_NOT_ON_DISK, str(path), detail)


def under_way() -> set[tuple[str, int]]:
    """The newest checkpoint, while it has a marker: its line may not be written yet."""
    newest = Checkpoint.objects.order_by("-pk").only("uuid", "chain", "seq").first()
    return {(newest.chain, newest.seq)} if newest and checkpoints.marker(newest.uuid).exists() else set()


def add(signed: Signed, stated: Statement, where: str) -> Iterator[Fault]:
    """Take a statement in; a fault where another one knows the event by another hash."""
    signature = Signature(stated.hash, datetime.fromisoformat(stated.at))
    if signed.setdefault(stated.chain, {}).setdefault(stated.seq, signature).hash != stated.hash:
        detail = (
            f"It has a different hash for event {stated.seq} of chain {stated.chain} than an earlier"
            " checkpoint."
        )
        yield Fault(Rule.CHECKPOINTS_CONTRADICT, where, detail)


def statement(document: str, public: Path) -> Statement | None:
    """The content of a signed document; None for one that was altered, or is of another kind."""
    try:
        fields = bundle.verify_document(document.encode("utf-8"), public)
        found = Statement(fields["chain"], fields["seq"], fields["hash"], fields["at"])
        datetime.fromisoformat(found.at)
    except (Refused, *rules.UNREADABLE):
        return None
    return found if [type(each) for each in found] == [str, int, str, str] else None
