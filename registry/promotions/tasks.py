"""The background work of promotions: checking gates, and ending what was overtaken."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from lifecycle.ground.jobs.context import JobContext
from registry.ground.access.models import User
from registry.promotions import actions


def check(ctx: JobContext) -> None:
    """Check the gates of a request."""
    args, stages = ctx.args, iter(range(1, 10))
    actions.check(
        request_id=UUID(args["request"]),
        number=args["check"],
        actor=User.objects.filter(uuid=args["actor"]).first(),
        report=lambda stage: ctx.progress(next(stages), 4, stage=stage),
        alive=ctx.raise_if_cancelled,
    )


@shared_task  # type: ignore[untyped-decorator]
def review_open() -> None:
    """End open requests that time or a change has overtaken. Every use asks again; this only keeps the queue
    true.
    """
    actions.review_open()
