"""Gold items over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter
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
from lifecycle.ui import paging
from lifecycle.ui.addresses import key_in
from registry.ground.access.decorators import Needs
from registry.ground.access.models import User
from registry.ground.access.rest import Request, methods, operation, page_out


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


class SampleIn(serializers.Serializer[Any]):
    """How many labeled items of each label to make gold. imported: whether to include imported labels."""

    per_label = serializers.IntegerField(min_value=1, max_value=50)
    imported = serializers.BooleanField(required=False, default=False)


class SampledOut(serializers.Serializer[Any]):
    """How many items became gold."""

    made = serializers.IntegerField()


class RetireIn(serializers.Serializer[Any]):
    """The item to remove from gold."""

    item = serializers.UUIDField()


class RetiredOut(serializers.Serializer[Any]):
    """Whether the item was gold."""

    retired = serializers.BooleanField()


class MixIn(serializers.Serializer[Any]):
    """How gold is mixed into a queue. What is omitted is 0, false, or null."""

    gold_rate = serializers.IntegerField(required=False, default=0, min_value=0, max_value=GOLD_MOST)
    gold_feedback = serializers.BooleanField(required=False, default=False)
    gold_minimum = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=100
    )
    gold_holds = serializers.BooleanField(required=False, default=False)


class PersonIn(serializers.Serializer[Any]):
    """The annotator to reinstate."""

    user = serializers.UUIDField()


GOLD = Needs("labeling.gold", Dataset, "labeling.view")


@operation(
    "GET",
    "labeling_gold",
    GOLD,
    gives=(PAGE_OUT := page_out(GoldOut, GOLD_PAGE, "gold items")),
    parameters=[OpenApiParameter("before", int), OpenApiParameter("state", str, enum=list(STATES))],
)
def gold(request: Request, uuid: UUID) -> object:
    """List a dataset's gold items. state: live (the default), suspect, new, or retired."""
    dataset, asked = get_dataset(request.user, uuid), request.query_params
    rows = gold_rows(dataset, state=asked.get("state", "live"))
    page = paging.page(rows, key_in(asked), GOLD_PAGE)
    return Response(PAGE_OUT(page, context=shown(request.user, dataset)).data)


@operation("POST", "labeling_make_gold", GOLD, takes=GoldIn, gives=GoldOut, status=201)
def make(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Set the gold label of an item; it replaces the one before."""
    item, explanation = given["item"], given["explanation"]
    check_item(uuid, item)
    made = make_gold(item_id=item, actor=request.user, value=given["value"], explanation=explanation)
    return Response(GoldOut(made, context=shown(request.user, made.item.dataset)).data, status=201)


def check_item(dataset: UUID, item: UUID) -> None:
    """Raises Refused for an item of another dataset."""
    if not Item.objects.filter(uuid=item, dataset__uuid=dataset).exists():
        raise Refused("This item isn't in the dataset.", fields={"item": ["Use an item of the dataset."]})


@operation("POST", "labeling_sample_gold", GOLD, takes=SampleIn, gives=SampledOut, status=201)
def sample(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Make gold of a random sample of adjudicated items."""
    return {"made": len(sample_gold(dataset_id=uuid, actor=request.user, **given))}


@operation("POST", "labeling_retire_gold", GOLD, takes=RetireIn, gives=RetiredOut)
def retire(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Remove an item from gold."""
    check_item(uuid, given["item"])
    return {"retired": retire_gold(item_id=given["item"], actor=request.user) is not None}


@operation(
    "POST",
    "labeling_mix_gold",
    Needs("labeling.manage", Queue, "labeling.view"),
    takes=MixIn,
    gives=QueueOut,
)
def mix(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Set how gold is mixed into a queue, from the next item on."""
    options = {name.removeprefix("gold_"): value for name, value in given.items()}
    mix_gold(queue_id=uuid, actor=request.user, **options)
    return get_queue(request.user, uuid)


@operation(
    "POST",
    "labeling_annotators_reinstate",
    Needs("labeling.assess", Queue, "labeling.view"),
    takes=PersonIn,
    status=204,
)
def reinstate_annotator(request: Request, uuid: UUID, given: dict[str, Any]) -> Response:
    """Reinstate an annotator: annotations so far are no longer evaluated."""
    seat = get_queue(request.user, uuid).seats.filter(user__uuid=given["user"]).first()
    reinstate(queue_id=uuid, actor=request.user, seat_id=seat.pk if seat else 0)
    return Response(status=204)


urlpatterns = [
    path("labeling/datasets/<uuid:uuid>/gold/", methods(gold, make), name="api-labeling-gold"),
    path("labeling/datasets/<uuid:uuid>/gold/sample/", sample, name="api-labeling-sample-gold"),
    path("labeling/datasets/<uuid:uuid>/gold/retire/", retire, name="api-labeling-retire-gold"),
    path("labeling/queues/<uuid:uuid>/gold/", mix, name="api-labeling-mix-gold"),
    path(
        "labeling/queues/<uuid:uuid>/annotators/reinstate/",
        reinstate_annotator,
        name="api-labeling-reinstate",
    ),
]
