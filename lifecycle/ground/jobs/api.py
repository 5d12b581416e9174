"""Background work over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.response import Response

from lifecycle.ground.jobs import actions, queries
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.queries import JobLine
from lifecycle.ground.jobs.rules import PRIORITY_WORDS, Device, Priority, State
from lifecycle.ui.addresses import key_in
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import BEFORE, Request, RowOut, operation, page_out, read


class JobOut(RowOut[Job]):
    """A job."""

    priority = serializers.ChoiceField(source="priority_word", choices=PRIORITY_WORDS)
    device = serializers.ChoiceField(choices=Device.choices)
    state = serializers.ChoiceField(choices=State.choices)
    subject = serializers.UUIDField(source="subject_uuid", allow_null=True)
    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)

    class Meta:
        model = Job
        fields = [
            "uuid", "kind", "queue", "priority", "device", "state", "project", "subject_type", "subject",
            "subject_name", "attempt", "max_attempts", "stage", "done", "total", "unit", "rate", "message",
            "error", "next_step", "cancel_requested_at", "created_at", "started_at", "finished_at",
        ]  # fmt: skip


class PriorityIn(serializers.Serializer[Job]):
    """seen: the priority as you read it; if it changed since, nothing happens."""

    priority = serializers.ChoiceField(choices=PRIORITY_WORDS)
    seen = serializers.ChoiceField(choices=PRIORITY_WORDS, required=False, default=None, allow_null=True)


class PlacedJobOut(JobOut):
    """A job with its place in the queue, from 1; null unless it's waiting for a worker."""

    place = serializers.IntegerField(allow_null=True)


@operation(
    "GET",
    "jobs_list",
    Needs("signed_in"),
    gives=page_out(PlacedJobOut, queries.PAGE, "jobs", name="JobPageOut"),
    parameters=[BEFORE, OpenApiParameter("mine", bool)],
)
def jobs(request: Request) -> Response:
    """List jobs, newest first."""
    before = key_in(request.query_params)
    page = queries.latest(request.user, mine=request.query_params.get("mine") in ("1", "true"), before=before)
    return Response({"results": [job_data(line) for line in page.lines], "before": page.before})


@operation("GET", "jobs_read", Needs("signed_in"), gives=PlacedJobOut)
def one_job(request: Request, uuid: UUID) -> Response:
    """Get a job's progress."""
    return Response(job_data(queries.line(request.user, queries.get_visible(request.user, uuid))))


@operation("POST", "jobs_cancel", Needs("signed_in"), gives=PlacedJobOut)
def cancel_job(request: Request, uuid: UUID) -> Response:
    """Cancel a job: immediately if queued, at its next safe point if running."""
    job = queries.get_visible(request.user, uuid)
    return Response(job_data(queries.line(request.user, actions.cancel(job.uuid, request.user))))


@operation("POST", "jobs_prioritise", Needs("signed_in"), body=PriorityIn, gives=PlacedJobOut)
def prioritise_job(request: Request, uuid: UUID) -> Response:
    """Change a queued job's priority."""
    job = queries.get_visible(request.user, uuid)
    queries.require_cancel(request.user, job)
    given = read(PriorityIn, request.data)
    seen = Priority.of(given["seen"]) if given["seen"] else None
    job = actions.prioritise(job.uuid, Priority.of(given["priority"]), request.user, seen=seen)
    return Response(job_data(queries.line(request.user, job)))


def job_data(line: JobLine) -> dict[str, Any]:
    """Serialize a job with its place in the queue."""
    return {**JobOut(line.job).data, "place": line.place}


urlpatterns = [
    path("jobs/", jobs, name="api-jobs"),
    path("jobs/<uuid:uuid>/", one_job, name="api-job"),
    path("jobs/<uuid:uuid>/cancel/", cancel_job, name="api-job-cancel"),
    path("jobs/<uuid:uuid>/priority/", prioritise_job, name="api-job-priority"),
]
