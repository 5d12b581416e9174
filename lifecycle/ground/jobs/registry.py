"""The registry of job kinds. Upper rooms register in AppConfig.ready(); the runner and the pages read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lifecycle.ground.jobs.rules import Queue

if TYPE_CHECKING:
    from lifecycle.ground.jobs.context import JobContext
    from lifecycle.ground.jobs.models import Job
    from registry.ground.access.models import User


@dataclass(frozen=True, slots=True)
class JobKind:
    """One kind of work.

    name: "<room>.<action>", kept in the rows for ever. label: what people read, such as "Import an upload".
    handler: does the work; it may be run again after a crash, so it starts from ctx.job.checkpoint and is
    safe twice. url: the page of the result. can_see: who sees it, beside being of its project; None means
    every member.
    on_failed, on_cancelled: called in the transaction that ends the job so, to move what it worked on out of
    "running".
    """

    name: str
    label: str
    handler: Callable[[JobContext], None]
    queue: str = Queue.DEFAULT
    max_attempts: int = 3
    url: Callable[[Job], str] | None = None
    can_see: Callable[[User, Job], bool] | None = None
    on_failed: Callable[[Job], None] | None = None
    on_cancelled: Callable[[Job], None] | None = None


class UnknownKind(LookupError):
    """No installed room does this kind of work."""


_kinds: dict[str, JobKind] = {}


def register(kind: JobKind) -> None:
    """Make a kind of work known in this process. The same name twice is a mistake of the programmer, unless
    it is the same kind.
    """
    if _kinds.get(kind.name, kind) != kind:
        raise ValueError(f"The job kind {kind.name} is registered twice.")
    if kind.queue not in Queue.values:
        raise ValueError(
            f"The job kind {kind.name} uses the unknown queue {kind.queue}; choose from"
            f" {', '.join(Queue.values)}."
        )
    _kinds[kind.name] = kind


def unregister(name: str) -> None:
    """Remove a kind (for tests that register their own)."""
    _kinds.pop(name, None)


def get(name: str) -> JobKind:
    """The kind of this name. Raises UnknownKind."""
    try:
        return _kinds[name]
    except KeyError:
        raise UnknownKind(f"Unknown job kind {name}.") from None


def find(name: str) -> JobKind | None:
    """The kind of this name, or None where its room is not installed."""
    return _kinds.get(name)


def label(name: str) -> str:
    """What people read for this kind; its name where its room is not installed."""
    kind = _kinds.get(name)
    return kind.label if kind else name
