"""What promotions bring to lower rooms."""

from __future__ import annotations

from django.urls import reverse

from lifecycle.jobs.models import Job


def request_url(job: Job) -> str:
    """The page of the request whose gates are checked."""
    return reverse("promotions:detail", args=[job.subject_uuid])
