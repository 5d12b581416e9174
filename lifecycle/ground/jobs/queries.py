"""Reading jobs: always from what the person may see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Count, Model, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404
from django.utils import timezone

from lifecycle.ground.jobs import registry, rules
from lifecycle.ground.jobs.models import Job, Worker
from lifecycle.ground.jobs.rules import Device, Priority, Queue, State
from lifecycle.ui import paging
from lifecycle.ui.numbers import ordinal
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.access.policy import Person
from registry.ground.ledger import accounts
from registry.ground.ledger.verbs import Verb

PAGE = 30


def was_cancelled(job: Job) -> bool:
    """Whether someone cancelled it by the audit log, whatever its row says by now."""
    return bool(accounts.events_about(job.uuid, {Verb.JOB_CANCELLED}))


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job as a page shows it.

    label: the kind, and the name of the object, which a person may have written. place: in line, from 1, while it is due and no worker has
    taken it. nobody: why no worker can take it.
    """

    job: Job
    label: str
    url: str
    may_cancel: bool
    place: int | None = None
    nobody: str = ""

    @property
    def standing(self) -> str:
        """Where in line it is: "3rd in queue, urgent"; empty where it waits for no worker."""
        return standing(self.job, self.place)

    @property
    def moves(self) -> list[Priority]:
        """The priorities that it can be given instead. None are offered in the queue of what takes moments."""
        return moves(self.job) if self.may_cancel and self.job.queue != Queue.DEFAULT else []

    @property
    def took(self) -> timedelta | None:
        """From the first begin to the end, or None while it has not both."""
        job = self.job
        return job.finished_at - job.started_at if job.finished_at and job.started_at else None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a keyset list. before: the key of the next (older) page, or None on the last."""

    lines: list[JobLine]
    before: int | None


def visible_to(user: Person) -> QuerySet[Job]:
    """Jobs of the user's projects, and those of no project that they started. What a kind hides beyond that is asked by `may_see`."""
    members = policy.visible_to(user, Job, "jobs.view")
    own = policy.within(user, Job.objects.filter(created_by=user.pk, project=None), "project")
    return (members | own).select_related("project", "created_by")


def may_see(user: Person, job: Job) -> bool:
    """Whether the job's kind shows it to this user."""
    kind = registry.find(job.kind)
    return kind is None or kind.can_see is None or (isinstance(user, User) and kind.can_see(user, job))


def get_visible(user: Person, uuid: UUID) -> Job:
    """The job, if this user may see it. Raises Http404 alike for what is hidden and what does not exist."""
    job = visible_to(user).filter(uuid=uuid).first()
    if job is None or not may_see(user, job):
        raise Http404("Page not found, or you don't have access.")
    return job


def may_cancel(user: Person, job: Job) -> bool:
    """Whether the user may stop this job, which they see: their own, or any of a project in which their role allows it."""
    return job.created_by_id == user.pk or policy.can(user, "jobs.cancel", job)


def require_cancel(user: Person, job: Job) -> None:
    """Raises PermissionDenied unless the user may stop this job."""
    if job.created_by_id != user.pk or not visible_to(user).filter(pk=job.pk).exists():
        policy.require(user, "jobs.cancel", job)
    if not may_see(user, job):
        raise PermissionDenied("You can't cancel this job.")


def line(user: Person, job: Job, waiting: QueuePosition | None = None) -> JobLine:
    """One job with what this user may do to it. waiting: what `line_up` says of it and others, where it was asked."""
    kind = registry.find(job.kind)
    url = kind.url(job) if kind and kind.url else ""
    may = not job.is_finished and not job.is_cancelling and may_cancel(user, job)
    waiting = waiting or line_up([job])
    label = registry.label(job.kind)
    return JobLine(
        job,
        f"{label}: {job.subject_name}" if job.subject_name else label,
        url,
        may,
        waiting.places.get(job.pk),
        waiting.nobody.get(job.pk, ""),
    )


def running(user: Person) -> list[JobLine]:
    """What runs now, then what waits, in the order of the queue, at most a page."""
    order = ("-state", "queue", "priority", "available_at", "id")
    return lines(user, visible_to(user).filter(state__in=[State.RUNNING, State.QUEUED]).order_by(*order)[:PAGE])


def finished(user: Person, *, mine: bool, before: int | None) -> Page:
    """Ended jobs, newest first. mine: only those the user started. before: a key from the page before."""
    return _page(user, visible_to(user).exclude(state__in=[State.RUNNING, State.QUEUED]), mine=mine, before=before)


def latest(user: Person, *, mine: bool, before: int | None) -> Page:
    """Jobs in any state, newest first."""
    return _page(user, visible_to(user), mine=mine, before=before)


def _page(user: Person, rows: QuerySet[Job], *, mine: bool, before: int | None) -> Page:
    if mine:
        rows = rows.filter(created_by=user.pk)
    found, older = paging.page(rows.order_by("-id"), before, PAGE)
    return Page(lines(user, found), older)


