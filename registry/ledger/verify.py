"""Is the trail whole? Walks the chains in flat memory and names the first event that does not fit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from registry.ledger import rules
from registry.ledger.models import Chain, Event

COLUMNS = ("seq", "verb", "actor", "object_type", "object_id")


@dataclass(frozen=True)
class Fault:
    """The first place where a chain does not hold. seq is the event's number; detail is a sentence."""

    chain: str
    seq: int
    detail: str


def verify_all(checkpoints: Iterable[dict[str, Any]] = ()) -> Iterator[tuple[str, int, Fault | None]]:
    """For each chain: its name, how many events were checked, and the first fault or None."""
    known = list(checkpoints)
    names = set(Chain.objects.values_list("name", flat=True)) | {str(c["chain"]) for c in known}
    names |= set(Event.objects.order_by().values_list("chain", flat=True).distinct())
    for name in sorted(names):
        count, fault = verify_chain(name, [c for c in known if c["chain"] == name])
        yield name, count, fault


def verify_chain(name: str, checkpoints: list[dict[str, Any]]) -> tuple[int, Fault | None]:
    """Recompute every hash of one chain from its stored bytes and compare with columns, order, head and signed checkpoints."""
    expected = {int(c["seq"]): str(c["hash"]) for c in checkpoints}
    previous, seq = rules.GENESIS, 0
    for event in Event.objects.filter(chain=name).order_by("seq").iterator(chunk_size=1000):
        if fault := event_fault(event, previous, seq + 1, expected):
            return seq, fault
        previous, seq = event.hash, event.seq
    head = Chain.objects.filter(name=name).first()
    if head is None or (head.seq, head.hash) != (seq, previous):
        at = head.seq if head else 0
        return seq, Fault(name, seq + 1, f"The head of the chain says event {at}, the last event found is {seq}.")
    if beyond := [s for s in expected if s > seq]:
        return seq, Fault(
            name, seq + 1, f"A signed checkpoint knows event {max(beyond)}, but the chain ends at {seq}: its tail was cut off."
        )
    return seq, None


def event_fault(event: Event, previous: str, seq: int, expected: dict[int, str]) -> Fault | None:
    """What is wrong with one event, given the hash before it and the seq that is due; None when it fits."""
    if event.seq != seq:
        return Fault(event.chain, seq, f"Event {seq} is missing; the next one found is {event.seq}.")
    if rules.event_hash(event.canonical) != event.hash:
        return Fault(event.chain, seq, "The stored bytes do not give the stored hash: the event was altered.")
    document = json.loads(event.canonical)
    if document["previous"] != previous or event.previous_hash != previous:
        return Fault(event.chain, seq, "It does not follow from the event before it.")
    stated = {column: document[column] for column in COLUMNS} | {"chain": document["chain"], "project": document["project"]}
    columns = {column: getattr(event, column) for column in COLUMNS}
    columns |= {"chain": event.chain, "project": str(event.project) if event.project else None}
    if stated != columns or document["at"] != event.at.isoformat(timespec="microseconds"):
        return Fault(event.chain, seq, "Its searchable columns differ from its hashed bytes.")
    if seq in expected and expected[seq] != event.hash:
        return Fault(event.chain, seq, "A signed checkpoint has another hash for it: the chain was replaced.")
    return None
