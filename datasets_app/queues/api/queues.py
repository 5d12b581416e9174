"""Labeling queues over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

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
from lifecycle.ui import paging
from lifecycle.ui.addresses import key_in
from registry.ground.access.api import PersonOut
from registry.ground.access.decorators import Needs
from registry.ground.access.models import User
from registry.ground.access.rest import IS_UUID, Filters, Request, RowOut, methods, operation, page_out

PAGE = 30
MANAGE = Needs("labeling.manage", Queue, "labeling.view")
FILTERS: Filters = {
    "dataset": ("dataset__uuid", IS_UUID),
    "project": ("dataset__project__uuid", IS_UUID),
    "name": ("name", serializers.CharField(max_length=80)),
    "state": ("state", serializers.ChoiceField(choices=Queue.State.choices)),
}


class QueueIn(serializers.Serializer[Any]):
    """A new queue."""

    dataset = serializers.UUIDField()
    name = serializers.CharField(max_length=80)
    overlap = serializers.IntegerField(required=False, default=1, min_value=1, max_value=5)
    hidden_share = serializers.IntegerField(required=False, default=20, min_value=0, max_value=100)
    source = serializers.ChoiceField(choices=CHOICES, required=False, default=Queue.Source.UNLABELED)  # type: ignore[assignment]
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


class QueueOut(RowOut[Queue]):
    """A queue and its progress. With gold items, people who don't manage it get counts that hide single
    annotations: gold annotations are included, and resolved and disputed items are rounded down to tens.
    """

    state = serializers.ChoiceField(choices=Queue.State.choices)
    source = serializers.ChoiceField(choices=Queue.Source.choices)  # type: ignore[assignment]
    order = serializers.ChoiceField(choices=Queue.Order.choices)
    acceptance = serializers.ChoiceField(choices=Queue.Acceptance.choices)
    items_agreed = serializers.IntegerField(help_text="waiting for an adjudicator to accept them")

    class Meta:
        model = Queue
        fields = [
            "uuid",
            "name",
            "dataset",
            "schema",
            "state",
            "overlap",
            "hidden_share",
            "source",
            "order",
            "acceptance",
            "due_on",
            "gold_rate",
            "gold_feedback",
            "gold_minimum",
            "gold_holds",
            "items_total",
            "slots_total",
            "slots_done",
            "items_labeled",
            "items_agreed",
            "items_disputed",
            "created_at",
        ]


class OneQueueOut(QueueOut):
    """The same with its assigned annotators; empty if every annotator gets its items."""

    people = serializers.SerializerMethodField()

    @extend_schema_field(PersonOut(many=True))  # type: ignore[untyped-decorator]
    def get_people(self, row: Queue) -> Any:
        """By name."""
        return PersonOut(row.people.order_by("display_name", "username"), many=True).data


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


@operation(
    "GET",
    "labeling_queues",
    Needs("signed_in"),
    gives=page_out(QueueOut, PAGE, "queues"),
    filters=FILTERS,
)
def list_queues(request: Request, given: dict[str, Any]) -> object:
    """List queues, optionally of a dataset or project, with a name, or in a state."""
    rows, before = paging.page(queues(request.user).filter(**given), key_in(request.query_params), PAGE)
    return as_seen_by(request.user, rows), before


@operation("POST", "labeling_open_queue", Needs("signed_in"), takes=QueueIn, gives=QueueOut, status=201)
def create(request: Request, given: dict[str, Any]) -> object:
    """Open a queue with the newest schema of a dataset."""
    dataset = get_dataset(request.user, given.pop("dataset"))
    people = people_named(dataset, given.pop("people"))
    taken = {f"{name}_id": given.pop(name) for name in ("upload", "slice")}
    taken["item_ids"] = item_keys(dataset, given.pop("items"))
    return open_queue(dataset_id=dataset.uuid, actor=request.user, people=people, **taken, **given)


class QueueChangeIn(serializers.Serializer[Any]):
    """The settings of an open queue; all three are replaced. people: empty for every annotator."""

    order = serializers.ChoiceField(choices=Queue.Order.choices)
    due_on = serializers.DateField(allow_null=True)
    people = serializers.ListField(child=serializers.UUIDField(), max_length=200)


@operation("GET", "labeling_queue", Needs("labeling.view", Queue), gives=OneQueueOut)
def queue(request: Request, uuid: UUID) -> object:
    """Get a queue with its progress."""
    return as_seen_by(request.user, [get_queue(request.user, uuid)])[0]


@operation("PUT", "labeling_change_queue", MANAGE, takes=QueueChangeIn, gives=OneQueueOut)
def change(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Change its order, due date, and annotators; items already assigned stay assigned."""
    people = people_named(get_queue(request.user, uuid).dataset, given.pop("people"))
    return change_queue(queue_id=uuid, actor=request.user, people=people, **given)


@operation("POST", "labeling_pause_queue", MANAGE, gives=QueueOut)
def pause(request: Request, uuid: UUID) -> object:
    """Pause a queue: no new items are handed out; open items can still be annotated."""
    return pause_queue(queue_id=uuid, actor=request.user)


@operation("POST", "labeling_resume_queue", MANAGE, gives=QueueOut)
def resume(request: Request, uuid: UUID) -> object:
    """Resume a paused queue."""
    return resume_queue(queue_id=uuid, actor=request.user)


@operation("POST", "labeling_close_queue", MANAGE, gives=QueueOut)
def close(request: Request, uuid: UUID) -> object:
    """Close a queue permanently; its annotations stay."""
    return close_queue(queue_id=uuid, actor=request.user)


@operation(
    "GET",
    "labeling_annotators",
    Needs("labeling.manage", Dataset, "labeling.view"),
    gives=PersonOut(many=True),
)
def list_annotators(request: Request, uuid: UUID) -> object:
    """List who can annotate in a dataset, by name."""
    return annotators(get_dataset(request.user, uuid))


class PreferIn(serializers.Serializer[Any]):
    """The source whose pre-labels are shown first. Empty: the newest of any source."""

    source = serializers.ChoiceField(choices=Proposer.choices, allow_blank=True)  # type: ignore[assignment]


@operation("POST", "labeling_prefer", MANAGE, takes=PreferIn, gives=QueueOut)
def prefer_source(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Choose the source whose pre-labels a queue shows first."""
    return prefer(queue_id=uuid, actor=request.user, **given)


urlpatterns = [
    path("labeling/queues/", methods(list_queues, create), name="api-labeling-queues"),
    path("labeling/queues/<uuid:uuid>/", methods(queue, change), name="api-labeling-queue"),
    path("labeling/queues/<uuid:uuid>/pause/", pause, name="api-labeling-pause-queue"),
    path("labeling/queues/<uuid:uuid>/resume/", resume, name="api-labeling-resume-queue"),
    path("labeling/queues/<uuid:uuid>/close/", close, name="api-labeling-close-queue"),
    path("labeling/datasets/<uuid:uuid>/annotators/", list_annotators, name="api-labeling-annotators"),
    path("labeling/queues/<uuid:uuid>/pre-label-source/", prefer_source, name="api-labeling-prefer"),
]
