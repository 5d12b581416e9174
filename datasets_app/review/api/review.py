"""Adjudication over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework import serializers

from datasets_app.queues.api.work import ValueIn
from datasets_app.queues.models.decisions import Decision
from datasets_app.queues.models.queues import Queue
from datasets_app.review.actions import reviews
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, operation

PAGE = 30


class AdjudicateIn(ValueIn):
    """An adjudicator's label. A reason is required if no annotator gave that value."""

    item = serializers.UUIDField()
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)
    seen = serializers.CharField(required=False, allow_blank=True, default="")


class ResolvedLabelOut(serializers.Serializer[Decision]):
    """The resolved label of an item."""

    uuid = serializers.UUIDField()
    item = serializers.UUIDField(source="item.uuid")
    label = serializers.UUIDField(source="label.uuid", allow_null=True, default=None)  # type: ignore[assignment]
    name = serializers.CharField(source="label.name", allow_null=True, default=None)
    value = serializers.JSONField(help_text="with stable ids; null where `label` has it")
    how = serializers.ChoiceField(choices=Decision.How.choices)
    digest = serializers.CharField()
    created_at = serializers.DateTimeField()


class ReturnIn(serializers.Serializer[Any]):
    """The item to return, and why."""

    item = serializers.UUIDField()
    comment = serializers.CharField(max_length=2000)


class ReturnedOut(serializers.Serializer[Any]):
    """How many annotators get it again."""

    people = serializers.IntegerField()


ADJUDICATE = Needs("labeling.adjudicate", Queue, "labeling.view")


@operation("POST", "labeling_adjudicate", ADJUDICATE, takes=AdjudicateIn, gives=ResolvedLabelOut, status=201)
def adjudicate(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Resolve the label of an item of the queue."""
    return reviews.adjudicate(
        queue_id=uuid,
        item_id=given["item"],
        actor=request.user,
        value=given["value"],
        reason=given["reason"],
        seen=given["seen"],
    )


@operation("POST", "labeling_return", ADJUDICATE, takes=ReturnIn, gives=ReturnedOut)
def return_item(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Return an item to its annotators."""
    people = reviews.return_to_annotators(
        queue_id=uuid, item_id=given["item"], actor=request.user, comment=given["comment"]
    )
    return {"people": people}


urlpatterns = [
    path("labeling/queues/<uuid:uuid>/adjudicate/", adjudicate, name="api-labeling-adjudicate"),
    path("labeling/queues/<uuid:uuid>/return/", return_item, name="api-labeling-return"),
]
