"""Label quality over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework import serializers

from datasets_app.quality.actions.quality import measure_quality
from datasets_app.quality.queries.quality import quality_document
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.pages import get_queue
from lifecycle.ground.jobs.api import JobOut
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, methods, operation


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


class AnnotatorQualityOut(serializers.Serializer[Any]):
    """One person's annotations. right of judged: equal to the resolved label, on items resolved by several
    people, an adjudicator, or an import. gold_…: annotations of gold items, not counted elsewhere.
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
    gold_labels = serializers.JSONField(
        default=dict, help_text="by stable id of the gold label: [annotations, correct]"
    )
    estimated_accuracy = serializers.FloatField(
        allow_null=True, help_text="estimated accuracy (Dawid and Skene), from annotations only"
    )
    estimated_accuracy_interval = serializers.ListField(
        child=serializers.FloatField(),
        allow_null=True,
        default=None,
        help_text="its 95 % interval; null without an estimate",
    )
    estimated_accuracy_why = serializers.CharField(default="", help_text="why estimated_accuracy is null")
    sent_back = serializers.IntegerField()
    shown = serializers.IntegerField()
    accepted = serializers.IntegerField()
    nearly_always_accepts = serializers.BooleanField()


class GoldLabelOut(serializers.Serializer[Any]):
    """Gold accuracy of one label over all annotators. share: with its confidence sequence over items; null
    below 20 annotations.
    """

    label = serializers.UUIDField(source="stable_id")
    name = serializers.CharField()
    done = serializers.IntegerField()
    right = serializers.IntegerField()
    share = serializers.FloatField(source="share.value", allow_null=True)
    low = serializers.FloatField(source="share.low", allow_null=True)
    high = serializers.FloatField(source="share.high", allow_null=True)


class QualityOut(serializers.Serializer[Any]):
    """The newest report of a queue; null or empty before the first. days: [[ISO date, annotations], …].
    people:
    all for a lead, else you.
    """

    uuid = serializers.UUIDField(allow_null=True)
    edition = serializers.IntegerField(allow_null=True)
    as_of = serializers.DateTimeField(allow_null=True)
    items = serializers.IntegerField()
    annotations = serializers.IntegerField()
    coefficients = CoefficientOut(many=True)
    confusion = ConfusionOut(many=True)
    people = AnnotatorQualityOut(many=True)
    gold = GoldLabelOut(many=True, help_text="lowest accuracy first")
    days = serializers.JSONField()
    left = serializers.IntegerField()
    days_left = serializers.FloatField(allow_null=True)
    days_left_why = serializers.CharField(allow_blank=True)


MANAGE = Needs("labeling.manage", Queue, "labeling.view")


@operation("GET", "labeling_quality", MANAGE, gives=QualityOut)
def quality(request: Request, uuid: UUID) -> object:
    """Get the newest report on a queue's label quality; the remaining work is as of now."""
    return quality_document(get_queue(request.user, uuid), request.user)


@operation("POST", "labeling_measure", MANAGE, gives=JobOut, status=202)
def measure(request: Request, uuid: UUID) -> object:
    """Measure now. Returns the queued or running measurement if there is one. 409 if there are no annotations
    yet.
    """
    return measure_quality(queue_id=uuid, actor=request.user)


urlpatterns = [
    path("labeling/queues/<uuid:uuid>/quality/", methods(quality, measure), name="api-labeling-quality")
]
