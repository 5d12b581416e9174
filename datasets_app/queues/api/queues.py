"""Labeling queues over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.datasets.models import Dataset
from datasets_app.prelabels.rules import Proposer
from datasets_app.queues.actions.managing import change_queue, close_queue, pause_queue, prefer, resume_queue
from datasets_app.queues.actions.opening import CHOICES, open_queue
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.pages import annotators, as_seen_by, chosen_items, get_queue, queues
from datasets_app.queues.rules import GOLD_MOST
from datasets_app.schemas.queries.schemas import get_dataset
from datasets_app.schemas.rules import BATCH
from lifecycle.runtime.refusals import Refused
from lifecycle.ui.addresses import key_in
from registry.ground.access.api import PersonOut
from registry.ground.access.decorators import Needs
from registry.ground.access.models import User
from registry.ground.access.rest import IS_UUID, Request, View, chosen, read

PAGE = 30
FILTERS = {
    "dataset": ("dataset__uuid", IS_UUID),
    "project": ("dataset__project__uuid", IS_UUID),
    "name": ("name", serializers.CharField(max_length=80)),
    "state": ("state", serializers.ChoiceField(choices=Queue.State.choices)),
}
PARAMETERS = [
    OpenApiParameter("before", int),
    OpenApiParameter("dataset", UUID),
    OpenApiParameter("project", UUID),
    OpenApiParameter("name", str),
    OpenApiParameter("state", str, enum=[state for state, _ in Queue.State.choices]),
]


class QueueIn(serializers.Serializer[Any]):
    """A new queue."""

    dataset = serializers.UUIDField()
    name = serializers.CharField(max_length=80)
    overlap = serializers.IntegerField(required=False, default=1, min_value=1, max_value=5)
    hidden_share = serializers.IntegerField(required=False, default=20, min_value=0, max_value=100)
    source = serializers.ChoiceField(choices=CHOICES, required=False, default=Queue.Source.UNDECIDED)  # type: ignore[assignment]
    upload = serializers.UUIDField(required=False, allow_null=True, default=None)
    slice = serializers.UUIDField(required=False, allow_null=True, default=None)
    items = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        default=list,
        max_length=BATCH,
        help_text="for the source items, in the order given",
    )
    order = serializers.ChoiceField(choices=Queue.Order.choices, required=False, default=Queue.Order.GIVEN)
    acceptance = serializers.ChoiceField(
        choices=Queue.Acceptance.choices, required=False, default=Queue.Acceptance.RULE
    )
    due_on = serializers.DateField(required=False, allow_null=True, default=None)
    gold_rate = serializers.IntegerField(
        required=False,
        default=0,
        min_value=0,
        max_value=GOLD_MOST,
        help_text="share of a person's items that are gold, in percent",
    )
    gold_feedback = serializers.BooleanField(required=False, default=False)
    gold_minimum = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=100
    )
    gold_holds = serializers.BooleanField(required=False, default=False)
    people = serializers.ListField(
        child=serializers.UUIDField(), required=False, default=list, max_length=200
    )


class QueueOut(serializers.Serializer[Queue]):
    """A queue and its progress. With gold items, people who don't manage it get counts that hide single
    annotations: gold annotations are included, and resolved and disputed items are rounded down to tens.
    """

    uuid = serializers.UUIDField()
    name = serializers.CharField()
    dataset = serializers.UUIDField(source="dataset.uuid")
    schema = serializers.UUIDField(source="schema.uuid")
    state = serializers.ChoiceField(choices=Queue.State.choices)
    overlap = serializers.IntegerField()
    hidden_share = serializers.IntegerField()
    source = serializers.ChoiceField(choices=Queue.Source.choices)  # type: ignore[assignment]
    order = serializers.ChoiceField(choices=Queue.Order.choices)
    acceptance = serializers.ChoiceField(choices=Queue.Acceptance.choices)
    due_on = serializers.DateField(allow_null=True)
    gold_rate = serializers.IntegerField()
    gold_feedback = serializers.BooleanField()
    gold_minimum = serializers.IntegerField(allow_null=True)
    gold_holds = serializers.BooleanField()
    items_total = serializers.IntegerField()
    slots_total = serializers.IntegerField()
    slots_done = serializers.IntegerField()
    items_decided = serializers.IntegerField()
    items_agreed = serializers.IntegerField(help_text="waiting for an adjudicator to accept them")
    items_disputed = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class OneQueueOut(QueueOut):
    """The same with its assigned annotators; empty if every annotator gets its items."""

    people = serializers.SerializerMethodField()

    @extend_schema_field(PersonOut(many=True))  # type: ignore[untyped-decorator]
    def get_people(self, row: Queue) -> Any:
        """By name."""
        return PersonOut(row.people.order_by("display_name", "username"), many=True).data


class QueuePageOut(serializers.Serializer[Any]):
    """Up to 30 queues, newest first. before: give it as ?before= to get the next page; null on the last."""

    results = QueueOut(many=True)
    before = serializers.IntegerField(allow_null=True)


def people_named(dataset: Dataset, uuids: list[UUID]) -> list[User]:
    """The people with these uuids. Raises Refused if one can't annotate in the dataset."""
    wanted = set(uuids)
    people = list(annotators(dataset).filter(uuid__in=wanted))
    if len(people) < len(wanted):
        message = f"{len(wanted) - len(people)} of the people can't annotate in this dataset."
        raise Refused(message, fields={"people": [message]})
    return people


