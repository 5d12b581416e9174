"""Is the trail whole? Walks checkpoints, chains, names and what the rooms keep, in flat memory, and yields what does not hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from django.db.models import Min
from django.utils import timezone

from registry.ledger import accounts, checkpoints, rules, statements
from registry.ledger.faults import Fault, Part, Rule
from registry.ledger.models import Chain, Event, Name

COLUMNS = ("chain", "seq", "verb", "actor", "object_type", "object_id")
NAMES_AT_ONCE = 1000


def verify_all(kept: Iterable[Path] = ()) -> Iterator[Fault | Part]:
    """Every fault, and after those of each part the part itself. kept: files of checkpoints that somebody kept elsewhere.

    The product may go on meanwhile. Raises Refused where the signing key is gone.
    """
    signed: statements.Signed = {}
    yield from statements.check(signed, kept)
    names = {*signed, *Chain.objects.values_list("name", flat=True), *Event.objects.order_by().values_list("chain", flat=True).distinct()}
    late = {chain.name: chain for chain in checkpoints.late(timezone.now())}
    for name in sorted(names):
        count, fault = check_chain(name, signed.get(name, {}))
        found = [fault] if fault else []
        if name in late:
            where = f"chain {name}, event {late[name].signed + 1}"
            detail = f"It was recorded at {late[name].since:%Y-%m-%d %H:%M} UTC, and no checkpoint was signed since."
            found.append(Fault(Rule.TAIL_UNSIGNED, where, detail))
        yield from found
        yield Part(name, count, "events", len(found))
    yield from check_names()
    for account in accounts.registered():
        yield from accounts.check(account)


def check_chain(name: str, signed: dict[int, str]) -> tuple[int, Fault | None]:
    """How many events of a chain hold, and the first that does not: its hash, columns and order, the chain's head, the signed hashes.

    signed: seq → hash.
    """
    previous, seq, form = rules.GENESIS, 0, 0
    while True:  # what is recorded meanwhile is walked too
        for event in Event.objects.filter(chain=name, seq__gt=seq).order_by("seq").iterator(chunk_size=1000):
            document = hashed(event)
            if fault := event_fault(event, document, previous, seq + 1, signed.get(seq + 1), form):
                return seq, fault
            previous, seq, form = event.hash, event.seq, rules.form_of(document)
        head = Chain.objects.filter(name=name).first()
        if head is None or head.seq <= seq or not Event.objects.filter(chain=name, seq__gt=seq).exists():
            break
    where = f"chain {name}, event {seq + 1}"
    if head is None or (head.seq, head.hash) != (seq, previous):
        at = head.seq if head else 0
        return seq, Fault(Rule.HEAD_DIFFERS, where, f"The head of the chain says event {at}, the last event found is {seq}.")
    if (beyond := max(signed, default=0)) > seq:
        return seq, Fault(Rule.TAIL_CUT, where, f"A signed checkpoint knows event {beyond}, but the chain ends at {seq}.")
    return seq, None


def hashed(event: Event) -> dict[str, Any]:
    """What an event says; nothing where its bytes do not give its hash."""
    found: dict[str, Any] = json.loads(event.canonical) if rules.event_hash(event.canonical) == event.hash else {}
    return found


def event_fault(event: Event, document: dict[str, Any], previous: str, seq: int, signed: str | None, form: int) -> Fault | None:
    """What is wrong with one event, given what it says, the hash before it, the seq that is due, the hash that was signed and the form of
    the event before it; None when it fits."""
    where = f"chain {event.chain}, event {seq}"
    if event.seq != seq:
        return Fault(Rule.EVENT_MISSING, where, f"The next one found is {event.seq}.")
    if not document:
        return Fault(Rule.EVENT_ALTERED, where, "The stored bytes do not give the stored hash.")
    if document["previous"] != previous or event.previous_hash != previous:
        return Fault(Rule.EVENT_OUT_OF_ORDER, where, "It does not follow from the event before it.")
    if rules.form_of(document) < form:
        return Fault(Rule.EVENT_OF_OLD_FORM, where, f"It has form {rules.form_of(document)} and follows one of form {form}.")
    stated = [*(document[column] for column in COLUMNS), document["project"], document["at"]]
    project, at = str(event.project) if event.project else None, event.at.isoformat(timespec="microseconds")
    if stated != [*(getattr(event, column) for column in COLUMNS), project, at]:
        return Fault(Rule.COLUMNS_DIFFER, where, "Its searchable columns differ from its hashed bytes.")
    if signed not in (None, event.hash):
        return Fault(Rule.CHAIN_REPLACED, where, "A signed checkpoint has another hash for it.")
    return None


def check_names() -> Iterator[Fault | Part]:
    """Every name against the event that was hashed with it. A name that was erased is not there, and no fault."""
    count = faults = 0
    rows = Name.objects.select_related("event").order_by("pk").iterator(chunk_size=NAMES_AT_ONCE)
    while names := list(islice(rows, NAMES_AT_ONCE)):
        count += len(names)
        old = from_before({name.subject for name in names if name.event is None and not name.salt})
        for name in names:
            if not (name.is_bound_by(name.event) if name.event else not name.salt and name.subject in old):
                faults += 1
                yield Fault(Rule.NAME_ALTERED, f"name {name.pk} of {name.subject}", "No event was hashed with it.")
    yield Part("names", count, "names", faults)


def from_before(subjects: set[str]) -> set[str]:
    """Those that occur first in an event from before events were hashed with names: nothing can be said of their names. Three statements,
    however many there are."""
    first: dict[str, int] = {}
    for column in ("actor", "object_id"):
        rows = Event.objects.filter(**{f"{column}__in": subjects}).order_by().values_list(column).annotate(first=Min("pk"))
        for subject, pk in rows:
            first[subject] = min(pk, first.get(subject, pk))
    documents = dict(Event.objects.filter(pk__in=set(first.values())).values_list("pk", "canonical"))
    return {subject for subject, pk in first.items() if "form" not in json.loads(documents[pk])}
