"""The catalog's background work. The actor of a job is the person who asked for it."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from lifecycle.jobs.context import JobContext
from registry.access.models import User
from registry.catalog import actions
from registry.catalog.models import ModelVersion


def register(ctx: JobContext) -> None:
    """Sign a run's files and write the version."""
    args = ctx.args
    ctx.progress(0, 1, stage="Hashing and signing the files")
    actions.seal(
        model_id=UUID(args["model"]), run_id=UUID(args["run"]), semver=args["semver"], stated=args["stated"],
        actor=User.objects.get(uuid=args["actor"]), by_system=bool(args.get("by_system")),
    )  # fmt: skip
    ctx.progress(1, 1, stage="Registered")


def verify(ctx: JobContext) -> None:
    """Hash a version's files again and verify its signature; what does not hold is quarantined."""
    version = ModelVersion.objects.select_related("model__project", "folder").get(uuid=ctx.args["version"])
    ctx.progress(0, 1, stage="Hashing the files again")
    actions.verify(version)
    ctx.progress(1, 1, stage="Verified")


@shared_task  # type: ignore[untyped-decorator]
def sweep_exports() -> None:
    """Remove exports that nobody downloads any more."""
    actions.sweep_exports(timezone.now())
