"""When a version's files were last hashed again, and by what: rooms above bring what they found, since this one stands below them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lifecycle.jobs.queries import of_subject
from lifecycle.jobs.rules import State
from registry.catalog.models import ModelVersion, VerifiedCopy


@dataclass(frozen=True, slots=True)
class Verification:
    """Every file hashed once and the signature checked. by: what did it, as it follows a time; problem: "" where all held."""

    at: datetime
    by: str
    problem: str = ""


Source = Callable[[ModelVersion], Verification | None]
_sources: list[Source] = []


def register(source: Source) -> None:
    """source: the newest verification that a room above knows of a version, None where there is none."""
    if source not in _sources:
        _sources.append(source)


def newest(version: ModelVersion) -> Verification | None:
    """The last verification of a version, whatever made it; None where it was not verified since it was signed."""
    found = [each for source in (by_job, of_served_copy, *_sources) if (each := source(version)) is not None]
    return max(found, key=lambda each: each.at, default=None)


def by_job(version: ModelVersion) -> Verification | None:
    """The last job that somebody started for it, which ended well or badly."""
    rows = of_subject(version).filter(kind="catalog.verify", state__in=[State.SUCCEEDED, State.FAILED], finished_at__isnull=False)
    job = rows.order_by("-finished_at").first()
    return Verification(job.finished_at, "by a job", job.error if job.state == State.FAILED else "") if job and job.finished_at else None


def of_served_copy(version: ModelVersion) -> Verification | None:
    """The last time that the files which the inference servers were given held; damage quarantines the version."""
    copy = VerifiedCopy.objects.filter(version=version).only("verified_at").first()
    return Verification(copy.verified_at, "as served") if copy else None
