from __future__ import annotations

from uuid import UUID

from django.urls import reverse

from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.roof.trace.actions import keep_attribution, keep_neighbours


def neighbours(ctx: JobContext) -> None:
    """Embed the prediction's text and the training items with its version, and save the ten nearest."""
    keep_neighbours(ctx, UUID(ctx.args["prediction"]))


def attribution(ctx: JobContext) -> None:
    """Leave out each word of the prediction's text in turn, and save what that changes."""
    keep_attribution(ctx, UUID(ctx.args["prediction"]))


def page(job: Job) -> str:
    """The page of the result."""
    return reverse("trace:prediction", args=[job.args["prediction"]])
