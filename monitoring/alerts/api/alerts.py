"""Alerts to read, to take and to end; and what was not said."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from monitoring.alerts import actions, queries
from monitoring.alerts.models import Alert, Check
from monitoring.alerts.rules.state import REASON_MAX, Answer, Severity, State, Why
from registry.access.decorators import Needs
from registry.access.rest import Request, View, read

SEE = "alerts.view"
BEFORE = OpenApiParameter("before", int, description="the key that the page before gave")


class AlertOut(serializers.Serializer[Alert]):
    """An alert. Everything said is of the product, never a user's text."""

    uuid = serializers.UUIDField()
    fingerprint = serializers.CharField(help_text="equal ones are the same alert")
    endpoint = serializers.UUIDField(source="endpoint.uuid", default=None, allow_null=True)
    project = serializers.UUIDField(source="project.uuid")
    deployment = serializers.UUIDField(source="deployment.uuid", default=None, allow_null=True, help_text="live when it began")
    source = serializers.CharField(help_text="objective, drift, canary, canary_stopped, load, server, heartbeat …")
    severity = serializers.ChoiceField(choices=Severity.choices)
    state = serializers.ChoiceField(choices=State.choices, help_text="give it as `seen`")
    title = serializers.CharField()
    text = serializers.CharField()
    url = serializers.CharField(help_text="a path on this site where something can be done")
    value = serializers.FloatField(allow_null=True)
    count = serializers.IntegerField()
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()
    told_at = serializers.DateTimeField(allow_null=True)
    inhibited_by = serializers.UUIDField(source="inhibited_by.uuid", default=None, allow_null=True)
    acknowledged_by = serializers.UUIDField(source="acknowledged_by.uuid", default=None, allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    resolved_at = serializers.DateTimeField(allow_null=True)
    resolved_by = serializers.UUIDField(source="resolved_by.uuid", default=None, allow_null=True, help_text="null: by itself")
    resolution = serializers.CharField()


class AlertCheckOut(serializers.Serializer[Check]):
    """What a rule came to; equal answers within five minutes are one."""

    rule = serializers.CharField()
    endpoint = serializers.UUIDField(source="endpoint.uuid", default=None, allow_null=True)
    begin = serializers.DateTimeField()
    at = serializers.DateTimeField()
    times = serializers.IntegerField()
    state = serializers.ChoiceField(choices=Answer.choices)
    why = serializers.ChoiceField(choices=Why.choices, allow_blank=True)
    said = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    threshold = serializers.FloatField(allow_null=True)
    burns = serializers.ListField(child=serializers.ListField(child=serializers.FloatField(allow_null=True)), help_text="long, short")


class AlertDetailOut(AlertOut):
    """An alert with what its rule measured."""

    checks = AlertCheckOut(many=True)


class AlertPageOut(serializers.Serializer[Any]):
    """Up to 30 alerts, newest first. before: give it as ?before= to get the next page; null on the last."""

    results = AlertOut(many=True)
    before = serializers.IntegerField(allow_null=True)


class AlertCheckPageOut(serializers.Serializer[Any]):
    """Up to 30 lines of the log, newest first."""

    results = AlertCheckOut(many=True)
    before = serializers.IntegerField(allow_null=True)


class AlertFilterIn(serializers.Serializer[Any]):
    """Which alerts."""

    state = serializers.ChoiceField(choices=State.choices, default="", allow_blank=True)
    severity = serializers.ChoiceField(choices=Severity.choices, default="", allow_blank=True)
    source = serializers.CharField(max_length=40, default="", allow_blank=True)
    endpoint = serializers.UUIDField(required=False)
    before = serializers.IntegerField(required=False, min_value=1, max_value=2**62)


class SuppressedIn(serializers.Serializer[Any]):
    """Which lines of the log."""

    why = serializers.ChoiceField(choices=[each for each in Why.choices if each[0]], default="", allow_blank=True)
    endpoint = serializers.UUIDField(required=False)
    before = serializers.IntegerField(required=False, min_value=1, max_value=2**62)


class AlertSeenIn(serializers.Serializer[Any]):
    """seen: the alert's state when you looked; 409 when it moved since."""

    seen = serializers.ChoiceField(choices=State.choices)


class AlertResolveIn(AlertSeenIn):
    """What was found."""

    reason = serializers.CharField(max_length=REASON_MAX)


class Alerts(View):
    """The alerts that you may see."""

    needs = {"GET": Needs("signed_in")}

    @extend_schema(
        operation_id="alerts_list", responses=AlertPageOut,
        parameters=[
            OpenApiParameter("state", str), OpenApiParameter("severity", str), OpenApiParameter("source", str),
            OpenApiParameter("endpoint", UUID), BEFORE,
        ],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """Newest first, open or over."""
        given = read(AlertFilterIn, request.query_params)
        before, endpoint = given.pop("before", None), given.pop("endpoint", "")
        rows, older = queries.all_of(request.user, queries.Filters(**given, endpoint=str(endpoint)), before)
        return Response({"results": AlertOut(rows, many=True).data, "before": older})


class OneAlert(View):
    """One alert."""

    needs = {"GET": Needs(SEE, Alert)}

    @extend_schema(operation_id="alerts_read", responses=AlertDetailOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """The alert with what its rule measured."""
        alert = queries.visible(request.user).get(uuid=uuid)
        return Response(AlertOut(alert).data | {"checks": AlertCheckOut(queries.checks_of(alert), many=True).data})


class Acknowledge(View):
    """Taking an alert."""

    needs = {"POST": Needs("alerts.acknowledge", Alert, SEE)}

    @extend_schema(operation_id="alerts_acknowledge", request=AlertSeenIn, responses=AlertOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Say that you look after it: it is not said again."""
        actions.acknowledge(alert_id=uuid, actor=request.user, **read(AlertSeenIn, request.data))
        return Response(AlertOut(queries.visible(request.user).get(uuid=uuid)).data)


class Resolve(View):
    """Ending an alert by hand."""

    needs = {"POST": Needs("alerts.acknowledge", Alert, SEE)}

    @extend_schema(operation_id="alerts_resolve", request=AlertResolveIn, responses=AlertOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """End it with what was found; one of an objective that still burns is refused."""
        actions.resolve(alert_id=uuid, actor=request.user, **read(AlertResolveIn, request.data))
        return Response(AlertOut(queries.visible(request.user).get(uuid=uuid)).data)


class Suppressed(View):
    """What was not said."""

    needs = {"GET": Needs("signed_in")}

    @extend_schema(
        operation_id="alerts_suppressed", responses=AlertCheckPageOut,
        parameters=[OpenApiParameter("why", str), OpenApiParameter("endpoint", UUID), BEFORE],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """What looked wrong and told nobody, with why, newest first."""
        given = read(SuppressedIn, request.query_params)
        rows, older = queries.suppressed(
            request.user, why=given["why"], endpoint=str(given.get("endpoint", "")), before=given.get("before")
        )
        return Response({"results": AlertCheckOut(rows, many=True).data, "before": older})
