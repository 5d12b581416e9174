"""Is the audit log whole? Walks checkpoints, chains, names and what the rooms keep, in flat memory, and
yields what does not hold.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from registry.ground.ledger import accounts, checkpoints, reading, rules, statements
from registry.ground.ledger.faults import Fault, Part, Rule
from registry.ground.ledger.models import Chain, Event, Name
from registry.ground.ledger.statements import Signature
from registry.ground.ledger.verbs import Verb

COLUMNS = ("chain", "seq", "verb", "actor", "object_type", "object_id")
NAMES_AT_ONCE = 1000
EPOCH = datetime.fromtimestamp(0, UTC)
# by which clocks may differ, and within which a turn signs all chains that moved
CLOCKS = timedelta(minutes=15)


def verify_all(kept: Iterable[Path] = ()) -> Iterator[Fault | Part]:
    """Every fault, and after those of each part the part itself. kept: files of checkpoints that someone kept
    elsewhere.

    The product may continue meanwhile. Raises Refused where the signing key is gone.
    """
    signed: statements.Signed = {}
    yield from readable("checkpoints", statements.check(signed, kept))
    names = {
        *signed,
        *Chain.objects.values_list("name", flat=True),
        *Event.objects.order_by().values_list("chain", flat=True).distinct(),
    }
    signings = sorted({signature.at for chain in signed.values() for signature in chain.values()})
    for name in sorted(names, key=str):
        yield from readable(str(name), check_chain(name, signed.get(name, {}), signings))
    yield from readable("names", check_names())
    for account in accounts.registered():
        yield from readable(account.name, accounts.check(account))


def readable(name: str, part: Iterator[Fault | Part]) -> Iterator[Fault | Part]:
    """What the walk over a part yields; where a row can't even be read, a fault in place of the rest, so that
    other parts are walked.
    """
    try:
        yield from part
    except rules.UNREADABLE as error:
        yield Fault(
            Rule.ROW_UNREADABLE,
            name,
            f"A row has a value that no action writes ({error!r}); the rest wasn't verified.",
        )
        yield Part(name, 0, "verified", 1)


def check_chain(
    name: str, signed: Mapping[int, Signature], signings: list[datetime]
) -> Iterator[Fault | Part]:
    """The faults of a chain. signed: by seq; signings: of any chain, in order."""
    count = faults = 0
    late = checkpoints.late(timezone.now()).filter(name=name).first()
    for seq, fault in walk(name, signed, signings):
        count = seq
        if fault:
            faults += 1
            yield fault
    if late:
        faults += 1
        detail = f"It was recorded at {late.since:%Y-%m-%d %H:%M} UTC, and no checkpoint was signed since."
        yield Fault(Rule.TAIL_UNSIGNED, f"chain {name}, event {late.signed + 1}", detail)
    yield Part(name, count, "events", faults)


def walk(
    name: str, signed: Mapping[int, Signature], signings: list[datetime]
) -> Iterator[tuple[int, Fault | None]]:
    """How many events of a chain hold so far, and what was found now: each event that is dated back or of
    another chain, then the first that does not hold (hash, columns, order, the signed hash), which ends the
    walk, or what is wrong with the chain's head.
    """
    previous, seq, before = rules.GENESIS, 0, EPOCH
    marks = sorted(signed)
    while True:  # what is recorded meanwhile is walked too
        for event in Event.objects.filter(chain=name, seq__gt=seq).order_by("seq").iterator(chunk_size=1000):
            document = rules.document_of(event.canonical)
            if (
                fault := event_fault(event, document, previous, seq + 1, signed.get(seq + 1))
            ) or not document:
                yield seq, fault
                return
            previous, seq = event.hash, event.seq
            place = bisect_left(marks, seq)
            until = signed[marks[place]].at if place < len(marks) else timezone.now()
            if fault := date_fault(event, earliest(before, until, signings)):
                yield seq, fault
            yield seq, chain_fault(event)
            # an earlier one is dated back, and from the year 1 nothing can be taken
            before = max(event.at, EPOCH)
        head = Chain.objects.filter(name=name).first()
        if head is None or head.seq <= seq or not Event.objects.filter(chain=name, seq__gt=seq).exists():
            break
    where = f"chain {name}, event {seq + 1}"
    if head is None or (head.seq, head.hash) != (seq, previous):
        at = head.seq if head else 0
        yield (
            seq,
            Fault(
                Rule.HEAD_DIFFERS,
                where,
                f"The chain's head is event {at}, but the last event found is {seq}.",
            ),
        )
    elif marks and marks[-1] > seq:
        yield (
            seq,
            Fault(
                Rule.TAIL_CUT,
                where,
                f"A signed checkpoint covers event {marks[-1]}, but the chain ends at {seq}.",
            ),
        )


def earliest(before: datetime, until: datetime, signings: list[datetime]) -> datetime:
    """When an event may be dated at the earliest: as the event before it, or as the last signing that did not
    find it there, by CLOCKS.

    before: when the event before was recorded; until: when it was signed; signings: of any chain, in order,
    since each takes all chains that moved. Nothing later than `until` counts: a clock that was set back, and
    was right when it signed, dates nothing back.
    """
    place = bisect_left(signings, until - CLOCKS)
    known = max(before, signings[place - 1]) if place else before
    return min(known, until) - CLOCKS


def date_fault(event: Event, since: datetime) -> Fault | None:
    """A date before it was possible. Roles count from their event on, so that a date put back lets someone
    decide who may not.
    """
    if event.at >= since:
        return None
    detail = (
        f"It's dated {event.at:%Y-%m-%d %H:%M} UTC, but it was recorded after {since:%Y-%m-%d %H:%M} UTC."
    )
    return Fault(Rule.DATED_BACK, f"chain {event.chain}, event {event.seq}", detail)


def chain_fault(event: Event) -> Fault | None:
    """An event in a chain that is not its project's, or the beginning of a chain that is none."""
    where = f"chain {event.chain}, event {event.seq}"
    due = str(event.project) if event.project else rules.INSTALLATION
    if event.chain != due:
        return Fault(Rule.WRONG_CHAIN, where, f"It belongs in chain {due}.")
    if (
        event.project
        and event.seq == 1
        and (event.verb, event.object_id) != (Verb.PROJECT_CREATED, event.chain)
    ):
        return Fault(Rule.WRONG_CHAIN, where, "The chain doesn't start with the creation of its project.")
    return None


