"""Silences, to begin and to end."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone
from rest_framework import serializers

from monitoring.alerts import actions, queries
from monitoring.alerts.api.place import place
from monitoring.alerts.models import Silence
from monitoring.alerts.rules.state import REASON_MAX
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, RowOut, operation

SEE = "alerts.view"


class SilenceIn(serializers.Serializer[Any]):
    """What to silence, until when, and why. Without an endpoint: the whole project."""

    project = serializers.UUIDField(required=False)
    endpoint = serializers.UUIDField(required=False)
    source = serializers.CharField(max_length=40, default="", allow_blank=True, help_text="empty: any rule")
    until = serializers.DateTimeField(help_text="at most seven days ahead")
    reason = serializers.CharField(max_length=REASON_MAX)


class SilenceOut(RowOut[Silence]):
    """A silence."""

    class Meta:
        model = Silence
        fields = [
            "uuid",
            "project",
            "endpoint",
            "source",
            "until",
            "reason",
            "author",
            "created_at",
            "ended_at",
        ]


class SilencesOut(serializers.Serializer[Any]):
    """Active silences, next to end first."""

    results = SilenceOut(many=True)


@operation("GET", "silences_list", Needs("signed_in"), gives=SilencesOut)
def silences(request: Request) -> object:
    """List active silences."""
    hold, _ = queries.silences(request.user, timezone.now())
    return {"results": hold}


@operation("POST", "silences_create", Needs("signed_in"), takes=SilenceIn, gives=SilenceOut, status=201)
def silence(request: Request, given: dict[str, Any]) -> object:
    """Silence notifications for an endpoint or a project; alerts are still raised and shown."""
    project, endpoint = place(request.user, given.pop("project", None), given.pop("endpoint", None))
    return actions.silence(project=project, endpoint=endpoint, actor=request.user, **given)


@operation("POST", "silences_end", Needs("alerts.silence", Silence, SEE), gives=SilenceOut)
def end_silence(request: Request, uuid: UUID) -> object:
    """End a silence."""
    return actions.end_silence(silence_id=uuid, actor=request.user)
