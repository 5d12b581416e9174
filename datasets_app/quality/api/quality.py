"""Label quality over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.quality.actions.quality import measure_quality
from datasets_app.quality.queries.quality import quality_document
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.pages import get_queue
from lifecycle.ground.jobs.api import JobOut
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View


class CoefficientOut(serializers.Serializer[Any]):
    """One coefficient of agreement with its 95 % interval over items: Wilson's for shares, bootstrap for
    others.

    value: null if undefined; low, high: null if not measured. why: the reason.
    """

    name = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField()
    why = serializers.CharField(allow_blank=True)


class ConfusionOut(serializers.Serializer[Any]):
    """On how many items two labels (stable ids) were both given; the same label twice: by two people or
    more.
    """

    first = serializers.UUIDField()
    second = serializers.UUIDField()
    items = serializers.IntegerField()


class WorkerOut(serializers.Serializer[Any]):
    """One person's answers. right of judged: equal to the decision, on items decided by several people, a
    reviewer or an import.

    gold_…: annotations of gold items, not counted elsewhere.
    """

    user = serializers.UUIDField()
    name = serializers.CharField()
    done = serializers.IntegerField()
    skipped = serializers.IntegerField()
    median_seconds = serializers.FloatField(allow_null=True)
    judged = serializers.IntegerField()
    right = serializers.IntegerField()
    gold_done = serializers.IntegerField(default=0)
    gold_right = serializers.IntegerField(default=0)
    gold_interval = serializers.ListField(
        child=serializers.FloatField(),
        allow_null=True,
        help_text="95 % confidence sequence of the share, valid at every look; null below 20 annotations",
    )
    gold_classes = serializers.JSONField(
        default=dict, help_text="by stable id of the gold label: [annotations, correct]"
    )
    likely_right = serializers.FloatField(
        allow_null=True, help_text="estimated accuracy (Dawid and Skene), from annotations only"
    )
    likely_interval = serializers.ListField(
        child=serializers.FloatField(),
        allow_null=True,
        default=None,
        help_text="its 95 % interval; null in older reports",
    )
    likely_why = serializers.CharField(default="", help_text="why likely_right is null")
    sent_back = serializers.IntegerField()
    shown = serializers.IntegerField()
    accepted = serializers.IntegerField()
    nearly_always_accepts = serializers.BooleanField()


class GoldClassOut(serializers.Serializer[Any]):
    """Gold accuracy of one label over all annotators. share: with its confidence sequence over items; null
    below 20 answers.
    """

    class_id = serializers.UUIDField(source="stable_id")
    name = serializers.CharField()
    done = serializers.IntegerField()
    right = serializers.IntegerField()
    share = serializers.FloatField(source="share.value", allow_null=True)
    low = serializers.FloatField(source="share.low", allow_null=True)
    high = serializers.FloatField(source="share.high", allow_null=True)


class QualityOut(serializers.Serializer[Any]):
    """The newest report of a queue; null or empty before the first. days: [[ISO date, answers], …]. people:
    all for a lead, else you.
    """

    uuid = serializers.UUIDField(allow_null=True)
    edition = serializers.IntegerField(allow_null=True)
    as_of = serializers.DateTimeField(allow_null=True)
    items = serializers.IntegerField()
    answers = serializers.IntegerField()
    coefficients = CoefficientOut(many=True)
    confusion = ConfusionOut(many=True)
    people = WorkerOut(many=True)
    gold = GoldClassOut(many=True, help_text="lowest accuracy first")
    days = serializers.JSONField()
    left = serializers.IntegerField()
    days_left = serializers.FloatField(allow_null=True)
    days_left_why = serializers.CharField(allow_blank=True)


class Quality(View):
    """How good the labels of a queue are."""

    needs = {
        "GET": Needs("labeling.manage", Queue, "labeling.view"),
        "POST": Needs("labeling.manage", Queue, "labeling.view"),
    }

    @extend_schema(operation_id="labeling_quality", responses=QualityOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """The newest report, as of when it was measured; what is left is of now."""
        queue = get_queue(request.user, uuid)
        return Response(QualityOut(quality_document(queue, request.user)).data)

    @extend_schema(operation_id="labeling_measure", request=None, responses={202: JobOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Measure now. Returns the queued or running measurement if there is one. 409 if there are no
        annotations yet.
        """
        return Response(JobOut(measure_quality(queue_id=uuid, actor=request.user)).data, status=202)


urlpatterns = [path("labeling/queues/<uuid:uuid>/quality/", Quality.as_view(), name="api-labeling-quality")]
