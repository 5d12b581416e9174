"""When a version's files were last hashed again, and by what: rooms above register their results, since this
one is below them.

The stored files and the copy that the inference servers were given are different bytes: a verified one
doesn't imply the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from lifecycle.ground.jobs.queries import of_subject
from lifecycle.ground.jobs.rules import State
from lifecycle.runtime.refusals import Damaged, Refused
from registry.catalog.models import ModelVersion, VerifiedCopy


@dataclass(frozen=True, slots=True)
class Verification:
    """Every file hashed once and the signature checked. by: what did it, as it follows a time; problem: ""
    where all held.
    """

    at: datetime
    by: str
    problem: str = ""


Source = Callable[[ModelVersion], Verification | None]
_sources: list[Source] = []


def register(source: Source) -> None:
    """source: the newest verification of the stored files that a room above knows of a version, None where
    there is none.
    """
    if source not in _sources:
        _sources.append(source)


def of_stored(version: ModelVersion) -> Verification | None:
    """The last verification of the stored files, whatever made it; None where they were not verified since
    they were signed.
    """
    found = [each for source in (by_job, *_sources) if (each := source(version)) is not None]
    return max(found, key=lambda each: each.at, default=None)


def by_job(version: ModelVersion) -> Verification | None:
    """The last job that someone started for it and that verified the files, or refused them. One that broke
    has done neither.
    """
    ended = Q(state=State.SUCCEEDED) | Q(state=State.FAILED, refusal__in=[Refused.code, Damaged.code])
    job = (
        of_subject(version)
        .filter(ended, kind="catalog.verify", finished_at__isnull=False)
        .order_by("-finished_at")
        .first()
    )
    return (
        Verification(job.finished_at, "by a job", job.error if job.state == State.FAILED else "")
        if job and job.finished_at
        else None
    )


def of_served_copy(version: ModelVersion) -> Verification | None:
    """The last time that the files which the inference servers were given held; damage quarantines the
    version.
    """
    copy = VerifiedCopy.objects.filter(version=version).only("verified_at").first()
    return Verification(copy.verified_at, "on the inference servers") if copy else None
