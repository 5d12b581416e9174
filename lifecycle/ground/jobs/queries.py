"""Reads jobs, only those that the user may see."""

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
    """Whether someone cancelled it, by the audit log, whatever state its row has now."""
    return bool(accounts.events_about(job.uuid, {Verb.JOB_CANCELLED}))


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job as a page shows it.

    label: its kind, and the name of its object, which a person may have written. place: in the queue, from 1,
    where it is due. no_worker: why it waits, where no worker could take it.
    """

    job: Job
    label: str
    url: str
    may_cancel: bool
    place: int | None = None
    no_worker: str = ""

    @property
    def standing(self) -> str:
        """Its place: "3rd in queue, urgent"; empty unless it waits for a worker."""
        return standing(self.job, self.place)

    @property
    def moves(self) -> list[Priority]:
        """The other priorities that it can have. None are offered in the queue of short jobs."""
        return moves(self.job) if self.may_cancel and self.job.queue != Queue.DEFAULT else []

    @property
    def took(self) -> timedelta | None:
        """The time from the first start to the end, or None before the end."""
        job = self.job
        return job.finished_at - job.started_at if job.finished_at and job.started_at else None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a keyset list. before: the key of the next (older) page, or None on the last."""

    lines: list[JobLine]
    before: int | None


def visible_to(user: Person) -> QuerySet[Job]:
    """Jobs of the user's projects, and those without a project that they started. `may_see` checks what a
    kind hides beyond that.
    """
    members = policy.visible_to(user, Job, "jobs.view")
    own = policy.within(user, Job.objects.filter(created_by=user.pk, project=None), "project")
    return (members | own).select_related("project", "created_by")


def may_see(user: Person, job: Job) -> bool:
    """Whether the job's kind shows it to this user."""
    kind = registry.find(job.kind)
    return kind is None or kind.can_see is None or (isinstance(user, User) and kind.can_see(user, job))


def get_visible(user: Person, uuid: UUID) -> Job:
    """The job, if this user may see it. Raises Http404 for hidden and missing jobs alike."""
    job = visible_to(user).filter(uuid=uuid).first()
    if job is None or not may_see(user, job):
        raise Http404("Page not found, or you don't have access.")
    return job


def may_cancel(user: Person, job: Job) -> bool:
    """Whether the user may stop this visible job: their own, or any of a project where their role allows
    it.
    """
    return job.created_by_id == user.pk or policy.can(user, "jobs.cancel", job)


def require_cancel(user: Person, job: Job) -> None:
    """Raises PermissionDenied unless the user may stop this job."""
    if job.created_by_id != user.pk or not visible_to(user).filter(pk=job.pk).exists():
        policy.require(user, "jobs.cancel", job)
    if not may_see(user, job):
        raise PermissionDenied("You can't cancel this job.")


def line(user: Person, job: Job, waiting: QueuePosition | None = None) -> JobLine:
    """One job with what this user may do to it. waiting: the result of `line_up` for it and others, if
    known.
    """
    kind = registry.find(job.kind)
    url = kind.url(job) if kind and kind.url else ""
    cancellable = not job.is_finished and not job.is_cancelling and may_cancel(user, job)
    waiting = waiting or line_up([job])
    label = registry.label(job.kind)
    named = f"{label}: {job.subject_name}" if job.subject_name else label
    return JobLine(
        job, named, url, cancellable, waiting.places.get(job.pk), waiting.no_worker.get(job.pk, "")
    )


def running(user: Person) -> list[JobLine]:
    """Running jobs, then queued ones in queue order, at most a page."""
    order = ("-state", "queue", "priority", "available_at", "id")
    return lines(
        user, visible_to(user).filter(state__in=[State.RUNNING, State.QUEUED]).order_by(*order)[:PAGE]
    )


def finished(user: Person, *, mine: bool, before: int | None) -> Page:
    """Ended jobs, newest first. mine: only those the user started. before: a key from the page before."""
    return _page(
        user, visible_to(user).exclude(state__in=[State.RUNNING, State.QUEUED]), mine=mine, before=before
    )


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
    """Queued jobs by key. places: from 1. no_worker: why it waits, where no worker could take it."""

    places: dict[int, int] = field(default_factory=dict)
    no_worker: dict[int, str] = field(default_factory=dict)


