"""Writing the trail. `record` is called as the last step of an action, inside its transaction."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models
from django.utils import timezone

from lifecycle import bundle
from registry.ledger import rules
from registry.ledger.models import Chain, Event, Name
from registry.ledger.verbs import Verb


def record(actor: Any, verb: Verb, subject: models.Model, *, project: UUID | None = None, **payload: Any) -> Event:
    """Append one event to its project's chain (or the installation's), in the caller's transaction.

    actor: a user with a uuid, or None for the system; where they act by an API token (`by_token`), the event names it. subject: a saved
    model with a uuid. payload: old and new values, reasons, digests; ids rather than names, and never a text of a user's data. Raises
    RuntimeError outside a transaction: a decision and its event must commit together.
    """
    if not connection.in_atomic_block:
        raise RuntimeError(f"{verb} was recorded outside a transaction.")
    name = str(project) if project else rules.INSTALLATION
    chain = locked_chain(name)
    now = timezone.now()
    actor_id = str(actor.uuid) if actor else rules.SYSTEM
    if token := getattr(actor, "by_token", None):
        payload["token"] = token
    document = {
        "chain": name,
        "seq": chain.seq + 1,
        "at": now.isoformat(timespec="microseconds"),
        "verb": str(verb),
        "actor": actor_id,
        "object_type": subject._meta.label_lower,
        "object_id": str(subject.uuid),  # type: ignore[attr-defined]
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
    remember_names(actor, subject)
    return event


def locked_chain(name: str) -> Chain:
    """The chain of this name, made where it is new; whoever records to it waits here."""
    rows = Chain.objects.select_for_update().filter(name=name)
    if chain := rows.first():
        return chain
    Chain.objects.get_or_create(name=name)
    return rows.get()


def remember_names(actor: Any, subject: models.Model) -> None:
    """Keep how the actor and the subject read today, beside the chain and erasable."""
    names = {str(subject.uuid): str(subject)[:200]}  # type: ignore[attr-defined]
    if actor:
        names[str(actor.uuid)] = str(actor)[:200]
    Name.objects.bulk_create(
        [Name(subject=subject_id, text=text) for subject_id, text in names.items()],
        update_conflicts=True, unique_fields=["subject"], update_fields=["text"],
    )  # fmt: skip


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
