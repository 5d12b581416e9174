"""The audit log, verified on this machine from an export: every hash, the order, and the signed
checkpoints.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lifecycle.runtime import bundle
from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.words import things

GENESIS = "0" * 64
NOT_OURS = (
    "Not an audit-log export. Make one with `lifecycle audit verify --save FILE`, or on the audit log's page"
    " as JSON Lines."
)


@dataclass
class Link:
    """The state of one chain while it is read from its newest event to its oldest.

    newest: seq of the newest event that is known to exist. wanted: hash that the next older event must have.
    """

    newest: int
    oldest: int
    wanted: str
    events: int = 0
    gaps: int = 0
    fault: str = ""
    met: set[int] = field(default_factory=set)  # seq of the checkpoints whose event was there with its hash


Statements = dict[str, dict[int, str]]  # chain → seq → hash, each signed


def verify(
    session: Session, key: Path | None, file: Path | None, save: Path | None, kept_at: Path | None
) -> int | None:
    """The audit log of a file, or of an export made now. kept_at: checkpoints of earlier calls. Returns 1
    when it is invalid.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = file or save or Path(folder) / "trail.jsonl"
        if not file:
            with path.open("wb") as target:
                session.api.download("POST", "/audit/export/", target, project=find.project(session))
        documents = list(checkpoints(path))
        kept = kept_at.read_text(encoding="utf-8").splitlines() if kept_at and kept_at.exists() else []
        signed = statements([*kept, *documents], key) if key else {}
        links = walk(path, signed)
    if key:
        conclude(links, signed)
    holds = not any(link.fault for link in links.values())
    if holds and key and kept_at:
        keep(kept_at, kept, documents)
    value = {
        "holds": holds,
        "signatures_checked": bool(key),
        "chains": {name: as_json(link) for name, link in sorted(links.items())},
    }
    session.screen.show(value, *lines(links, bool(key)))
    return None if holds else 1


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of an export. Raises Refused for other files."""
    try:
        with path.open(encoding="utf-8") as file:
            for text in file:
                found = json.loads(text)
                if not isinstance(found, dict) or not (
                    {"hash", "canonical"} <= found.keys() or "checkpoint" in found
                ):
                    raise ValueError
                yield found
    except OSError as error:
        raise Usage(f"{path} can't be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise Refused(
            f"{path} has a line that is neither an event nor a checkpoint.", next_step=NOT_OURS
        ) from error


def checkpoints(path: Path) -> Iterator[str]:
    """The signed documents of an export, each as one line."""
    for row in rows(path):
        if "checkpoint" in row:
            yield json.dumps(row["checkpoint"], separators=(",", ":"))


def statements(documents: Iterable[str], key: Path) -> Statements:
    """The hashes in signed documents, verified with a key that doesn't come from the server. Raises
    Refused.
    """
    found: Statements = {}
    for document in documents:
        if not document.strip():
            continue
        statement = bundle.verify_document(document.encode(), key)
        chain, seq, digest = str(statement.get("chain")), statement.get("seq"), str(statement.get("hash"))
        if not isinstance(seq, int):
            raise Refused("A signed document isn't a checkpoint of an audit log.", next_step=NOT_OURS)
        if found.setdefault(chain, {}).setdefault(seq, digest) != digest:
            raise Refused(
                f"Two signed checkpoints have different hashes for event {seq} of chain {chain}: the log was"
                " replaced."
            )
    return found


def walk(path: Path, signed: Statements) -> dict[str, Link]:
    """Verify every event of an export, newest first, in constant memory."""
    links: dict[str, Link] = {}
    for row in rows(path):
        if "checkpoint" in row:
            continue
        digest, canonical = str(row["hash"]), str(row["canonical"])
        try:
            event = json.loads(canonical)
            chain, seq, previous = str(event["chain"]), int(event["seq"]), str(event["previous"])
            computed = hashlib.sha256(canonical.encode()).hexdigest()
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise Refused("An event of the export can't be read.", next_step=NOT_OURS) from error
        link = links.setdefault(chain, Link(newest=seq, oldest=seq + 1, wanted=digest))
        if not link.fault:
            step(link, signed.get(chain, {}), seq, digest, previous, computed)
    return links


def step(link: Link, signed: dict[int, str], seq: int, digest: str, previous: str, computed: str) -> None:
    """Verify one event, the next older one of its chain. computed: the hash of its bytes."""
    if computed != digest:
        link.fault = f"event {seq}: its bytes don't match its hash. It was altered."
    elif seq >= link.oldest:
        link.fault = f"event {seq} comes after event {link.oldest}: the order was changed."
    elif seq == link.oldest - 1 and digest != link.wanted:
        link.fault = f"event {seq + 1} doesn't follow event {seq}."
    elif signed.get(seq, digest) != digest:
        link.fault = f"event {seq}: a signed checkpoint has another hash for it. The chain was replaced."
    elif seq == 1 and previous != GENESIS:
        link.fault = "event 1 follows an earlier event, which is missing."
    link.gaps += seq != link.oldest - 1
    link.events, link.oldest, link.wanted = link.events + 1, seq, previous
    if seq in signed:
        link.met.add(seq)


def conclude(links: dict[str, Link], signed: Statements) -> None:
    """Find faults that show only at the end: a truncated tail, and a chain without a signed checkpoint."""
    for name, known in signed.items():
        link = links.get(name)
        if link is None or link.fault or max(known) <= link.newest:
            continue
        if is_whole(link):
            link.fault = (
                f"a signed checkpoint names event {max(known)}, but the export ends at {link.newest}. Its end"
                " is missing."
            )
        link.newest = max(known)
    for name, link in links.items():
        if name not in signed and not link.fault:
            link.fault = "no signed checkpoint names it."


def keep(path: Path, kept: list[str], documents: list[str]) -> None:
    """Append new checkpoints to the saved ones."""
    known = set(kept)
    fresh = [document for document in dict.fromkeys(documents) if document not in known]
    with path.open("a", encoding="utf-8") as file:
        file.writelines(document + "\n" for document in fresh)


def is_whole(link: Link) -> bool:
    """Whether every event from the first on is there."""
    return link.oldest == 1 and not link.gaps


def as_json(link: Link) -> dict[str, Any]:
    """For scripts. state: whole, in parts (you may not see all events; those you see are valid) or broken."""
    state = "broken" if link.fault else "whole" if is_whole(link) else "in parts"
    return {
        "state": state,
        "events": link.events,
        "newest": link.newest,
        "checkpoints_met": sorted(link.met),
        "fault": link.fault,
    }


def lines(links: dict[str, Link], checked: bool) -> list[str]:
    """For people: a line a chain, and what wasn't checked."""
    found = []
    for name, link in sorted(links.items()):
        if link.fault:
            found.append(f"{name}: broken, {link.fault}")
        elif is_whole(link):
            found.append(f"{name}: {things(link.events, 'event')}, whole" + signed_until(link))
        else:
            found.append(
                f"{name}: {link.events:,} of {things(link.newest, 'event')} are in this export, and those are"
                " valid" + signed_until(link)
            )
    if not links:
        found.append("The export has no events.")
    if not checked:
        found.append("Signatures aren't checked: give the installation's public key with --key.")
    return found


def signed_until(link: Link) -> str:
    """How far the signatures reach."""
    return f"; signed up to event {max(link.met)}" if link.met else ""
