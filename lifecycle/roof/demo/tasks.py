from __future__ import annotations

from django.urls import reverse

from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.roof.demo import story
from registry.ground.access.models import Project


def seed(ctx: JobContext) -> None:
    """Seed the demo."""
    story.run(ctx, Project.objects.get(uuid=ctx.args["project"]))
    ctx.progress(story.STEPS, story.STEPS, stage="The demo is ready", unit="steps")


def page(_job: Job) -> str:
    """The page of the result."""
    return reverse("home:home")