def lines(user: Person, jobs: Iterable[Job]) -> list[JobLine]:
    """The lines of those jobs that their kinds show to this user."""
    shown = [job for job in jobs if may_see(user, job)]
    waiting = line_up(shown)
    return [line(user, job, waiting) for job in shown]


# ── In line ─────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class QueuePosition:
    """What waits, by the job's key. places: from 1. nobody: a sentence where no worker is there that could take it."""

    places: dict[int, int] = field(default_factory=dict)
    nobody: dict[int, str] = field(default_factory=dict)


def line_up(jobs: Iterable[Job]) -> QueuePosition:
    """Where in line jobs are, and for which of them no worker is there: two statements for any number of them, none where none waits."""
    waiting = [job for job in jobs if job.state == State.QUEUED]
    if not waiting:
        return QueuePosition()
    served = {(queue, device) for queues, device in live_workers() for queue in queues}
    nobody = {job.pk: text for job in waiting if (text := nobody_for(job, served))}
    return QueuePosition(places([job.pk for job in waiting]), nobody)


def places(keys: list[int]) -> dict[int, int]:
    """Places of waiting jobs among those that the same workers could take, by the job's key; none for what is tried again later."""
    now = timezone.now()
    due = Job.objects.filter(state=State.QUEUED, available_at__lte=now)
    sooner = (
        Q(priority__lt=OuterRef("priority"))
        | Q(priority=OuterRef("priority"), available_at__lt=OuterRef("available_at"))
        | Q(priority=OuterRef("priority"), available_at=OuterRef("available_at"), id__lt=OuterRef("pk"))
    )
    rivals = due.filter(sooner, queue=OuterRef("queue")).order_by().values("queue")
    every = rivals.annotate(n=Count("pk")).values("n")
    same = rivals.filter(Q(device=Device.ANY) | Q(device=OuterRef("device"))).annotate(n=Count("pk")).values("n")
    rows = due.filter(pk__in=keys).annotate(every=Coalesce(Subquery(every), 0), same=Coalesce(Subquery(same), 0))
    found = rows.values_list("pk", "device", "every", "same")
    return {key: 1 + (ahead if device == Device.ANY else alike) for key, device, ahead, alike in found}


def live_workers() -> list[tuple[list[str], str]]:
    """Queues and device of each worker that has given a sign of life within a minute."""
    return list(Worker.objects.filter(seen_at__gte=timezone.now() - rules.GONE).values_list("queues", "device"))


def devices_served(queue: str) -> set[str]:
    """The devices that workers of this queue serve now."""
    return {device for queues, device in live_workers() if queue in queues}


def has_gpu_workers(queue: str) -> bool:
    """Whether a worker with a GPU has served this queue within a week, so that people are asked which device they want."""
    return any(queue in queues for queues in Worker.objects.filter(device=Device.GPU).values_list("queues", flat=True))


def nobody_for(job: Job, served: set[tuple[str, str]]) -> str:
    """A sentence where no worker is there that could take a job; empty where one is. served: queue and device of those that are."""
    if any((job.queue, device) in served and job.device in kinds for device, kinds in rules.TAKES.items()):
        return ""
    kind = {Device.GPU: "with a GPU ", Device.CPU: "for the CPU "}.get(Device(job.device), "") if job.queue == Queue.TRAINING else ""
    return f"No worker {kind}is running for the queue {job.queue}. The job waits until one starts."


def standing(job: Job, place: int | None) -> str:
    """ "3rd in queue, urgent"; empty where the place is not known."""
    if place is None:
        return ""
    mark = "" if job.priority == Priority.NORMAL else f", {Priority(job.priority).word}"
    return f"{ordinal(place)} in queue{mark}"


def moves(job: Job) -> list[Priority]:
    """The priorities that a waiting job can be given instead of its own."""
    return [each for each in Priority if each != job.priority] if job.state == State.QUEUED else []


def of_subject(subject: Model) -> QuerySet[Job]:
    """All jobs about one thing, newest first. For rooms that have already checked who may see it.

    A page asks for the job before it asks for what the job makes: where the job has ended by then, all that it made is there. The other
    way about, a job that ends in between leaves a page that says "running" and asks no more.
    """
    return about(type(subject), getattr(subject, "uuid", None))


def about(model: type[Model], uuid: UUID | None) -> QuerySet[Job]:
    """All jobs about the row of a model with this uuid, newest first; for a page that has not read the row yet."""
    return Job.objects.filter(subject_type=model._meta.label_lower, subject_uuid=uuid).order_by("-id")


def open_count(user: Person) -> int:
    """How many jobs that the user started still run or wait, counted up to 100."""
    rows = visible_to(user).filter(created_by=user.pk, state__in=[State.RUNNING, State.QUEUED])
    return rows.order_by()[:100].count()
