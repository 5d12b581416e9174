"""Labeling over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app.datasets.models import Dataset
from datasets_app.labeling import actions, queries
from datasets_app.labeling.actions.queues import CHOICES
from datasets_app.labeling.api_quality import urlpatterns as quality_urls
from datasets_app.labeling.models import Annotation, Decision, Label, LabelSchema, Queue
from datasets_app.labeling.rules import LabelSpec
from lifecycle.refusals import Refused
from registry.access.decorators import Needs
from registry.access.models import User
from registry.access.rest import View

PAGE = 30


class LabelIn(serializers.Serializer[Any]):
    """One class of the next version."""

    name = serializers.CharField(max_length=120)
    definition = serializers.CharField(required=False, allow_blank=True, default="")
    examples = serializers.ListField(child=serializers.CharField(), required=False, default=list)
    lookalikes = serializers.ListField(child=serializers.DictField(child=serializers.CharField()), required=False, default=list)
    group = serializers.CharField(required=False, allow_blank=True, default="", max_length=80)
    stable_id = serializers.UUIDField(required=False, allow_null=True, default=None)


class SchemaIn(serializers.Serializer[Any]):
    """The next version of a dataset's labels. seen: the version it was made from; 0 for none."""

    labels = LabelIn(many=True)
    guideline = serializers.CharField(required=False, allow_blank=True, default="")
    seen = serializers.IntegerField(required=False, allow_null=True, default=None)


class LabelOut(serializers.Serializer[Label]):
    """One class of one version."""

    uuid = serializers.UUIDField()
    stable_id = serializers.UUIDField()
    name = serializers.CharField()
    group = serializers.CharField()
    definition = serializers.CharField()
    examples = serializers.JSONField()
    lookalikes = serializers.JSONField()


class SchemaOut(serializers.Serializer[LabelSchema]):
    """One version of a dataset's labels."""

    uuid = serializers.UUIDField()
    version = serializers.IntegerField()
    digest = serializers.CharField()
    guideline = serializers.CharField()
    created_at = serializers.DateTimeField()
    labels = LabelOut(many=True)


class QueueIn(serializers.Serializer[Any]):
    """A new queue."""

    dataset = serializers.UUIDField()
    name = serializers.CharField(max_length=80)
    overlap = serializers.IntegerField(required=False, default=1, min_value=1, max_value=5)
    hidden_share = serializers.IntegerField(required=False, default=20, min_value=0, max_value=100)
    source = serializers.ChoiceField(choices=CHOICES, required=False, default=Queue.Source.UNDECIDED)  # type: ignore[assignment]
    upload = serializers.UUIDField(required=False, allow_null=True, default=None)
    order = serializers.ChoiceField(choices=Queue.Order.choices, required=False, default=Queue.Order.GIVEN)
    due_on = serializers.DateField(required=False, allow_null=True, default=None)
    people = serializers.ListField(child=serializers.UUIDField(), required=False, default=list, max_length=200)


class QueueOut(serializers.Serializer[Queue]):
    """A queue and how far it is."""

    uuid = serializers.UUIDField()
    name = serializers.CharField()
    dataset = serializers.UUIDField(source="dataset.uuid")
    schema = serializers.UUIDField(source="schema.uuid")
    state = serializers.ChoiceField(choices=Queue.State.choices)
    overlap = serializers.IntegerField()
    hidden_share = serializers.IntegerField()
    order = serializers.ChoiceField(choices=Queue.Order.choices)
    due_on = serializers.DateField(allow_null=True)
    items_total = serializers.IntegerField()
    slots_total = serializers.IntegerField()
    slots_done = serializers.IntegerField()
    items_decided = serializers.IntegerField()
    items_disputed = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class QueuePageOut(serializers.Serializer[Any]):
    """Up to 30 queues, newest first. before: give it as ?before= to get the next page; null on the last."""

    results = QueueOut(many=True)
    before = serializers.IntegerField(allow_null=True)


class ClaimIn(serializers.Serializer[Any]):
    """How many items are wanted in hand."""

    k = serializers.IntegerField(required=False, default=5, min_value=1, max_value=20)
    skipped = serializers.BooleanField(required=False, default=False)


class WorkOut(serializers.Serializer[Any]):
    """One leased item. ranks: [[label uuid, score or null], …], empty where suggestions are hidden."""

    slot = serializers.IntegerField()
    token = serializers.CharField()
    item = serializers.UUIDField()
    text = serializers.CharField()
    ranks = serializers.JSONField()
    content = serializers.JSONField(help_text="the dialogue, or the responses with the order in which they are shown")
    proposed = serializers.JSONField(help_text="a suggested value, where the task is not to choose classes")
    suggestion = serializers.IntegerField(allow_null=True)
    note = serializers.CharField()


