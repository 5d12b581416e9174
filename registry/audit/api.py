"""The audit log over REST."""

from __future__ import annotations

from django.http import StreamingHttpResponse
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes
from rest_framework import serializers

from lifecycle.ui.addresses import key_in
from registry.audit import actions, queries
from registry.audit.forms import FilterForm
from registry.ground.access.decorators import Needs
from registry.ground.access.models import ApiToken
from registry.ground.access.rest import BEFORE, Request, operation, page_out
from registry.ground.ledger.models import Event

FILTERS = [
    OpenApiParameter(name, OpenApiTypes.STR, description=text)
    for name, text in {
        "text": "A name, an ID, or the start of a hash.",
        "room": "Such as promotions.",
        "verb": "Such as promotions.approved.",
        "project": "Its uuid.",
        "since": "First day, YYYY-MM-DD.",
        "until": "Last day, YYYY-MM-DD.",
    }.items()
]


class EventOut(serializers.ModelSerializer[Event]):
    """An event; `hash` is the SHA-256 of `canonical`."""

    class Meta:
        model = Event
        fields = [
            "chain",
            "seq",
            "at",
            "verb",
            "actor",
            "object_type",
            "object_id",
            "project",
            "canonical",
            "previous_hash",
            "hash",
        ]


@operation(
    "GET",
    "audit_events_retrieve",
    Needs("signed_in"),
    gives=page_out(EventOut, queries.PAGE, "events", name="EventPage"),
    parameters=[*FILTERS, BEFORE],
)
def events(request: Request) -> object:
    """List events, newest first, 50 a page."""
    filters = FilterForm(request.query_params, user=request.user).filters()
    lines, older = queries.page(request.user, filters, key_in(request.query_params))
    return [line.event for line in lines], older


@operation(
    "POST",
    "audit_export_create",
    Needs("signed_in"),
    gives={(200, "application/x-ndjson"): OpenApiTypes.STR},
    parameters=FILTERS,
    scope=ApiToken.Scope.READ,
)
def export(request: Request) -> StreamingHttpResponse:
    """Export all matching events and the signed checkpoints of their chains; the export is itself
    recorded.
    """
    filters = FilterForm(request.query_params, user=request.user).filters()
    content = actions.export(actor=request.user, filters=filters, form="jsonl")
    return StreamingHttpResponse(content, content_type="application/x-ndjson")


urlpatterns = [
    path("audit/events/", events, name="api-audit-events"),
    path("audit/export/", export, name="api-audit-export"),
]
