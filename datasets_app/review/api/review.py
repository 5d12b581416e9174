"""Decisions of reviewers over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.queues.api.work import ValueIn
from datasets_app.queues.models.decisions import Decision
from datasets_app.queues.models.queues import Queue
from datasets_app.review.actions.reviews import decide, return_to_annotators
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View, read

PAGE = 30


class DecideIn(ValueIn):
    """A reviewer's decision. A reason is required if no annotator gave that value."""

    item = serializers.UUIDField()
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)
    seen = serializers.CharField(required=False, allow_blank=True, default="")


class DecisionOut(serializers.Serializer[Decision]):
    """The label of an item."""

    uuid = serializers.UUIDField()
    item = serializers.UUIDField(source="item.uuid")
    label = serializers.UUIDField(source="label.uuid", allow_null=True, default=None)  # type: ignore[assignment]
    name = serializers.CharField(source="label.name", allow_null=True, default=None)
    value = serializers.JSONField(help_text="with stable ids; null where `label` has it")
    how = serializers.ChoiceField(choices=Decision.How.choices)
    digest = serializers.CharField()
    created_at = serializers.DateTimeField()


class ReturnIn(serializers.Serializer[Any]):
    """An item that its annotators are asked about again."""

    item = serializers.UUIDField()
    comment = serializers.CharField(max_length=2000)


class ReturnedOut(serializers.Serializer[Any]):
    """How many people are asked again."""

    people = serializers.IntegerField()


class Decide(View):
    """Decisions of reviewers."""

    needs = {"POST": Needs("labeling.decide", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_decide", request=DecideIn, responses={201: DecisionOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Decide the label of an item of the queue."""
        data = read(DecideIn, request.data)
        made = decide(
            queue_id=uuid,
            item_id=data["item"],
            actor=request.user,
            value=data["value"],
            reason=data["reason"],
            seen=data["seen"],
        )
        return Response(DecisionOut(made).data, status=201)


class Return(View):
    """Items that are asked about again."""

    needs = {"POST": Needs("labeling.decide", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_return", request=ReturnIn, responses=ReturnedOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Return an item to its annotators."""
        data = read(ReturnIn, request.data)
        people = return_to_annotators(
            queue_id=uuid, item_id=data["item"], actor=request.user, comment=data["comment"]
        )
        return Response({"people": people})


urlpatterns = [
    path("labeling/queues/<uuid:uuid>/decide/", Decide.as_view(), name="api-labeling-decide"),
    path("labeling/queues/<uuid:uuid>/return/", Return.as_view(), name="api-labeling-return"),
]
