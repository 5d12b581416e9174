"""Writing the audit log. `record` is called as the last step of an action, inside its transaction."""

from __future__ import annotations

import secrets
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models
from django.db.models import Subquery
from django.utils import timezone

from lifecycle.runtime import bundle
from registry.ground.ledger import rules
from registry.ground.ledger.models import Chain, Event, Name
from registry.ground.ledger.verbs import Verb

Called = tuple[str, str]  # an id, and how people read it today


def record(
    actor: Any, verb: Verb, subject: models.Model, *, project: UUID | None = None, **payload: Any
) -> Event:
    """Append one event to its project's chain (or the installation's), in the caller's transaction.

    actor: a user with a uuid, or None for the system; where they act by an API token (`by_token`), the event
    names it. subject: a saved model with a uuid. payload: old and new values, reasons, digests; ids rather
    than names, and never a text of a user's data. Raises RuntimeError outside a transaction: a decision and
    its event must commit together.
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
        chain=name,
        seq=chain.seq + 1,
        at=now,
        verb=verb,
        actor=actor_id,
        object_type=document["object_type"],
        object_id=document["object_id"],
        project=project,
        canonical=canonical,
        previous_hash=chain.hash,
        hash=rules.event_hash(canonical),
    )
    Chain.objects.filter(pk=chain.pk).update(seq=event.seq, hash=event.hash)
    fresh = sorted(salts.keys() - known.keys())
    Name.objects.bulk_create(
        Name(subject=each[0], text=each[1], salt=salts[each], event=event) for each in fresh
    )
    return event


def locked_chain(name: str, called: dict[str, Called]) -> tuple[Chain, dict[Called, str]]:
    """The chain of this name, made where it is new, and the salts of those who were called the same in an
    event before, in one statement.

    Anyone who records to the chain waits here. called: id and name of actor and object.
    """
    rows = (
        Chain.objects.select_for_update(of=("self",))
        .filter(name=name)
        .annotate(**{f"salt_of_{part}": salt(*called[part]) for part in called})
    )
    chain = rows.first()
    if chain is None:
        Chain.objects.get_or_create(name=name)
        chain = rows.get()
    salts = {each: getattr(chain, f"salt_of_{part}") for part, each in called.items()}
    return chain, {each: known for each, known in salts.items() if known}


def salt(subject: str, text: str) -> Subquery:
    """With what this name of a subject is salted; null where it is new."""
    return Subquery(Name.objects.filter(subject=subject, text=text).order_by("pk").values("salt")[:1])


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
