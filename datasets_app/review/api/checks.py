"""Sample checks over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.pages import get_queue
from datasets_app.review.actions.checks import accept_check, drop_check, start_check
from datasets_app.review.models import SpotCheck
from datasets_app.review.queries.checks import check_under_way, get_check, sample_of, to_review
from lifecycle.ground.jobs.api import JobOut
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, methods, operation


class SampleCheckIn(serializers.Serializer[Any]):
    """A sample to draw. size: items. tolerated: percent of them that may be wrong."""

    size = serializers.IntegerField(min_value=1, max_value=500, default=50)
    tolerated = serializers.IntegerField(min_value=0, max_value=50, default=2)


class SampleCheckChanceOut(serializers.Serializer[Any]):
    """How often labels are accepted if the share `wrong` is wrong: by this sample, and by it or one of up to
    three more.
    """

    wrong = serializers.FloatField()
    accepted = serializers.FloatField()
    accepted_later = serializers.FloatField()


class SampleCheckOut(serializers.Serializer[SpotCheck]):
    """A sample check. waiting: items that waited when the sample was drawn. to_review: sampled items not
    resolved yet.
    """

    uuid = serializers.UUIDField()
    queue = serializers.UUIDField(source="queue.uuid")
    state = serializers.ChoiceField(choices=SpotCheck.State.choices)
    waiting = serializers.IntegerField()
    tolerated = serializers.IntegerField()
    right = serializers.SerializerMethodField()
    wrong = serializers.SerializerMethodField()
    to_review = serializers.SerializerMethodField()
    earlier_judged = serializers.IntegerField(help_text="items of earlier samples that also count")
    earlier_wrong = serializers.IntegerField(help_text="of these, wrong")
    allowed = serializers.SerializerMethodField()
    accepted_in_95 = serializers.SerializerMethodField()
    accepted_in_10 = serializers.SerializerMethodField()
    chances = serializers.SerializerMethodField()
    accepted = serializers.IntegerField(help_text="labels accepted by this check so far")
    left_out = serializers.IntegerField(help_text="not accepted because the adjudicator had annotated them")

    def get_right(self, row: SpotCheck) -> int:
        """Items whose agreed label was confirmed."""
        return sample_of(row).right

    def get_wrong(self, row: SpotCheck) -> int:
        """Items that got another label, or were returned."""
        return sample_of(row).wrong

    def get_allowed(self, row: SpotCheck) -> int:
        """How many of the sample may be wrong, including earlier ones; negative if it can't be accepted."""
        return sample_of(row).allowed

    def get_accepted_in_95(self, row: SpotCheck) -> float | None:
        """The share of wrong items at which labels are accepted in 95 of 100 (0 to 1)."""
        return sample_of(row).passing.in_95

    def get_accepted_in_10(self, row: SpotCheck) -> float | None:
        """The share of wrong items at which labels are accepted in 10 of 100 (0 to 1)."""
        return sample_of(row).passing.in_10

    @extend_schema_field(SampleCheckChanceOut(many=True))
    def get_chances(self, row: SpotCheck) -> list[dict[str, float]]:
        """How often labels of several qualities are accepted."""
        return [each._asdict() for each in sample_of(row).chances]

    def get_to_review(self, row: SpotCheck) -> list[str]:
        """Uuids of items."""
        return [str(each.item.uuid) for each in to_review(row)]


class AcceptanceOut(serializers.Serializer[Any]):
    """Agreed items not accepted yet. waiting: items, now. check: the one under way; null without one."""

    waiting = serializers.IntegerField()
    check = SampleCheckOut(allow_null=True)


OF_QUEUE = Needs("labeling.adjudicate", Queue, "labeling.view")
OF_CHECK = Needs("labeling.adjudicate", SpotCheck, "labeling.view")


@operation("GET", "labeling_acceptance", OF_QUEUE, gives=AcceptanceOut)
def waiting(request: Request, uuid: UUID) -> object:
    """Get the number of agreed items that wait for acceptance, and the sample check in progress."""
    queue = get_queue(request.user, uuid)
    return {"waiting": queue.items_agreed, "check": check_under_way(queue)}


@operation("POST", "labeling_start_check", OF_QUEUE, takes=SampleCheckIn, gives=SampleCheckOut, status=201)
def start(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Draw a sample. Its items are resolved as others are, by `adjudicate` and `return`."""
    return start_check(queue_id=uuid, actor=request.user, **given)


@operation("GET", "labeling_check", OF_CHECK, gives=SampleCheckOut)
def check(request: Request, uuid: UUID) -> object:
    """Get a sample check with its progress."""
    return get_check(request.user, uuid)


@operation("POST", "labeling_accept_check", OF_CHECK, gives=JobOut, status=202)
def accept(request: Request, uuid: UUID) -> object:
    """Start a job that accepts what waited when the sample was drawn and still waits."""
    return accept_check(check_id=uuid, actor=request.user)


@operation("POST", "labeling_discard_check", OF_CHECK, gives=SampleCheckOut)
def drop(request: Request, uuid: UUID) -> object:
    """End a sample check without accepting anything."""
    return drop_check(check_id=uuid, actor=request.user)


urlpatterns = [
    path("labeling/queues/<uuid:uuid>/checks/", methods(waiting, start), name="api-labeling-checks"),
    path("labeling/checks/<uuid:uuid>/", check, name="api-labeling-check"),
    path("labeling/checks/<uuid:uuid>/accept/", accept, name="api-labeling-accept-check"),
    path("labeling/checks/<uuid:uuid>/discard/", drop, name="api-labeling-drop-check"),
]
