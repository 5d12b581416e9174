"""Spot checks over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.pages import get_queue
from datasets_app.review.actions.checks import accept_check, drop_check, start_check
from datasets_app.review.models import SpotCheck
from datasets_app.review.queries.checks import check_under_way, get_check, sample_of, to_look_at
from lifecycle.ground.jobs.api import JobOut
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View, read


class CheckIn(serializers.Serializer[Any]):
    """A sample to draw. size: items. tolerated: percent of them that may be wrong."""

    size = serializers.IntegerField(min_value=1, max_value=500, default=50)
    tolerated = serializers.IntegerField(min_value=0, max_value=50, default=2)


class ChanceOut(serializers.Serializer[Any]):
    """How often a lot is accepted of which the share `wrong` is wrong: by this sample, and by it or one of up
    to three more after it.
    """

    wrong = serializers.FloatField()
    accepted = serializers.FloatField()
    accepted_later = serializers.FloatField()


class CheckOut(serializers.Serializer[SpotCheck]):
    """A check. waiting: items that waited when the sample was drawn. to_look_at: sampled items not resolved
    yet.
    """

    uuid = serializers.UUIDField()
    queue = serializers.UUIDField(source="queue.uuid")
    state = serializers.ChoiceField(choices=SpotCheck.State.choices)
    waiting = serializers.IntegerField()
    tolerated = serializers.IntegerField()
    right = serializers.SerializerMethodField()
    wrong = serializers.SerializerMethodField()
    to_look_at = serializers.SerializerMethodField()
    earlier_judged = serializers.IntegerField(help_text="items of earlier samples that also count")
    earlier_wrong = serializers.IntegerField(help_text="of these, wrong")
    allowed = serializers.SerializerMethodField()
    accepted_in_95 = serializers.SerializerMethodField()
    accepted_in_10 = serializers.SerializerMethodField()
    chances = serializers.SerializerMethodField()
    accepted = serializers.IntegerField(help_text="labels accepted by this check so far")
    left_out = serializers.IntegerField(help_text="not accepted because the adjudicator had annotated them")

    def get_right(self, row: SpotCheck) -> int:
        """Items whose agreed answer was decided."""
        return sample_of(row).right

    def get_wrong(self, row: SpotCheck) -> int:
        """Items that were decided otherwise, or returned."""
        return sample_of(row).wrong

    def get_allowed(self, row: SpotCheck) -> int:
        """How many of the sample may be wrong, also with earlier ones; negative where it cannot be
        accepted.
        """
        return sample_of(row).allowed

    def get_accepted_in_95(self, row: SpotCheck) -> float | None:
        """The share of wrong items at which a lot is accepted in 95 of 100 (0 to 1)."""
        return sample_of(row).passing.in_95

    def get_accepted_in_10(self, row: SpotCheck) -> float | None:
        """The share of wrong items at which a lot is accepted in 10 of 100 (0 to 1)."""
        return sample_of(row).passing.in_10

    @extend_schema_field(ChanceOut(many=True))
    def get_chances(self, row: SpotCheck) -> list[dict[str, float]]:
        """How often lots of several qualities are accepted."""
        return [each._asdict() for each in sample_of(row).chances]

    def get_to_look_at(self, row: SpotCheck) -> list[str]:
        """Uuids of items."""
        return [str(each.item.uuid) for each in to_look_at(row)]


class WaitingOut(serializers.Serializer[Any]):
    """Agreed items not accepted yet. waiting: items, now. check: the one under way; null without one."""

    waiting = serializers.IntegerField()
    check = CheckOut(allow_null=True)


class Checks(View):
    """Samples of what people agree on."""

    needs = {
        "GET": Needs("labeling.decide", Queue, "labeling.view"),
        "POST": Needs("labeling.decide", Queue, "labeling.view"),
    }

    @extend_schema(operation_id="labeling_waiting", responses=WaitingOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """What waits to be accepted, and the sample that is being looked at."""
        queue = get_queue(request.user, uuid)
        return Response(WaitingOut({"waiting": queue.items_agreed, "check": check_under_way(queue)}).data)

    @extend_schema(operation_id="labeling_start_check", request=CheckIn, responses={201: CheckOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Draw a sample. Its items are settled as others are, by `decide` and `return`."""
        made = start_check(queue_id=uuid, actor=request.user, **read(CheckIn, request.data))
        return Response(CheckOut(made).data, status=201)


class OneCheck(View):
    """One check."""

    needs = {"GET": Needs("labeling.decide", SpotCheck, "labeling.view")}

    @extend_schema(operation_id="labeling_check", responses=CheckOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """How far it is."""
        return Response(CheckOut(get_check(request.user, uuid)).data)


class AcceptCheck(View):
    """Accepting after a check."""

    needs = {"POST": Needs("labeling.decide", SpotCheck, "labeling.view")}

    @extend_schema(operation_id="labeling_accept_check", request=None, responses={202: JobOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Accept, by a job, what waited when the sample was drawn and still does."""
        return Response(JobOut(accept_check(check_id=uuid, actor=request.user)).data, status=202)


class DropCheck(View):
    """Ending a check."""

    needs = {"POST": Needs("labeling.decide", SpotCheck, "labeling.view")}

    @extend_schema(operation_id="labeling_drop_check", request=None, responses=CheckOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Accept nothing."""
        return Response(CheckOut(drop_check(check_id=uuid, actor=request.user)).data)


urlpatterns = [
    path("labeling/queues/<uuid:uuid>/checks/", Checks.as_view(), name="api-labeling-checks"),
    path("labeling/checks/<uuid:uuid>/", OneCheck.as_view(), name="api-labeling-check"),
    path("labeling/checks/<uuid:uuid>/accept/", AcceptCheck.as_view(), name="api-labeling-accept-check"),
    path("labeling/checks/<uuid:uuid>/discard/", DropCheck.as_view(), name="api-labeling-drop-check"),
]
