"""Gold over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset, Item
from datasets_app.quality.actions.gold import make_gold, retire_gold, sample_gold
from datasets_app.quality.queries.gold import GOLD_PAGE, STATES, gold_rows
from datasets_app.queues.actions.mixing import mix_gold, reinstate
from datasets_app.queues.api.queues import QueueOut
from datasets_app.queues.api.work import ValueIn
from datasets_app.queues.models.gold import Gold
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.pages import get_queue
from datasets_app.queues.rules import GOLD_MOST
from datasets_app.schemas.queries.labels import names_ever, value_of
from datasets_app.schemas.queries.schemas import get_dataset
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.values import words
from registry.ground.access.decorators import Needs
from registry.ground.access.models import User
from registry.ground.access.rest import Request, View, read


class GoldIn(ValueIn):
    """What is known of an item: `label`, or `value`, in which labels may have their names."""

    item = serializers.UUIDField()
    explanation = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)


class GoldOut(serializers.Serializer[Gold]):
    """A gold item. asked, right: current annotations of it in all queues, and of these, correct ones."""

    uuid = serializers.UUIDField()
    item = serializers.UUIDField(source="item.uuid")
    value = serializers.SerializerMethodField("known", help_text="with stable ids")
    words = serializers.SerializerMethodField("in_words", help_text="the value as one line, labels by name")
    explanation = serializers.CharField()
    set_by = serializers.UUIDField(source="set_by.uuid")
    created_at = serializers.DateTimeField()
    retired_at = serializers.DateTimeField(allow_null=True)
    asked = serializers.IntegerField()
    right = serializers.IntegerField()

    def known(self, gold: Gold) -> dict[str, Any]:
        """What is known."""
        return value_of(gold)

    def in_words(self, gold: Gold) -> str:
        """What is known, as a line; it quotes the text only for people who may read it."""
        return words(value_of(gold), self.context["names"], gold.item.text if self.context["reads"] else "")


def shown(user: User, dataset: Dataset) -> dict[str, Any]:
    """What lines about gold of this dataset need, as the context of a serializer."""
    return {"names": names_ever(dataset), "reads": datasets.may_read(user, dataset)}


class GoldPageOut(serializers.Serializer[Any]):
    """Up to 30 gold items, newest first. before: give it as ?before= to get the next page; null on the
    last.
    """

    results = GoldOut(many=True)
    before = serializers.IntegerField(allow_null=True)


class SampleIn(serializers.Serializer[Any]):
    """How many labeled items of each label to make gold. imported: whether to include imported labels."""

    per_class = serializers.IntegerField(min_value=1, max_value=50)
    imported = serializers.BooleanField(required=False, default=False)


class SampledOut(serializers.Serializer[Any]):
    """How many items became gold."""

    made = serializers.IntegerField()


class RetireIn(serializers.Serializer[Any]):
    """The item whose gold is taken back."""

    item = serializers.UUIDField()


class RetiredOut(serializers.Serializer[Any]):
    """Whether the item was gold."""

    retired = serializers.BooleanField()


class MixIn(serializers.Serializer[Any]):
    """How gold is mixed into a queue. What is left out is 0, no or none."""

    gold_rate = serializers.IntegerField(required=False, default=0, min_value=0, max_value=GOLD_MOST)
    gold_feedback = serializers.BooleanField(required=False, default=False)
    gold_minimum = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=100
    )
    gold_holds = serializers.BooleanField(required=False, default=False)


class PersonIn(serializers.Serializer[Any]):
    """The annotator to reinstate."""

    user = serializers.UUIDField()


class GoldList(View):
    """The gold of a dataset."""

    needs = {
        "GET": Needs("labeling.gold", Dataset, "labeling.view"),
        "POST": Needs("labeling.gold", Dataset, "labeling.view"),
    }
    parameters = [OpenApiParameter("before", int), OpenApiParameter("state", str, enum=list(STATES))]

    @extend_schema(operation_id="labeling_gold", responses=GoldPageOut, parameters=parameters)
    def get(self, request: Request, uuid: UUID) -> Response:
        """What is known, newest first. state: live (as without it), suspect, new or retired."""
        before, state = request.query_params.get("before", ""), request.query_params.get("state", "live")
        dataset = get_dataset(request.user, uuid)
        rows = gold_rows(dataset, state=state)
        found = list(
            (rows.filter(pk__lt=int(before)) if before.isdecimal() and len(before) < 19 else rows)[
                : GOLD_PAGE + 1
            ]
        )
        more = found[GOLD_PAGE - 1].pk if len(found) > GOLD_PAGE else None
        page = {"results": found[:GOLD_PAGE], "before": more}
        return Response(GoldPageOut(page, context=shown(request.user, dataset)).data)

    @extend_schema(operation_id="labeling_make_gold", request=GoldIn, responses={201: GoldOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Say what is known of an item; another answer takes the place of the one before."""
        data = read(GoldIn, request.data)
        check_item(uuid, data["item"])
        made = make_gold(
            item_id=data["item"], actor=request.user, value=data["value"], explanation=data["explanation"]
        )
        return Response(GoldOut(made, context=shown(request.user, made.item.dataset)).data, status=201)


