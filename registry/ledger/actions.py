"""Writing the trail. `record` is called as the last step of an action, inside its transaction."""

from __future__ import annotations

import secrets
from functools import cache
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.models import Subquery
from django.utils import timezone

from lifecycle import bundle
from registry.ledger import rules
from registry.ledger.models import Chain, Event, Name
from registry.ledger.verbs import Verb

Called = tuple[str, str]  # an id, and how people read it today
CHAIN = "name of the chain"  # stands for it in a statement that is kept


def record(actor: Any, verb: Verb, subject: models.Model, *, project: UUID | None = None, **payload: Any) -> Event:
    """Append one event to its project's chain (or the installation's), in the caller's transaction.

    actor: a user with a uuid, or None for the system; where they act by an API token (`by_token`), the event names it. subject: a saved
    model with a uuid. payload: old and new values, reasons, digests; ids rather than names, and never a text of a user's data. Raises
    RuntimeError outside a transaction: a decision and its event must commit together.
    """
    if not connection.in_atomic_block:
        raise RuntimeError(f"{verb} was recorded outside a transaction.")
    name = str(project) if project else rules.INSTALLATION
    called = {"object": (str(subject.uuid), str(subject)[:200])}  # type: ignore[attr-defined]
    if actor:
        called["actor"] = (str(actor.uuid), str(actor)[:200])
    chain, known = locked_chain(name, called)
    salts = {each: secrets.token_hex(16) for each in set(called.values())} | known
    now = timezone.now()
    actor_id = str(actor.uuid) if actor else rules.SYSTEM
    if token := getattr(actor, "by_token", None):
        payload["token"] = token
    document = {
        "form": rules.FORM,
        "chain": name,
        "seq": chain.seq + 1,
        "at": now.isoformat(timespec="microseconds"),
        "verb": str(verb),
        "actor": actor_id,
        "object_type": subject._meta.label_lower,
        "object_id": str(subject.uuid),  # type: ignore[attr-defined]
        "names": {part: rules.name_digest(salts[each], each[1]) for part, each in called.items()},
        "project": str(project) if project else None,
        "payload": plain(payload),
        "previous": chain.hash,
    }
    canonical = bundle.canonical_json(document).decode("ascii")
    event = Event.objects.create(
        chain=name, seq=chain.seq + 1, at=now, verb=verb, actor=actor_id,
        object_type=document["object_type"], object_id=document["object_id"], project=project,
        canonical=canonical, previous_hash=chain.hash, hash=rules.event_hash(canonical),
    )  # fmt: skip
    Chain.objects.filter(pk=chain.pk).update(seq=event.seq, hash=event.hash)
    fresh = sorted(salts.keys() - known.keys())
    Name.objects.bulk_create(Name(subject=each[0], text=each[1], salt=salts[each], event=event) for each in fresh)
    return event


def locked_chain(name: str, called: dict[str, Called]) -> tuple[Chain, dict[Called, str]]:
    """The chain of this name, made where it is new, and the salts of those who were called the same in an event before, in one statement.

    Whoever records to the chain waits here. called: id and name of actor and object.
    """
    row = head(name, called)
    if row is None:
        Chain.objects.get_or_create(name=name)
        return locked_chain(name, called)
    own = [field.attname for field in Chain._meta.concrete_fields]
    chain = Chain.from_db(DEFAULT_DB_ALIAS, own, row[: len(own)])
    return chain, {each: known for each, known in zip(called.values(), row[len(own) :], strict=True) if known}


def head(name: str, called: dict[str, Called]) -> tuple[Any, ...] | None:
    """The row of a chain, now locked, and behind it the salts of those parts; None where there is no such chain."""
    sql, params = locking(tuple(called))
    given = {CHAIN: name} | {word: each for part, both in called.items() for word, each in zip(standing_for(part), both, strict=True)}
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(sql, [given[param] for param in params])
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


@cache
def locking(parts: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The statement of `head`, with words for its parameters: every action asks it, and Django takes longer to write it than to run it."""
    rows = Chain.objects.select_for_update(of=("self",)).filter(name=CHAIN)
    rows = rows.annotate(**{f"salt_of_{part}": salt(*standing_for(part)) for part in parts})
    sql, params = rows.query.get_compiler(using=DEFAULT_DB_ALIAS).as_sql()
    return sql, params


def standing_for(part: str) -> Called:
    """What stands in a statement for the id and the name of the actor, or of the object."""
    return f"id of {part}", f"name of {part}"


def salt(subject: str, text: str) -> Subquery:
    """With what this name of a subject is salted; null where it is new."""
    return Subquery(Name.objects.filter(subject=subject, text=text, event__isnull=False).order_by("pk").values("salt")[:1])


def plain(value: Any) -> Any:
    """The value as plain JSON types; dates, uuids and decimals become text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = [plain(item) for item in value]
        return sorted(items, key=str) if isinstance(value, set | frozenset) else items
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return DjangoJSONEncoder().default(value)
