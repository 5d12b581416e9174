"""Reading jobs: always from what the person may see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404

from lifecycle.jobs import registry
from lifecycle.jobs.models import Job
from lifecycle.jobs.rules import State
from registry.access import policy
from registry.access.models import User
from registry.access.policy import Person

PAGE = 30


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job as a page shows it."""

    job: Job
    label: str
    url: str
    may_cancel: bool

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
    """Jobs of the user's projects and those they started. What a kind hides beyond that is asked by `may_see`."""
    members = policy.visible_to(user, Job, "jobs.view")
    return (members | Job.objects.filter(created_by=user.pk)).select_related("project", "created_by")


def may_see(user: Person, job: Job) -> bool:
    """Whether the job's kind shows it to this user."""
    kind = registry.find(job.kind)
    return kind is None or kind.can_see is None or (isinstance(user, User) and kind.can_see(user, job))


def get_visible(user: Person, uuid: UUID) -> Job:
    """The job, if this user may see it. Raises Http404 alike for what is hidden and what does not exist."""
    job = visible_to(user).filter(uuid=uuid).first()
    if job is None or not may_see(user, job):
        raise Http404("There is nothing here for you under this address.")
    return job


def may_cancel(user: Person, job: Job) -> bool:
    """Whether the user may stop this job: their own, or any of a project in which their role allows it."""
    return job.created_by_id == user.pk or policy.can(user, "jobs.cancel", job)


def require_cancel(user: Person, job: Job) -> None:
    """Raises PermissionDenied unless the user may stop this job."""
    if job.created_by_id != user.pk:
        policy.require(user, "jobs.cancel", job)
    if not may_see(user, job):
        raise PermissionDenied("This job is not shown to you, so you cannot cancel it.")


def line(user: Person, job: Job) -> JobLine:
    """One job with what this user may do to it."""
    kind = registry.find(job.kind)
    url = kind.url(job) if kind and kind.url else ""
    return JobLine(job, registry.label(job.kind), url, not job.is_finished and not job.is_cancelling and may_cancel(user, job))


def running(user: Person) -> list[JobLine]:
    """What runs now, then what waits, in the order of the queue, at most a page."""
    return lines(user, visible_to(user).filter(state__in=[State.RUNNING, State.QUEUED]).order_by("-state", "id")[:PAGE])


def finished(user: Person, *, mine: bool, before: int | None) -> Page:
    """Ended jobs, newest first. mine: only those the user started. before: a key from the page before."""
    return _page(user, visible_to(user).exclude(state__in=[State.RUNNING, State.QUEUED]), mine=mine, before=before)


def latest(user: Person, *, mine: bool, before: int | None) -> Page:
    """Jobs in any state, newest first."""
    return _page(user, visible_to(user), mine=mine, before=before)


def _page(user: Person, rows: QuerySet[Job], *, mine: bool, before: int | None) -> Page:
    if mine:
        rows = rows.filter(created_by=user.pk)
    if before is not None:
        rows = rows.filter(id__lt=before)
    found = list(rows.order_by("-id")[: PAGE + 1])
    return Page(lines(user, found[:PAGE]), found[PAGE - 1].pk if len(found) > PAGE else None)


def lines(user: Person, jobs: Iterable[Job]) -> list[JobLine]:
    """The lines of those jobs that their kinds show to this user."""
    return [line(user, job) for job in jobs if may_see(user, job)]


def of_subject(subject: Model) -> QuerySet[Job]:
    """All jobs about one thing, newest first. For rooms that have already checked who may see it."""
    return Job.objects.filter(subject_type=subject._meta.label_lower, subject_uuid=getattr(subject, "uuid", None)).order_by("-id")


def open_count(user: Person) -> int:
    """How many jobs that the user started still run or wait, counted up to 100."""
    return Job.objects.filter(created_by=user.pk, state__in=[State.RUNNING, State.QUEUED]).order_by()[:100].count()
