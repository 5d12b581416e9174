"""Preference tests of two models over REST."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework import serializers

from lifecycle.modeling.evaluation import actions, queries, side_by_side_page
from lifecycle.modeling.evaluation.models import SideBySide
from lifecycle.modeling.evaluation.side_by_side import LEAST, MOST, USUAL
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, operation


class SideBySideIn(serializers.Serializer[SideBySide]):
    """first, second: evaluations. pairs: their maximum number, sampled with the seed. key: repeating it
    doesn't create another test.
    """

    first = serializers.UUIDField()
    second = serializers.UUIDField()
    pairs = serializers.IntegerField(min_value=LEAST, max_value=MOST, default=USUAL)
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=1)
    key = serializers.UUIDField(required=False, default=None, allow_null=True)


class OpenIn(serializers.Serializer[SideBySide]):
    """overlap: people per pair."""

    overlap = serializers.IntegerField(min_value=1, max_value=5, default=1)


class SideBySideOut(serializers.Serializer[Any]):
    """chosen: how often each model, tie, and neither; share of the second with its 95 % interval, and p of
    the
    sign test; null until all pairs are labeled or the queue is closed.
    """

    uuid = serializers.UUIDField(source="side.uuid")
    first = serializers.UUIDField(source="side.first.uuid")
    second = serializers.UUIDField(source="side.second.uuid")
    dataset = serializers.UUIDField(source="side.dataset.uuid")
    queue = serializers.UUIDField(source="side.queue.uuid", default=None, allow_null=True)
    pairs = serializers.IntegerField(source="side.pairs")
    same = serializers.IntegerField(source="side.same")
    resolved = serializers.IntegerField()
    chosen = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(source="side.created_at")

    def get_chosen(self, found: Mapping[str, Any]) -> dict[str, Any] | None:
        """The result, by model."""
        return asdict(found["tally"]) if found["tally"] else None


def shown(request: Request, uuid: UUID) -> Mapping[str, Any]:
    """A preference test as SideBySideOut takes it."""
    return side_by_side_page.shown(request.user, queries.get_side(request.user, uuid))


@operation(
    "POST", "side_by_side_ask", Needs("signed_in"), takes=SideBySideIn, gives=SideBySideOut, status=201
)
def create(request: Request, given: dict[str, Any]) -> object:
    """Create a preference test of two evaluations; a job imports the pairs."""
    first, second = (queries.get_evaluation(request.user, given.pop(name)) for name in ("first", "second"))
    made = actions.ask_people(first=first, second=second, actor=request.user, **given)
    return shown(request, made.uuid)


@operation("GET", "side_by_side_read", Needs("evaluation.view", SideBySide), gives=SideBySideOut)
def read(request: Request, uuid: UUID) -> object:
    """Get a preference test; its result once all pairs are labeled or the queue is closed."""
    return shown(request, uuid)


@operation(
    "POST",
    "side_by_side_open",
    Needs("labeling.manage", SideBySide, see="evaluation.view"),
    takes=OpenIn,
    gives=SideBySideOut,
)
def open_queue(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Open the queue over the pairs, once they are imported."""
    actions.open_side_by_side(side_id=uuid, actor=request.user, overlap=given["overlap"])
    return shown(request, uuid)


urlpatterns = [
    path("side-by-side/", create, name="api-side-by-side"),
    path("side-by-side/<uuid:uuid>/", read, name="api-one-side-by-side"),
    path("side-by-side/<uuid:uuid>/open/", open_queue, name="api-open-side-by-side"),
]
