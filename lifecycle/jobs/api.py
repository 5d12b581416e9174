"""Background work over REST."""

from __future__ import annotations

from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from lifecycle.jobs import actions, queries
from lifecycle.jobs.models import Job
from lifecycle.jobs.rules import State
from registry.access.decorators import Needs
from registry.access.rest import Request, View


class JobOut(serializers.Serializer[Job]):
    """A job as programs read it."""

    uuid = serializers.UUIDField()
    kind = serializers.CharField()
    queue = serializers.CharField()
    state = serializers.ChoiceField(choices=State.choices)
    project = serializers.UUIDField(source="project.uuid", default=None)
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


class JobPageOut(serializers.Serializer[object]):
    """Up to 30 jobs, newest first. before: give it as ?before= to get the next page; null on the last."""

    results = JobOut(many=True)
    before = serializers.IntegerField(allow_null=True)


class Jobs(View):
    """The jobs of your projects and those you started."""

    needs = {"GET": Needs("signed_in")}

    @extend_schema(  # type: ignore[untyped-decorator]
        operation_id="jobs_list", responses=JobPageOut, parameters=[OpenApiParameter("before", int), OpenApiParameter("mine", bool)]
    )
    def get(self, request: Request) -> Response:
        """List jobs by keyset."""
        before = request.query_params.get("before", "")
        if before and not (before.isascii() and before.isdigit() and len(before) < 19):
            raise serializers.ValidationError({"before": ["It must be the number that the page before gave."]})
        page = queries.latest(request.user, mine=request.query_params.get("mine") in ("1", "true"), before=int(before) if before else None)
        return Response({"results": [JobOut(line.job).data for line in page.lines], "before": page.before})


class OneJob(View):
    """One job."""

    needs = {"GET": Needs("signed_in")}

    @extend_schema(operation_id="jobs_read", responses=JobOut)  # type: ignore[untyped-decorator]
    def get(self, request: Request, uuid: UUID) -> Response:
        """How far it is."""
        return Response(JobOut(queries.get_visible(request.user, uuid)).data)


class CancelJob(View):
    """Stopping a job."""

    needs = {"POST": Needs("signed_in")}

    @extend_schema(operation_id="jobs_cancel", request=None, responses=JobOut)  # type: ignore[untyped-decorator]
    def post(self, request: Request, uuid: UUID) -> Response:
        """Stop it, at once when it waits, at its next safe point when it runs."""
        job = queries.get_visible(request.user, uuid)
        return Response(JobOut(actions.cancel(job.uuid, request.user)).data)


urlpatterns = [
    path("jobs/", Jobs.as_view(), name="api-jobs"),
    path("jobs/<uuid:uuid>/", OneJob.as_view(), name="api-job"),
    path("jobs/<uuid:uuid>/cancel/", CancelJob.as_view(), name="api-job-cancel"),
]
