"""Alerts to read, acknowledge, and resolve; and what was suppressed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.response import Response

from monitoring.alerts import actions, queries
from monitoring.alerts.models import Alert, Check
from monitoring.alerts.rules.state import REASON_MAX, Answer, Severity, State, Why
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, RowOut, operation, page_out

SEE = "alerts.view"


class AlertOut(RowOut[Alert]):
    """An alert. Never contains users' texts."""

    fingerprint = serializers.CharField(help_text="same fingerprint, same alert")
    deployment = serializers.UUIDField(
        source="deployment.uuid", default=None, allow_null=True, help_text="live when the alert first fired"
    )
    source = serializers.CharField(
        help_text="objective, drift, canary, canary_stopped, load, server, heartbeat …"
    )
    severity = serializers.ChoiceField(choices=Severity.choices)
    state = serializers.ChoiceField(choices=State.choices, help_text="send it as `seen`")
    url = serializers.CharField(help_text="path of the page where you can act")
    resolved_by = serializers.UUIDField(
        source="resolved_by.uuid", default=None, allow_null=True, help_text="null: automatically"
    )

    class Meta:
        model = Alert
        fields = [
            "uuid", "fingerprint", "endpoint", "project", "deployment", "source", "severity", "state",
            "title", "text", "url", "value", "count", "first_at", "last_at", "notified_at", "inhibited_by",
            "acknowledged_by", "acknowledged_at", "resolved_at", "resolved_by", "resolution",
        ]  # fmt: skip


class AlertCheckOut(RowOut[Check]):
    """A rule's evaluation; equal results within five minutes share a row."""

    state = serializers.ChoiceField(choices=Answer.choices)
    why = serializers.ChoiceField(choices=Why.choices, allow_blank=True)
    burns = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField(allow_null=True)), help_text="long, short"
    )

    class Meta:
        model = Check
        fields = [
            "rule",
            "endpoint",
            "begin",
            "at",
            "times",
            "state",
            "why",
            "message",
            "value",
            "threshold",
            "burns",
        ]


class AlertDetailOut(AlertOut):
    """An alert with its rule's evaluations."""

    checks = AlertCheckOut(many=True)


class AlertFilterIn(serializers.Serializer[Any]):
    """Which alerts."""

    state = serializers.ChoiceField(choices=State.choices, default="", allow_blank=True)
    severity = serializers.ChoiceField(choices=Severity.choices, default="", allow_blank=True)
    source = serializers.CharField(max_length=40, default="", allow_blank=True)
    endpoint = serializers.UUIDField(required=False)
    before = serializers.IntegerField(required=False, min_value=1, max_value=2**62)


class SuppressedIn(serializers.Serializer[Any]):
    """Which lines of the log."""

    why = serializers.ChoiceField(
        choices=[each for each in Why.choices if each[0]], default="", allow_blank=True
    )
    endpoint = serializers.UUIDField(required=False)
    before = serializers.IntegerField(required=False, min_value=1, max_value=2**62)


class AlertSeenIn(serializers.Serializer[Any]):
    """seen: the alert's state as you read it; 409 if it changed since."""

    seen = serializers.ChoiceField(choices=State.choices)


class AlertResolveIn(AlertSeenIn):
    """What was found."""

    reason = serializers.CharField(max_length=REASON_MAX)


@operation(
    "GET",
    "alerts_list",
    Needs("signed_in"),
    takes=AlertFilterIn,
    gives=page_out(AlertOut, queries.PAGE, "alerts"),
)
def alerts(request: Request, given: dict[str, Any]) -> object:
    """List alerts, newest first, open or resolved."""
    before, endpoint = given.pop("before", None), given.pop("endpoint", "")
    return queries.all_of(request.user, queries.Filters(**given, endpoint=str(endpoint)), before)


@operation("GET", "alerts_read", Needs(SEE, Alert), gives=AlertDetailOut)
def one_alert(request: Request, uuid: UUID) -> Response:
    """Get an alert with its rule's evaluations."""
    alert = queries.visible(request.user).get(uuid=uuid)
    return Response(
        AlertOut(alert).data | {"checks": AlertCheckOut(queries.checks_of(alert), many=True).data}
    )


@operation(
    "POST", "alerts_acknowledge", Needs("alerts.acknowledge", Alert, SEE), takes=AlertSeenIn, gives=AlertOut
)
def acknowledge(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Acknowledge: you own the alert, and it doesn't notify again."""
    actions.acknowledge(alert_id=uuid, actor=request.user, **given)
    return queries.visible(request.user).get(uuid=uuid)


@operation(
    "POST", "alerts_resolve", Needs("alerts.acknowledge", Alert, SEE), takes=AlertResolveIn, gives=AlertOut
)
def resolve(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Resolve with what you found; refused while an objective's burn rate is above its limit."""
    actions.resolve(alert_id=uuid, actor=request.user, **given)
    return queries.visible(request.user).get(uuid=uuid)


@operation(
    "GET",
    "alerts_suppressed",
    Needs("signed_in"),
    takes=SuppressedIn,
    gives=page_out(AlertCheckOut, queries.PAGE, "lines of the log"),
)
def suppressed(request: Request, given: dict[str, Any]) -> object:
    """List conditions that notified no one, and why, newest first."""
    before, endpoint = given.get("before"), str(given.get("endpoint", ""))
    return queries.suppressed(request.user, why=given["why"], endpoint=endpoint, before=before)
