"""Background work over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from lifecycle.jobs import actions, queries
from lifecycle.jobs.models import Job
from lifecycle.jobs.queries import JobLine
from lifecycle.jobs.rules import PRIORITY_WORDS, Device, Priority, State
from lifecycle.ui.addresses import key_in
from registry.access.decorators import Needs
from registry.access.rest import BEFORE, Request, View, page_out


class JobOut(serializers.Serializer[Job]):
    """A job."""

    uuid = serializers.UUIDField()
    kind = serializers.CharField()
    queue = serializers.CharField()
    priority = serializers.ChoiceField(source="priority_word", choices=PRIORITY_WORDS)
    device = serializers.ChoiceField(choices=Device.choices)
    state = serializers.ChoiceField(choices=State.choices)
    project = serializers.UUIDField(source="project.uuid", default=None, allow_null=True)
    subject_type = serializers.CharField()
    subject = serializers.UUIDField(source="subject_uuid", allow_null=True)
    attempt = serializers.IntegerField()
    max_attempts = serializers.IntegerField()
    stage = serializers.CharField()
    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    unit = serializers.CharField()
    rate = serializers.FloatField(allow_null=True)
    message = serializers.CharField()
    error = serializers.CharField()
    next_step = serializers.CharField()
    cancel_requested_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class PriorityIn(serializers.Serializer[Job]):
    """seen: the priority as you read it; if it changed since, nothing happens."""

    priority = serializers.ChoiceField(choices=PRIORITY_WORDS)
    seen = serializers.ChoiceField(choices=PRIORITY_WORDS, required=False, default=None, allow_null=True)


class PlacedJobOut(JobOut):
    """A job with its place in the queue, from 1; null unless it's waiting for a worker."""

    place = serializers.IntegerField(allow_null=True)


class Jobs(View):
    """The jobs of your projects and those you started."""

    needs = {"GET": Needs("signed_in")}

    @extend_schema(  # type: ignore[untyped-decorator]
        operation_id="jobs_list",
        responses=page_out(PlacedJobOut, queries.PAGE, "jobs", name="JobPageOut"),
        parameters=[BEFORE, OpenApiParameter("mine", bool)],
    )
    def get(self, request: Request) -> Response:
        """List jobs, newest first."""
        before = key_in(request.query_params)
        page = queries.latest(request.user, mine=request.query_params.get("mine") in ("1", "true"), before=before)
        return Response({"results": [told(line) for line in page.lines], "before": page.before})


class OneJob(View):
    """One job."""

    needs = {"GET": Needs("signed_in")}

    @extend_schema(operation_id="jobs_read", responses=PlacedJobOut)  # type: ignore[untyped-decorator]
    def get(self, request: Request, uuid: UUID) -> Response:
        """Get a job's progress."""
        return Response(told(queries.line(request.user, queries.get_visible(request.user, uuid))))


class CancelJob(View):
    """Cancel a job."""

    needs = {"POST": Needs("signed_in")}

    @extend_schema(operation_id="jobs_cancel", request=None, responses=PlacedJobOut)  # type: ignore[untyped-decorator]
    def post(self, request: Request, uuid: UUID) -> Response:
        """Cancel a job: immediately if queued, at its next safe point if running."""
        job = queries.get_visible(request.user, uuid)
        return Response(told(queries.line(request.user, actions.cancel(job.uuid, request.user))))


class PrioritiseJob(View):
    """A waiting job's priority."""

    needs = {"POST": Needs("signed_in")}

    @extend_schema(operation_id="jobs_prioritise", request=PriorityIn, responses=PlacedJobOut)  # type: ignore[untyped-decorator]
    def post(self, request: Request, uuid: UUID) -> Response:
        """Change a queued job's priority."""
        job = queries.get_visible(request.user, uuid)
        queries.require_cancel(request.user, job)
        given = PriorityIn(data=request.data)
        given.is_valid(raise_exception=True)
        seen = Priority.of(given.validated_data["seen"]) if given.validated_data["seen"] else None
        job = actions.prioritise(job.uuid, Priority.of(given.validated_data["priority"]), request.user, seen=seen)
        return Response(told(queries.line(request.user, job)))


def told(line: JobLine) -> dict[str, Any]:
    """A job with its place."""
    return {**JobOut(line.job).data, "place": line.place}


urlpatterns = [
    path("jobs/", Jobs.as_view(), name="api-jobs"),
    path("jobs/<uuid:uuid>/", OneJob.as_view(), name="api-job"),
    path("jobs/<uuid:uuid>/cancel/", CancelJob.as_view(), name="api-job-cancel"),
    path("jobs/<uuid:uuid>/priority/", PrioritiseJob.as_view(), name="api-job-priority"),
]