class SaysIn(serializers.Serializer[Any]):
    """What is said of an item: `label` where the task is one class per text, else `value`, its classes named by uuid or stable id:

    {"labels": [id, …]} or {"spans": [{"start", "end", "label"}, …]}, offsets in Unicode code points, the end exclusive.
    """

    label = serializers.UUIDField(required=False, allow_null=True, default=None)  # type: ignore[assignment]
    value = serializers.JSONField(required=False, allow_null=True, default=None)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        """One of the two, as the value that the task's module reads."""
        if (data["label"] is None) == (data["value"] is None):
            raise serializers.ValidationError({"value": ["Give either label or value."]})
        return {**data, "value": data["value"] or {"label": str(data["label"])}}


class SubmitIn(SaysIn):
    """One answer: a class, or a value of the dataset's task. client_key: made by the client, the same when the answer is sent again."""

    slot = serializers.IntegerField()
    client_key = serializers.UUIDField()
    token = serializers.UUIDField(required=False, allow_null=True, default=None)
    seconds = serializers.FloatField(required=False, default=0, min_value=0)
    suggestion = serializers.IntegerField(required=False, allow_null=True, default=None)
    shown = serializers.ListField(
        child=serializers.IntegerField(), required=False, allow_null=True, default=None, help_text="the order of the responses, as shown"
    )


class SkipIn(serializers.Serializer[Any]):
    """An item that is passed on."""

    slot = serializers.IntegerField()
    client_key = serializers.UUIDField()
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=500)


class UndoIn(serializers.Serializer[Any]):
    """One step back."""

    client_key = serializers.UUIDField()


class AnnotationOut(serializers.Serializer[Annotation]):
    """What was kept."""

    uuid = serializers.UUIDField()
    item = serializers.UUIDField(source="item.uuid")
    action = serializers.ChoiceField(choices=Annotation.Action.choices)
    label = serializers.UUIDField(source="label.uuid", allow_null=True, default=None)  # type: ignore[assignment]
    value = serializers.JSONField(help_text="with stable ids; null where label says it")
    created_at = serializers.DateTimeField()


class DecideIn(SaysIn):
    """A reviewer's decision. A reason is required where nobody gave that answer."""

    item = serializers.UUIDField()
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)
    seen = serializers.CharField(required=False, allow_blank=True, default="")


class DecisionOut(serializers.Serializer[Decision]):
    """The label of an item."""

    uuid = serializers.UUIDField()
    item = serializers.UUIDField(source="item.uuid")
    label = serializers.UUIDField(source="label.uuid", allow_null=True, default=None)  # type: ignore[assignment]
    name = serializers.CharField(source="label.name", allow_null=True, default=None)
    value = serializers.JSONField(help_text="with stable ids; null where label says it")
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