def event_fault(
    event: Event, document: dict[str, Any] | None, previous: str, seq: int, signed: Signature | None
) -> Fault | None:
    """What is wrong with one event, given its content, the hash before it, the seq that is due and what was
    signed; None when it fits.
    """
    where = f"chain {event.chain}, event {seq}"
    if event.seq != seq:
        return Fault(Rule.EVENT_MISSING, where, f"The next one found is {event.seq}.")
    if document is None:
        return Fault(Rule.EVENT_ALTERED, where, "The stored bytes aren't an event.")
    if rules.event_hash(event.canonical) != event.hash:
        return Fault(Rule.EVENT_ALTERED, where, "The stored bytes don't match the stored hash.")
    if document["previous"] != previous or event.previous_hash != previous:
        return Fault(Rule.EVENT_OUT_OF_ORDER, where, "It doesn't follow the previous event.")
    if document["form"] != rules.FORM:
        return Fault(
            Rule.EVENT_OF_UNKNOWN_FORM,
            where,
            f"It has form {document['form']}; events have form {rules.FORM}.",
        )
    stated = [*(document.get(column) for column in COLUMNS), document["project"], document["at"]]
    project, at = str(event.project) if event.project else None, event.at.isoformat(timespec="microseconds")
    if stated != [*(getattr(event, column) for column in COLUMNS), project, at]:
        return Fault(Rule.COLUMNS_DIFFER, where, "Its searchable columns differ from its hashed bytes.")
    if signed and signed.hash != event.hash:
        return Fault(Rule.CHAIN_REPLACED, where, "A signed checkpoint has a different hash for it.")
    return None


def check_names() -> Iterator[Fault | Part]:
    """Every name against the event that was hashed with it. A name that was erased is not there, and no
    fault.
    """
    count = faults = 0
    rows = Name.objects.only("subject", "text", "salt", "event_id")
    for names, unread in reading.batches(rows, "names", NAMES_AT_ONCE):
        count, faults = count + len(names), faults + len(unread)
        yield from unread
        events = Event.objects.only("canonical").in_bulk({name.event_id for name in names})
        for name in names:
            if not is_whole(name, events.get(name.event_id)):
                faults += 1
                yield Fault(
                    Rule.NAME_ALTERED, f"name {name.pk} of {name.subject}", "No event was hashed with it."
                )
    yield Part("names", count, "names", faults)


def is_whole(name: Name, event: Event | None) -> bool:
    """Whether its event was hashed with a name. event: None where its row is missing."""
    try:
        return event is not None and name.is_bound_by(event)
    except rules.UNREADABLE:
        return False
