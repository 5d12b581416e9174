"""The context of a running handler: its job, its progress, and the three reasons to stop."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from lifecycle.ground.jobs import rules
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State

log = logging.getLogger(__name__)
stopping = threading.Event()  # this worker process was asked to leave


class Stop(Exception):
    """The handler must end now. It is raised by `raise_if_cancelled` and understood by the runner."""


class Cancelled(Stop):
    """A person asked for the job to be cancelled."""


class Released(Stop):
    """This worker shuts down; another one continues from the checkpoint."""


class LeaseLost(Stop):
    """Another worker holds the job now: write nothing more."""


class JobContext:
    """A running job, as passed to its handler.

    Progress is kept here and written by the heartbeat, so that it never waits for (or in) the handler's own
    transactions. beating: False where no heartbeat thread runs (tests): progress is then written when the
    handler next asks whether to stop.
    """

    def __init__(self, job: Job, *, beating: bool) -> None:
        self.job = job
        self._beating = beating
        self._lock = threading.Lock()
        self._lost, self._cancelled = threading.Event(), threading.Event()
        self._dirty = False
        self._stage_began = (time.monotonic(), job.done)

    @property
    def args(self) -> dict[str, Any]:
        """The args of enqueue()."""
        args: dict[str, Any] = self.job.args
        return args

    @property
    def cancelled(self) -> bool:
        """Whether a person asked for the job to be cancelled."""
        if not self._beating:
            self.beat(renew=self._dirty)
        return self._cancelled.is_set()

    @property
    def lost(self) -> bool:
        """Whether another worker may hold the job: the handler must stop without writing."""
        return self._lost.is_set()

    @property
    def stopping(self) -> bool:
        """Whether this worker process leaves and the job is to continue elsewhere."""
        return stopping.is_set()

    def lose(self) -> None:
        """Record that the lease may be lost."""
        self._lost.set()

    def raise_if_cancelled(self) -> None:
        """End the handler when there is any reason to: call it once per batch. Raises LeaseLost, Cancelled or
        Released.
        """
        requested = self.cancelled
        if self.lost:
            raise LeaseLost
        if requested:
            raise Cancelled
        if self.stopping:
            raise Released

    def progress(
        self,
        done: int,
        total: int | None = None,
        *,
        stage: str | None = None,
        unit: str | None = None,
        message: str | None = None,
    ) -> None:
        """Report progress. Cheap: it is written about once a second. Omitted values stay; a new stage resets
        the total.
        """
        with self._lock:
            job = self.job
            if stage is not None and stage != job.stage:
                job.stage, job.total, job.rate = stage[:120], None, None
                self._stage_began = (time.monotonic(), done)
            began, done_then = self._stage_began
            job.done = done
            job.total = total if total is not None else job.total
            job.unit = unit if unit is not None else job.unit
            job.message = message[:500] if message is not None else job.message
            job.rate = (
                rules.rate(done_then=done_then, done_now=done, seconds=time.monotonic() - began) or job.rate
            )
            self._dirty = True

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Keep where to continue after a crash, in the caller's transaction if there is one. Raises
        LeaseLost.
        """
        if not self._row().update(checkpoint=state):
            self._lost.set()
            raise LeaseLost
        self.job.checkpoint = state

    def hold(self) -> None:
        """Lock the job's row until the caller's transaction ends: what it writes counts only while the lease
        is held. Raises LeaseLost.
        """
        if not self._row().select_for_update().values_list("pk", flat=True).first():
            self._lost.set()
            raise LeaseLost

    def beat(self, *, renew: bool) -> None:
        """Write progress if there is news, renew the lease if asked, and learn of a cancel. Sets `lost` when
        the row is no longer ours.

        One statement where something is written and no one has asked for a cancel.
        """
        if self._write(self._row().filter(cancel_requested_at=None), renew=renew):
            return
        self.write(renew=renew)
        requested = (
            list(self._row().values_list("cancel_requested_at", flat=True)[:1]) if not self.lost else []
        )
        if not requested:
            self._lost.set()
        elif requested[0] is not None:
            self._cancelled.set()

    def write(self, *, renew: bool) -> None:
        """Write progress if there is news, and renew the lease if asked. Sets `lost` when the row is no
        longer ours.
        """
        if self._write(self._row(), renew=renew) is False:
            self._lost.set()

    def _write(self, row: Any, *, renew: bool) -> bool | None:
        """Whether the row took it; None where there was nothing to write. What it did not take is still
        news.
        """
        with self._lock:
            news = self._news() if self._dirty else {}
            self._dirty = False
        now = timezone.now()
        values = news | ({"heartbeat_at": now, "lease_until": now + lease_time()} if renew else {})
        taken = False
        try:
            taken = bool(values and row.update(**values))
        finally:
            if not taken:
                self._dirty = self._dirty or bool(news)
        return taken if values else None

    def _news(self) -> dict[str, Any]:
        job = self.job
        return {
            "stage": job.stage,
            "done": job.done,
            "total": job.total,
            "unit": job.unit,
            "rate": job.rate,
            "message": job.message,
        }

    def _row(self) -> Any:
        return Job.objects.filter(pk=self.job.pk, state=State.RUNNING, lease_token=self.job.lease_token)


def lease_time() -> timedelta:
    """How long a job stays with a worker without a heartbeat."""
    return timedelta(seconds=settings.JOB_LEASE_SECONDS)


class Heart:
    """The thread that keeps a lease alive, with its own database connection. Use it as a context manager
    around the handler.
    """

    def __init__(self, ctx: JobContext) -> None:
        self._ctx = ctx
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"heart-{ctx.job.uuid}", daemon=True)

    def __enter__(self) -> Heart:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        alive_until = time.monotonic() + lease_time().total_seconds()
        next_renewal = 0.0
        try:
            while not self._end.wait(rules.TICK_SECONDS) and not self._ctx.lost:
                renew = time.monotonic() >= next_renewal
                try:
                    self._ctx.beat(renew=renew)
                except DatabaseError as error:
                    log.warning("heartbeat_failed job=%s error=%s", self._ctx.job.uuid, type(error).__name__)
                    connection.close()
                    if time.monotonic() > alive_until:
                        self._ctx.lose()
                    continue
                if renew:
                    next_renewal = time.monotonic() + rules.heartbeat_seconds(lease_time().total_seconds())
                    alive_until = time.monotonic() + lease_time().total_seconds()
        finally:
            connection.close()