def line_up(jobs: Iterable[Job]) -> QueuePosition:
    """The places of queued jobs, and for which no worker is running: two statements in all, none where none
    is queued.
    """
    waiting = [job for job in jobs if job.state == State.QUEUED]
    if not waiting:
        return QueuePosition()
    served = {(queue, device) for queues, device in live_workers() for queue in queues}
    no_worker = {job.pk: text for job in waiting if (text := no_worker_for(job, served))}
    return QueuePosition(places([job.pk for job in waiting]), no_worker)


def places(keys: list[int]) -> dict[int, int]:
    """Places of queued jobs among those that the same workers could take, by key; none for jobs that aren't
    due yet.
    """
    now = timezone.now()
    due = Job.objects.filter(state=State.QUEUED, available_at__lte=now)
    sooner = (
        Q(priority__lt=OuterRef("priority"))
        | Q(priority=OuterRef("priority"), available_at__lt=OuterRef("available_at"))
        | Q(priority=OuterRef("priority"), available_at=OuterRef("available_at"), id__lt=OuterRef("pk"))
    )
    rivals = due.filter(sooner, queue=OuterRef("queue")).order_by().values("queue")
    every = rivals.annotate(n=Count("pk")).values("n")
    same = (
        rivals.filter(Q(device=Device.ANY) | Q(device=OuterRef("device"))).annotate(n=Count("pk")).values("n")
    )
    rows = due.filter(pk__in=keys).annotate(
        every=Coalesce(Subquery(every), 0), same=Coalesce(Subquery(same), 0)
    )
    found = rows.values_list("pk", "device", "every", "same")
    return {key: 1 + (ahead if device == Device.ANY else alike) for key, device, ahead, alike in found}


def live_workers() -> list[tuple[list[str], str]]:
    """Queues and device of each worker with a heartbeat within a minute."""
    return list(
        Worker.objects.filter(seen_at__gte=timezone.now() - rules.WORKER_TIMEOUT).values_list(
            "queues", "device"
        )
    )


def devices_served(queue: str) -> set[str]:
    """The devices that workers of this queue serve now."""
    return {device for queues, device in live_workers() if queue in queues}


def has_gpu_workers(queue: str) -> bool:
    """Whether a worker with a GPU has served this queue within a week, so that forms offer a choice of
    device.
    """
    return any(
        queue in queues
        for queues in Worker.objects.filter(device=Device.GPU).values_list("queues", flat=True)
    )


def no_worker_for(job: Job, served: set[tuple[str, str]]) -> str:
    """A sentence where no running worker could take a job, else empty. served: queue and device of running
    workers.
    """
    if any((job.queue, device) in served and job.device in kinds for device, kinds in rules.TAKES.items()):
        return ""
    kind = (
        {Device.GPU: "with a GPU ", Device.CPU: "for the CPU "}.get(Device(job.device), "")
        if job.queue == Queue.TRAINING
        else ""
    )
    return f"No worker {kind}is running for the queue {job.queue}. The job waits until one starts."


def standing(job: Job, place: int | None) -> str:
    """ "3rd in queue, urgent"; empty where the place is not known."""
    if place is None:
        return ""
    mark = "" if job.priority == Priority.NORMAL else f", {Priority(job.priority).word}"
    return f"{ordinal(place)} in queue{mark}"


def moves(job: Job) -> list[Priority]:
    """The priorities that a queued job can have instead of its own."""
    return [each for each in Priority if each != job.priority] if job.state == State.QUEUED else []


def of_subject(subject: Model) -> QuerySet[Job]:
    """All jobs about one thing, newest first. For rooms that have already checked who may see it.

    A page reads the job before its results: if the job has ended by then, all results are there. In the other
    order, a job that ends in between leaves a page that shows "running" and polls no more.
    """
    return about(type(subject), getattr(subject, "uuid", None))


def about(model: type[Model], uuid: UUID | None) -> QuerySet[Job]:
    """All jobs about the row of a model with this uuid, newest first; for a page that has not read the row
    yet.
    """
    return Job.objects.filter(subject_type=model._meta.label_lower, subject_uuid=uuid).order_by("-id")


def open_count(user: Person) -> int:
    """How many jobs that the user started still run or wait, counted up to 100."""
    rows = visible_to(user).filter(created_by=user.pk, state__in=[State.RUNNING, State.QUEUED])
    return rows.order_by()[:100].count()
