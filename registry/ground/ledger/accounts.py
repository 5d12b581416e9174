"""The port by which upper rooms declare what the audit log must account for, and the comparison with their
rows, in flat memory.

Filled in AppConfig.ready(). The audit log and the rows each give a set of facts about an object, short texts,
which must be equal.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model

from registry.ground.ledger import reading, rules
from registry.ground.ledger.faults import Fault, Part, Rule
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb

BATCH = 200  # objects, with all their events


@dataclass(frozen=True)
class LoggedEvent:
    """The part of an event about its object, from its hashed bytes. actor: uuid of the user, or system.
    project: uuid, or None.
    """

    verb: str
    actor: str
    project: str | None
    at: datetime
    payload: dict[str, Any]


def moment(at: str | datetime) -> str:
    """A time as facts name it, whether a row holds it or a payload, which keeps milliseconds."""
    found = datetime.fromisoformat(at) if isinstance(at, str) else at
    return found.astimezone(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class Account:
    """Objects of one kind.

    logged: the facts that follow from an object's events, oldest first. stored: the facts in the rows, by the
    object's uuid.
    """

    name: str
    model: type[Model]
    verbs: frozenset[Verb]
    logged: Callable[[list[LoggedEvent]], set[str]]
    stored: Callable[[list[str]], dict[str, set[str]]]


_accounts: dict[str, Account] = {}


def register(account: Account) -> None:
    """Have these objects compared with the audit log."""
    _accounts[account.name] = account


def registered() -> list[Account]:
    """All of them, by name."""
    return [_accounts[name] for name in sorted(_accounts)]


def check(account: Account) -> Iterator[Fault | Part]:
    """Every fact that only the rows or only the audit log knows."""
    count = faults = 0
    for ids, unread in batches(account):
        count, faults = count + len(ids), faults + len(unread)
        yield from unread
        logged, stored = logged_facts(account, ids), stored_facts(account, ids)
        for each in ids:
            if logged[each] != stored.get(each, set()):
                for fault in differences(account, each):
                    faults += 1
                    yield fault
    yield Part(account.name, count, "compared with the audit log", faults)


def batches(account: Account) -> Iterator[tuple[list[str], list[Fault]]]:
    """The uuids of all objects that have a row, with a fault for each row that can't be read or found; then
    of those that the trail alone knows.
    """
    rows = account.model._default_manager.values_list("pk", "uuid")
    for found, unread in reading.batches(rows, account.name, BATCH):
        there = set(rows.filter(uuid__in=[uuid for _, uuid in found]))
        yield (
            [str(uuid) for _, uuid in there],
            unread + [hidden(account, pk) for pk, uuid in found if (pk, uuid) not in there],
        )
    known = (
        Event.objects.filter(verb__in=account.verbs)
        .order_by("object_id")
        .values_list("object_id", flat=True)
        .distinct()
    )
    for ids in batched(known.iterator(chunk_size=1000)):
        of_rows = {
            str(uuid) for _, uuid in rows.filter(uuid__in=[each for each in ids if rules.is_uuid(each)])
        }
        if missing := [each for each in ids if each not in of_rows]:
            yield missing, []


def hidden(account: Account, pk: int) -> Fault:
    """SQLite keeps a uuid as text, and compares it as such."""
    return Fault(
        Rule.ROW_UNREADABLE,
        f"{account.name}, row {pk}",
        "Its uuid isn't written as actions write it, and nothing finds it.",
    )


def batched(ids: Iterable[str]) -> Iterator[list[str]]:
    """So many objects at a time as are compared together."""
    return reading.batched(ids, BATCH)


def logged_facts(account: Account, ids: list[str]) -> dict[str, set[str]]:
    """The facts in the audit log about these objects, by uuid."""
    return {each: facts(account, events) for each, events in events_of(ids, account.verbs).items()}


def facts(account: Account, events: list[LoggedEvent]) -> set[str]:
    """The facts from the events of one object; for events that no action records this way, that they can't be
    read.
    """
    try:
        return account.logged(events)
    except rules.UNREADABLE as error:
        return {f"something that no action records ({error!r})"}


def stored_facts(account: Account, ids: list[str]) -> dict[str, set[str]]:
    """The facts in the rows about these objects, by uuid; for an object with a row that no action writes,
    that it can't be read.
    """
    try:
        return account.stored(ids)
    except (*rules.UNREADABLE, ValidationError) as error:
        if len(ids) == 1:
            return {ids[0]: {f"something that no action writes ({error!r})"}}
    return {uuid: found for each in ids for uuid, found in stored_facts(account, [each]).items()}


def events_of(ids: list[str], verbs: Collection[Verb]) -> dict[str, list[LoggedEvent]]:
    """The events of these kinds about each of these objects, oldest first, as they were hashed; a row whose
    bytes do not give its hash, or are about something else than its columns, doesn't count.
    """
    found: dict[str, list[LoggedEvent]] = {each: [] for each in ids}
    events = Event.objects.filter(object_id__in=ids, verb__in=verbs).order_by("chain", "seq")
    for object_id, canonical, hashed in events.values_list("object_id", "canonical", "hash"):
        document = rules.document_of(canonical)
        if document is None or rules.event_hash(canonical) != hashed:
            continue
        if document["object_id"] == object_id and document["verb"] in verbs:
            at = datetime.fromisoformat(document["at"])
            found[object_id].append(
                LoggedEvent(document["verb"], document["actor"], document["project"], at, document["payload"])
            )
    return found


def events_about(uuid: object, verbs: Collection[Verb]) -> list[LoggedEvent]:
    """The same of one object."""
    return events_of([str(uuid)], verbs)[str(uuid)]


def differences(account: Account, uuid: str) -> Iterator[Fault]:
    """What differs of one object when no event came while its rows were read: the product continues
    meanwhile.
    """
    logged = logged_facts(account, [uuid])[uuid]
    while True:
        stored = stored_facts(account, [uuid]).get(uuid, set())
        before, logged = logged, logged_facts(account, [uuid])[uuid]
        if logged == before:
            break
    where = f"{account.name}, {uuid}"
    for fact in sorted(stored - logged):
        yield Fault(Rule.NOT_IN_TRAIL, where, f"In the database but not in the audit log: “{fact}”.")
    for fact in sorted(logged - stored):
        yield Fault(Rule.NOT_IN_DATABASE, where, f"In the audit log but not in the database: “{fact}”.")
