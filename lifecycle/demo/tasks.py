from __future__ import annotations

from django.urls import reverse

from lifecycle.demo import story
from lifecycle.jobs.context import JobContext
from lifecycle.jobs.models import Job
from registry.access.models import Project


def seed(ctx: JobContext) -> None:
    """Tell the demo's story."""
    story.tell(ctx, Project.objects.get(uuid=ctx.args["project"]))
    ctx.progress(story.STEPS, story.STEPS, stage="The demo is ready", unit="steps")


def page(_job: Job) -> str:
    """Where to look."""
    return reverse("home:home")
