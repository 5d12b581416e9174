"""Reading the audit log: always from what the person may see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from lifecycle.ui import paging
from lifecycle.ui.addresses import find_url
from registry.ground.access.models import Project, User
from registry.ground.access.policy import can_somewhere, is_limited, visible_to
from registry.ground.ledger import checkpoints
from registry.ground.ledger.models import Checkpoint, Event, Name
from registry.ground.ledger.rules import SYSTEM, document_of
from registry.ground.ledger.verbs import Verb

PAGE = 50
NAMES_MAX = 200  # how many names a search by name follows

# Where the page of an object is, by its type: label_lower → URL name that takes its uuid.
PAGES = {
    "access.project": "access:project",
    "datasets.dataset": "datasets:dataset",
    "datasets.upload": "datasets:upload",
    "datasets.item": "datasets:item",
    "queues.queue": "queues:queue",
    "snapshots.snapshot": "snapshots:detail",
    "training.run": "training:detail",
    "training.sweep": "training:sweep",
    "evaluation.evaluation": "evaluation:detail",
    "catalog.registeredmodel": "catalog:model",
    "catalog.modelversion": "catalog:version",
    "catalog.endpoint": "endpoints:detail",
    "promotions.promotionrequest": "promotions:detail",
    "endpoints.deployment": "endpoints:deployment",
    "alerts.alert": "alerts:detail",
    "jobs.job": "jobs:progress",
}


@dataclass(frozen=True)
class Filters:
    """What to look for. Empty fields do not filter. text: a name, an id or the start of a digest."""

    text: str = ""
    verb: str = ""
    room: str = ""
    project: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class AuditLogEntry:
    """An event as a page shows it; names are stored beside the chain and may be erased."""

    event: Event
    actor: str
    verb: str
    subject: str
    url: str
    reason: str


def visible_events(user: User) -> QuerySet[Event]:
    """One's own acts; those of projects in which a role reads the audit log; of the installation's, all for
    organisation admins, and what concerns people of their projects for auditors. A token that is limited to a
    project sees what a role reads there, and nothing else.
    """
    seen = Q(project__in=visible_to(user, Project, "audit.view").values("uuid"))
    if is_limited(user):
        return Event.objects.filter(seen)
    seen |= Q(actor=str(user.uuid))
    if user.is_organisation_admin:
        seen |= Q(project__isnull=True)
    elif can_somewhere(user, "audit.view_installation"):
        seen |= Q(project__isnull=True) & concerning(visible_to(user, Project, "audit.view_installation"))
    return Event.objects.filter(seen)


def concerning(projects: QuerySet[Project]) -> Q:
    """Events about people who hold or held a role in these projects, and what they or the system did about
    anything but a person.
    """
    people = Event.objects.filter(verb=Verb.ROLE_GRANTED, project__in=projects.values("uuid")).values(
        "object_id"
    )
    about_a_person = Q(object_type=User._meta.label_lower)
    return (about_a_person & Q(object_id__in=people)) | (
        ~about_a_person & (Q(actor__in=people) | Q(actor=SYSTEM))
    )


def search(user: User, filters: Filters) -> QuerySet[Event]:
    """The visible events that match, newest first."""
    events = visible_events(user)
    if filters.verb:
        events = events.filter(verb=filters.verb)
    if filters.room:
        events = events.filter(verb__in=[verb for verb in Verb.values if verb.startswith(f"{filters.room}.")])
    if filters.project:
        events = events.filter(project=filters.project)
    if filters.since:
        events = events.filter(at__gte=filters.since)
    if filters.until:
        events = events.filter(at__lt=filters.until)
    if filters.text:
        events = events.filter(matching(filters.text))
    return events.order_by("-id")


def matching(text: str) -> Q:
    """Events whose actor or object has this id or a name with this text, or whose hash begins with it."""
    named = list(
        Name.objects.filter(text__icontains=text).values_list("subject", flat=True).distinct()[:NAMES_MAX]
    )
    subjects = [text, *named]
    return Q(actor__in=subjects) | Q(object_id__in=subjects) | Q(hash__startswith=text.lower())


def page(user: User, filters: Filters, before: int | None) -> tuple[list[AuditLogEntry], int | None]:
    """One page of lines, and the key of the next older one or None."""
    found, older = paging.page(search(user, filters), before, PAGE)
    return lines(found), older


def lines(events: Iterable[Event]) -> list[AuditLogEntry]:
    """Events with the names that whom and what they are about had then, in one more query."""
    events = list(events)
    ids = {event.actor for event in events} | {event.object_id for event in events}
    names = {(name.subject, name.digest): name.text for name in Name.objects.filter(subject__in=ids)}
    return [line(event, names) for event in events]


def line(event: Event, names: dict[tuple[str, str], str]) -> AuditLogEntry:
    """One event as a page shows it. names: by id and by the digest that the event was hashed with, if it
    was.
    """
    document = payload_of(event)
    payload, digests = document.get("payload", {}), document.get("names", {})
    actor = names.get((event.actor, digests.get("actor", "")), event.actor[:8])
    subject = names.get(
        (event.object_id, digests.get("object", "")),
        f"{event.object_type.rpartition('.')[2]} {event.object_id[:8]}",
    )
    return AuditLogEntry(
        event=event,
        actor="Lifecycle" if event.actor == SYSTEM else actor,
        verb=Verb(event.verb).label if event.verb in Verb.values else event.verb,
        subject=subject,
        url=page_of(event),
        reason=str(payload.get("reason") or payload.get("comment") or ""),
    )


def page_of(event: Event) -> str:
    """The address of the object's page, or empty."""
    name = PAGES.get(event.object_type)
    return find_url(name, uuid=event.object_id) if name else ""


def history_of(subject_id: UUID, *, limit: int = 20) -> list[AuditLogEntry]:
    """The newest events about one object, for a page that has already checked who may see it."""
    return lines(Event.objects.filter(object_id=str(subject_id)).order_by("-id")[:limit])


def rooms() -> list[str]:
    """The rooms that decide anything, for the filter."""
    return sorted({str(verb).partition(".")[0] for verb in Verb.values})


def projects(user: User) -> list[Project]:
    """The projects by which this person may filter."""
    return list(visible_to(user, Project, "access.view_project").order_by("name"))


def last_checkpoint() -> Checkpoint | None:
    """The newest signed statement about any chain."""
    return Checkpoint.objects.order_by("-id").first()


def checkpoint_is_late() -> bool:
    """Whether a chain has events that should have been signed by now, as verification would find: the beat
    process may be down.
    """
    return checkpoints.late(timezone.now()).exists()


def payload_of(event: Event) -> dict[str, Any]:
    """The event's payload, as it was hashed; empty where its bytes are no event's, which verification
    reports.
    """
    return document_of(event.canonical) or {}
