"""The catalog's background work. The actor of a job is the person who asked for it."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from lifecycle.ground.jobs.context import JobContext
from registry.catalog import actions
from registry.catalog.models import ModelVersion


def register(ctx: JobContext) -> None:
    """Sign a run's files and write the version."""
    ctx.progress(0, 1, stage="Hashing and signing files")
    actions.seal(ctx.job)
    ctx.progress(1, 1, stage="Registered")


def verify(ctx: JobContext) -> None:
    """Hash a version's files again and verify its signature; what does not hold is quarantined."""
    version = ModelVersion.objects.select_related("model__project", "folder").get(uuid=ctx.args["version"])
    ctx.progress(0, 1, stage="Re-hashing files")
    actions.verify(version)
    ctx.progress(1, 1, stage="Verified")


@shared_task  # type: ignore[untyped-decorator]
def sweep_exports() -> None:
    """Remove exports that no one downloads any more."""
    actions.sweep_exports(timezone.now())