def valid(kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The request's values. Raises ValidationError."""
    read = kind(data=request.data)
    read.is_valid(raise_exception=True)
    values: dict[str, Any] = read.validated_data
    return values


def person(request: Request) -> User:
    """Who asks; every view here needs a signed-in person."""
    return cast(User, request.user)


class Schemas(View):
    """Versions of a dataset's labels."""

    needs = {"GET": Needs("labeling.view", Dataset), "POST": Needs("labeling.manage", Dataset, "labeling.view")}

    @extend_schema(operation_id="labeling_schemas", responses=SchemaOut(many=True))
    def get(self, request: Request, uuid: UUID) -> Response:
        """The newest 30 versions, newest first."""
        dataset = queries.get_dataset(person(request), uuid)
        found = dataset.schemas.prefetch_related("labels").order_by("-version")[:PAGE]
        return Response(SchemaOut(list(found), many=True).data)  # type: ignore[arg-type]

    @extend_schema(operation_id="labeling_publish_schema", request=SchemaIn, responses={201: SchemaOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Publish the next version."""
        data = valid(SchemaIn, request)
        labels = [
            LabelSpec(**{**each, "examples": tuple(each["examples"]), "lookalikes": tuple(each["lookalikes"])}) for each in data["labels"]
        ]
        made = actions.publish_schema(dataset_id=uuid, actor=person(request), labels=labels, guideline=data["guideline"], seen=data["seen"])
        return Response(SchemaOut(made).data, status=201)


class Queues(View):
    """Labeling queues."""

    needs = {"GET": Needs("signed_in"), "POST": Needs("signed_in")}

    @extend_schema(operation_id="labeling_queues", responses=QueuePageOut, parameters=[OpenApiParameter("before", int)])
    def get(self, request: Request) -> Response:
        """The queues that you may see."""
        before = request.query_params.get("before", "")
        rows = queries.queues(person(request))
        found = list((rows.filter(pk__lt=int(before)) if before.isdecimal() and len(before) < 19 else rows)[: PAGE + 1])
        more = found[PAGE - 1].pk if len(found) > PAGE else None
        return Response(QueuePageOut({"results": found[:PAGE], "before": more}).data)

    @extend_schema(operation_id="labeling_open_queue", request=QueueIn, responses={201: QueueOut})
    def post(self, request: Request) -> Response:
        """Open a queue with the newest schema of a dataset."""
        data = valid(QueueIn, request)
        dataset = queries.get_dataset(person(request), data.pop("dataset"))
        wanted = set(data.pop("people"))
        people = list(queries.annotators(dataset).filter(uuid__in=wanted))
        if len(people) < len(wanted):
            told = f"{len(wanted) - len(people)} of the people may not annotate in this dataset."
            raise Refused(told, fields={"people": [told]})
        queue = actions.open_queue(dataset_id=dataset.uuid, actor=person(request), upload_id=data.pop("upload"), people=people, **data)
        return Response(QueueOut(queue).data, status=201)


class OneQueue(View):
    """One queue."""

    needs = {"GET": Needs("labeling.view", Queue)}

    @extend_schema(operation_id="labeling_queue", responses=QueueOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """The queue and how far it is."""
        return Response(QueueOut(queries.get_queue(person(request), uuid)).data)


class Claim(View):
    """Work for one person."""

    needs = {"POST": Needs("labeling.annotate", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_claim", request=ClaimIn, responses=WorkOut(many=True))
    def post(self, request: Request, uuid: UUID) -> Response:
        """The items in your hand and the next ones, leased for 15 minutes."""
        slots = actions.claim(queue_id=uuid, actor=person(request), **valid(ClaimIn, request))
        queue = queries.get_queue(person(request), uuid)
        return Response(WorkOut(queries.bench_items(queue, slots, person(request)), many=True).data)


class Submit(View):
    """Answers."""

    needs = {"POST": Needs("labeling.annotate", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_submit", request=SubmitIn, responses={201: AnnotationOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Keep one answer; the same client_key again returns the first."""
        data = valid(SubmitIn, request)
        made = actions.submit(
            queue_id=uuid, actor=person(request), slot_id=data["slot"], value=data["value"], client_key=data["client_key"],
            token=data["token"], seconds=data["seconds"], suggestion_id=data["suggestion"], shown=data["shown"],
        )  # fmt: skip
        return Response(AnnotationOut(made).data, status=201)


class Skip(View):
    """Items passed on."""

    needs = {"POST": Needs("labeling.annotate", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_skip", request=SkipIn, responses={201: AnnotationOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Pass an item on to others."""
        data = valid(SkipIn, request)
        made = actions.skip(
            queue_id=uuid, actor=person(request), slot_id=data["slot"], client_key=data["client_key"], reason=data["reason"]
        )
        return Response(AnnotationOut(made).data, status=201)


class Undo(View):
    """Steps back."""

    needs = {"POST": Needs("labeling.annotate", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_undo", request=UndoIn, responses=AnnotationOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Take your newest answer or skip back; returns what was undone."""
        undone = actions.undo(queue_id=uuid, actor=person(request), **valid(UndoIn, request))
        return Response(AnnotationOut(undone.annotation).data)


class Decide(View):
    """Decisions of reviewers."""

    needs = {"POST": Needs("labeling.decide", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_decide", request=DecideIn, responses={201: DecisionOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Decide the label of an item of the queue."""
        data = valid(DecideIn, request)
        made = actions.decide(
            queue_id=uuid, item_id=data["item"], actor=person(request), value=data["value"], reason=data["reason"], seen=data["seen"]
        )
        return Response(DecisionOut(made).data, status=201)


class Return(View):
    """Items that are asked about again."""

    needs = {"POST": Needs("labeling.decide", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_return", request=ReturnIn, responses=ReturnedOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Return an item to its annotators."""
        data = valid(ReturnIn, request)
        people = actions.return_to_annotators(queue_id=uuid, item_id=data["item"], actor=person(request), comment=data["comment"])
        return Response({"people": people})


urlpatterns = [
    *quality_urls,
    path("labeling/datasets/<uuid:uuid>/schemas/", Schemas.as_view(), name="api-labeling-schemas"),
    path("labeling/queues/", Queues.as_view(), name="api-labeling-queues"),
    path("labeling/queues/<uuid:uuid>/", OneQueue.as_view(), name="api-labeling-queue"),
    path("labeling/queues/<uuid:uuid>/claim/", Claim.as_view(), name="api-labeling-claim"),
    path("labeling/queues/<uuid:uuid>/submit/", Submit.as_view(), name="api-labeling-submit"),
    path("labeling/queues/<uuid:uuid>/skip/", Skip.as_view(), name="api-labeling-skip"),
    path("labeling/queues/<uuid:uuid>/undo/", Undo.as_view(), name="api-labeling-undo"),
    path("labeling/queues/<uuid:uuid>/decide/", Decide.as_view(), name="api-labeling-decide"),
    path("labeling/queues/<uuid:uuid>/return/", Return.as_view(), name="api-labeling-return"),
]
