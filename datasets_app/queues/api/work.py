"""An annotator's work over REST: the same actions and permissions as the bench."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.queues.actions.answers import skip, submit, undo
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.masks import unmask
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.bench import bench_items
from datasets_app.queues.queries.gold import GoldResult, gold_result
from datasets_app.queues.queries.pages import get_queue
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View, read

PAGE = 30


class ClaimIn(serializers.Serializer[Any]):
    """How many items are wanted in hand."""

    k = serializers.IntegerField(required=False, default=5, min_value=1, max_value=20)
    skipped = serializers.BooleanField(required=False, default=False)


class WorkOut(serializers.Serializer[Any]):
    """One leased item. slot, suggestion: numbers to send back as they are. ranks: [[label uuid, score or
    null], …], empty where hidden.
    """

    slot = serializers.IntegerField()
    token = serializers.CharField()
    item = serializers.UUIDField()
    text = serializers.CharField()
    ranks = serializers.JSONField()
    content = serializers.JSONField(help_text="the chat, or the responses in the order shown")
    proposed = serializers.JSONField(help_text="a pre-labeled value, for tasks other than choosing labels")
    suggestion = serializers.IntegerField(allow_null=True)
    note = serializers.CharField()


class ValueIn(serializers.Serializer[Any]):
    """The annotation of an item: `label` for single-label tasks, else `value`, its labels by name, uuid or
    stable id:

    {"labels": [id, …]} or {"spans": [{"start", "end", "label"}, …]}, offsets in Unicode code points, the end
    exclusive.
    """

    label = serializers.UUIDField(required=False, allow_null=True, default=None)  # type: ignore[assignment]
    value = serializers.JSONField(required=False, allow_null=True, default=None)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        """Exactly one of the two, as the value for the task's parser."""
        if (data["label"] is None) == (data["value"] is None):
            raise serializers.ValidationError({"value": ["Send either label or value."]})
        return {**data, "value": data["value"] or {"label": str(data["label"])}}


class SubmitIn(ValueIn):
    """One answer: a class, or a value of the dataset's task. client_key: made by the client, the same when
    the answer is sent again.
    """

    slot = serializers.IntegerField()
    client_key = serializers.UUIDField()
    token = serializers.UUIDField(required=False, allow_null=True, default=None)
    seconds = serializers.FloatField(required=False, default=0, min_value=0)
    suggestion = serializers.IntegerField(required=False, allow_null=True, default=None)
    shown = serializers.ListField(
        child=serializers.IntegerField(),
        required=False,
        allow_null=True,
        default=None,
        help_text="the order in which the responses were shown",
    )

    def validate_slot(self, masked: int) -> int:
        """The key of the slot."""
        return unmask(masked, "slot")

    def validate_suggestion(self, masked: int | None) -> int | None:
        """The key of the suggestion."""
        return unmask(masked, "suggestion") if masked else None


class SkipIn(serializers.Serializer[Any]):
    """An item that is passed on."""

    slot = serializers.IntegerField()
    client_key = serializers.UUIDField()
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=500)

    def validate_slot(self, masked: int) -> int:
        """The key of the slot."""
        return unmask(masked, "slot")


class UndoIn(serializers.Serializer[Any]):
    """One step back."""

    client_key = serializers.UUIDField()


class GoldResultOut(serializers.Serializer[GoldResult]):
    """The result on a gold item. known: in words; value: with stable ids."""

    right = serializers.BooleanField()
    known = serializers.CharField()
    value = serializers.JSONField()
    explanation = serializers.CharField()


class AnnotationOut(serializers.Serializer[Annotation]):
    """What was kept."""

    uuid = serializers.UUIDField()
    item = serializers.UUIDField(source="item.uuid")
    action = serializers.ChoiceField(choices=Annotation.Action.choices)
    label = serializers.UUIDField(source="label.uuid", allow_null=True, default=None)  # type: ignore[assignment]
    value = serializers.JSONField(help_text="with stable ids; null where `label` has it")
    created_at = serializers.DateTimeField()


class SubmittedOut(AnnotationOut):
    """What was kept. gold: your result, in queues that show it; else null."""

    gold = serializers.SerializerMethodField("result")

    @extend_schema_field(GoldResultOut(allow_null=True))
    def result(self, made: Annotation) -> dict[str, Any] | None:
        """Whether it was right, and the gold label."""
        result = gold_result(made.queue, made)
        return dict(GoldResultOut(result).data) if result else None


class Claim(View):
    """Work for one person."""

    needs = {"POST": Needs("labeling.annotate", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_claim", request=ClaimIn, responses=WorkOut(many=True))
    def post(self, request: Request, uuid: UUID) -> Response:
        """The items in your hand and the next ones, leased for 15 minutes."""
        slots = claim(queue_id=uuid, actor=request.user, **read(ClaimIn, request.data))
        queue = get_queue(request.user, uuid)
        return Response(WorkOut(bench_items(queue, slots, request.user), many=True).data)


class Submit(View):
    """Answers."""

    needs = {"POST": Needs("labeling.annotate", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_submit", request=SubmitIn, responses={201: SubmittedOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Keep one answer; the same client_key again returns the first."""
        data = read(SubmitIn, request.data)
        made = submit(
            queue_id=uuid,
            actor=request.user,
            slot_id=data["slot"],
            value=data["value"],
            client_key=data["client_key"],
            token=data["token"],
            seconds=data["seconds"],
            suggestion_id=data["suggestion"],
            shown=data["shown"],
        )
        return Response(SubmittedOut(made).data, status=201)


class Skip(View):
    """Items passed on."""

    needs = {"POST": Needs("labeling.annotate", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_skip", request=SkipIn, responses={201: AnnotationOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Pass an item on to others."""
        data = read(SkipIn, request.data)
        made = skip(
            queue_id=uuid,
            actor=request.user,
            slot_id=data["slot"],
            client_key=data["client_key"],
            reason=data["reason"],
        )
        return Response(AnnotationOut(made).data, status=201)


class Undo(View):
    """Steps back."""

    needs = {"POST": Needs("labeling.annotate", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_undo", request=UndoIn, responses=AnnotationOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Take your newest answer or skip back; returns what was undone."""
        undone = undo(queue_id=uuid, actor=request.user, **read(UndoIn, request.data))
        return Response(AnnotationOut(undone.annotation).data)


urlpatterns = [
    path("labeling/queues/<uuid:uuid>/claim/", Claim.as_view(), name="api-labeling-claim"),
    path("labeling/queues/<uuid:uuid>/submit/", Submit.as_view(), name="api-labeling-submit"),
    path("labeling/queues/<uuid:uuid>/skip/", Skip.as_view(), name="api-labeling-skip"),
    path("labeling/queues/<uuid:uuid>/undo/", Undo.as_view(), name="api-labeling-undo"),
]