def check_item(dataset: UUID, item: UUID) -> None:
    """Raises Refused for an item of another dataset."""
    if not Item.objects.filter(uuid=item, dataset__uuid=dataset).exists():
        raise Refused("This item isn't in the dataset.", fields={"item": ["Use an item of the dataset."]})


class SampleGold(View):
    """Gold by chance."""

    needs = {"POST": Needs("labeling.gold", Dataset, "labeling.view")}

    @extend_schema(operation_id="labeling_sample_gold", request=SampleIn, responses={201: SampledOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Make gold of items that a reviewer decided, by chance."""
        made = sample_gold(dataset_id=uuid, actor=request.user, **read(SampleIn, request.data))
        return Response({"made": len(made)}, status=201)


class RetireGold(View):
    """Ends of gold."""

    needs = {"POST": Needs("labeling.gold", Dataset, "labeling.view")}

    @extend_schema(operation_id="labeling_retire_gold", request=RetireIn, responses=RetiredOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Take an item's gold back."""
        item = read(RetireIn, request.data)["item"]
        check_item(uuid, item)
        return Response({"retired": retire_gold(item_id=item, actor=request.user) is not None})


class MixGold(View):
    """How a queue mixes gold in."""

    needs = {"POST": Needs("labeling.manage", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_mix_gold", request=MixIn, responses=QueueOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Set it, from the next item on."""
        data = {name.removeprefix("gold_"): value for name, value in read(MixIn, request.data).items()}
        mix_gold(queue_id=uuid, actor=request.user, **data)
        return Response(QueueOut(get_queue(request.user, uuid)).data)


class Reinstate(View):
    """People who are below a queue's minimum."""

    needs = {"POST": Needs("labeling.assess", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_annotators_reinstate", request=PersonIn, responses={204: None})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Reinstate an annotator: annotations so far are no longer evaluated."""
        user = read(PersonIn, request.data)["user"]
        seat = get_queue(request.user, uuid).seats.filter(user__uuid=user).first()
        reinstate(queue_id=uuid, actor=request.user, seat_id=seat.pk if seat else 0)
        return Response(status=204)


urlpatterns = [
    path("labeling/datasets/<uuid:uuid>/gold/", GoldList.as_view(), name="api-labeling-gold"),
    path("labeling/datasets/<uuid:uuid>/gold/sample/", SampleGold.as_view(), name="api-labeling-sample-gold"),
    path("labeling/datasets/<uuid:uuid>/gold/retire/", RetireGold.as_view(), name="api-labeling-retire-gold"),
    path("labeling/queues/<uuid:uuid>/gold/", MixGold.as_view(), name="api-labeling-mix-gold"),
    path(
        "labeling/queues/<uuid:uuid>/annotators/reinstate/",
        Reinstate.as_view(),
        name="api-labeling-reinstate",
    ),
]
