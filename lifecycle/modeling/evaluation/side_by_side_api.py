"""People who choose between two models over REST."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from lifecycle.modeling.evaluation import actions, queries, side_by_side_page
from lifecycle.modeling.evaluation.models import SideBySide
from lifecycle.modeling.evaluation.side_by_side import LEAST, MOST, USUAL
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View


class SideBySideIn(serializers.Serializer[SideBySide]):
    """first, second: evaluations. pairs: at most so many, drawn by the seed. key: the same key again starts
    no second test.
    """

    first = serializers.UUIDField()
    second = serializers.UUIDField()
    pairs = serializers.IntegerField(min_value=LEAST, max_value=MOST, default=USUAL)
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=1)
    key = serializers.UUIDField(required=False, default=None, allow_null=True)


class OpenIn(serializers.Serializer[SideBySide]):
    """overlap: people a pair."""

    overlap = serializers.IntegerField(min_value=1, max_value=5, default=1)


class SideBySideOut(serializers.Serializer[Any]):
    """chosen: how often each model, tie and neither; share of the second with its 95 % interval, and p of the
    sign test; null until all is decided or the queue is closed.
    """

    uuid = serializers.UUIDField(source="side.uuid")
    first = serializers.UUIDField(source="side.first.uuid")
    second = serializers.UUIDField(source="side.second.uuid")
    dataset = serializers.UUIDField(source="side.dataset.uuid")
    queue = serializers.UUIDField(source="side.queue.uuid", default=None, allow_null=True)
    pairs = serializers.IntegerField(source="side.pairs")
    same = serializers.IntegerField(source="side.same")
    decided = serializers.IntegerField()
    chosen = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(source="side.created_at")

    def get_chosen(self, found: Mapping[str, Any]) -> dict[str, Any] | None:
        """What was chosen, by model."""
        return asdict(found["tally"]) if found["tally"] else None


def answer(request: Request, uuid: UUID, status: int = 200) -> Response:
    """Get a preference test."""
    user = request.user
    return Response(
        SideBySideOut(side_by_side_page.shown(user, queries.get_side(user, uuid))).data, status=status
    )


class Sides(View):
    """People who choose."""

    needs = {"POST": Needs("signed_in")}

    @extend_schema(operation_id="side_by_side_ask", request=SideBySideIn, responses={201: SideBySideOut})
    def post(self, request: Request) -> Response:
        """Put the answers of two evaluations side by side; a job imports the pairs."""
        given = SideBySideIn(data=request.data)
        given.is_valid(raise_exception=True)
        values, user = given.validated_data, request.user
        first, second = (queries.get_evaluation(user, values[name]) for name in ("first", "second"))
        options = {name: values[name] for name in ("pairs", "seed", "key")}
        made = actions.ask_people(first=first, second=second, actor=user, **options)
        return answer(request, made.uuid, 201)


class OneSide(View):
    """One of them."""

    needs = {"GET": Needs("evaluation.view", SideBySide)}

    @extend_schema(operation_id="side_by_side_read", responses=SideBySideOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """Its state, and once all is decided what people chose."""
        return answer(request, uuid)


class OpenSide(View):
    """Its queue."""

    needs = {"POST": Needs("labeling.manage", SideBySide, see="evaluation.view")}

    @extend_schema(operation_id="side_by_side_open", request=OpenIn, responses=SideBySideOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Open the queue over the pairs, once they are imported."""
        given = OpenIn(data=request.data)
        given.is_valid(raise_exception=True)
        actions.open_side_by_side(side_id=uuid, actor=request.user, overlap=given.validated_data["overlap"])
        return answer(request, uuid)


urlpatterns = [
    path("side-by-side/", Sides.as_view(), name="api-side-by-side"),
    path("side-by-side/<uuid:uuid>/", OneSide.as_view(), name="api-one-side-by-side"),
    path("side-by-side/<uuid:uuid>/open/", OpenSide.as_view(), name="api-open-side-by-side"),
]