def item_keys(dataset: Dataset, uuids: list[UUID]) -> list[int]:
    """The keys of these items, each once, in the given order. Raises Refused if one isn't in the dataset."""
    wanted = [str(uuid) for uuid in dict.fromkeys(uuids)]
    found = {str(item.uuid): item.pk for item in chosen_items(dataset, wanted)}
    if len(found) < len(wanted):
        message = f"{len(wanted) - len(found)} of the items aren't in this dataset."
        raise Refused(message, fields={"items": [message]})
    return [found[uuid] for uuid in wanted]


class Queues(View):
    """Labeling queues."""

    needs = {"GET": Needs("signed_in"), "POST": Needs("signed_in")}

    @extend_schema(operation_id="labeling_queues", responses=QueuePageOut, parameters=PARAMETERS)
    def get(self, request: Request) -> Response:
        """The queues that you may see, newest first, or those of a dataset or project, with a name, or in a
        state.
        """
        before = key_in(request.query_params)
        rows = queues(request.user).filter(**chosen(request, **FILTERS))
        found = list((rows if before is None else rows.filter(pk__lt=before))[: PAGE + 1])
        more = found[PAGE - 1].pk if len(found) > PAGE else None
        return Response(
            QueuePageOut({"results": as_seen_by(request.user, found[:PAGE]), "before": more}).data
        )

    @extend_schema(operation_id="labeling_open_queue", request=QueueIn, responses={201: QueueOut})
    def post(self, request: Request) -> Response:
        """Open a queue with the newest schema of a dataset."""
        data = read(QueueIn, request.data)
        dataset = get_dataset(request.user, data.pop("dataset"))
        people = people_named(dataset, data.pop("people"))
        taken = {f"{name}_id": data.pop(name) for name in ("upload", "slice")}
        taken["item_ids"] = item_keys(dataset, data.pop("items"))
        queue = open_queue(dataset_id=dataset.uuid, actor=request.user, people=people, **taken, **data)
        return Response(QueueOut(queue).data, status=201)


class QueueChangeIn(serializers.Serializer[Any]):
    """The settings of an open queue; all three are replaced. people: empty for every annotator."""

    order = serializers.ChoiceField(choices=Queue.Order.choices)
    due_on = serializers.DateField(allow_null=True)
    people = serializers.ListField(child=serializers.UUIDField(), max_length=200)


class OneQueue(View):
    """One queue."""

    needs = {"GET": Needs("labeling.view", Queue), "PUT": Needs("labeling.manage", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_change_queue", request=QueueChangeIn, responses=OneQueueOut)
    def put(self, request: Request, uuid: UUID) -> Response:
        """Change its order, due date, and annotators; items already assigned stay assigned."""
        data = read(QueueChangeIn, request.data)
        people = people_named(get_queue(request.user, uuid).dataset, data.pop("people"))
        return Response(
            OneQueueOut(change_queue(queue_id=uuid, actor=request.user, people=people, **data)).data
        )

    @extend_schema(operation_id="labeling_queue", responses=OneQueueOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """The queue and how far it is."""
        return Response(OneQueueOut(as_seen_by(request.user, [get_queue(request.user, uuid)])[0]).data)


class PauseQueue(View):
    """Queues that rest."""

    needs = {"POST": Needs("labeling.manage", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_pause_queue", request=None, responses=QueueOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Hand out no new items until it's resumed; open items can still be annotated."""
        return Response(QueueOut(pause_queue(queue_id=uuid, actor=request.user)).data)


class ResumeQueue(View):
    """Queues that continue."""

    needs = {"POST": Needs("labeling.manage", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_resume_queue", request=None, responses=QueueOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Give out items again."""
        return Response(QueueOut(resume_queue(queue_id=uuid, actor=request.user)).data)


class CloseQueue(View):
    """Queues that end."""

    needs = {"POST": Needs("labeling.manage", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_close_queue", request=None, responses=QueueOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """End it for good; answers stay."""
        return Response(QueueOut(close_queue(queue_id=uuid, actor=request.user)).data)


class Annotators(View):
    """People who label."""

    needs = {"GET": Needs("labeling.manage", Dataset, "labeling.view")}

    @extend_schema(operation_id="labeling_annotators", responses=PersonOut(many=True))
    def get(self, request: Request, uuid: UUID) -> Response:
        """Who may annotate in a dataset, by name: whom a queue can be opened for."""
        return Response(PersonOut(annotators(get_dataset(request.user, uuid)), many=True).data)


class PreferIn(serializers.Serializer[Any]):
    """The source whose pre-labels are shown first. Empty: the newest of any source."""

    source = serializers.ChoiceField(choices=Proposer.choices, allow_blank=True)  # type: ignore[assignment]


class Prefer(View):
    """Sources of suggestions."""

    needs = {"POST": Needs("labeling.manage", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_prefer", request=PreferIn, responses=QueueOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Show suggestions of one kind of source first in a queue."""
        return Response(
            QueueOut(prefer(queue_id=uuid, actor=request.user, **read(PreferIn, request.data))).data
        )


urlpatterns = [
    path("labeling/queues/", Queues.as_view(), name="api-labeling-queues"),
    path("labeling/queues/<uuid:uuid>/", OneQueue.as_view(), name="api-labeling-queue"),
    path("labeling/queues/<uuid:uuid>/pause/", PauseQueue.as_view(), name="api-labeling-pause-queue"),
    path("labeling/queues/<uuid:uuid>/resume/", ResumeQueue.as_view(), name="api-labeling-resume-queue"),
    path("labeling/queues/<uuid:uuid>/close/", CloseQueue.as_view(), name="api-labeling-close-queue"),
    path("labeling/datasets/<uuid:uuid>/annotators/", Annotators.as_view(), name="api-labeling-annotators"),
    path("labeling/queues/<uuid:uuid>/pre-label-source/", Prefer.as_view(), name="api-labeling-prefer"),
]
