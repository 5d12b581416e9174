"""Suggestions over REST: those of the built-in model, those of models elsewhere, and whose a queue shows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.datasets.models import Dataset
from datasets_app.labeling.actions.learning import learn
from datasets_app.labeling.actions.receiving import receive
from datasets_app.labeling.actions.steering import prefer
from datasets_app.labeling.api.queues import QueueOut
from datasets_app.labeling.models import Fit, Queue
from datasets_app.labeling.queries.learning import learning
from datasets_app.labeling.queries.pages import get_queue
from datasets_app.labeling.rules.prelabels import Proposer
from lifecycle.jobs.api import JobOut
from registry.access.decorators import Needs
from registry.access.rest import Request, View, read


class FitOut(serializers.Serializer[Fit]):
    """What the newest fit learnt from. rows_digest: over the items and their classes. digest: what its suggestions name as their source."""

    uuid = serializers.UUIDField()
    edition = serializers.IntegerField()
    answers = serializers.IntegerField()
    rows = serializers.IntegerField()
    features = serializers.ChoiceField(choices=Fit.Features.choices)
    base_name = serializers.CharField()
    base_digest = serializers.CharField()
    rows_digest = serializers.CharField()
    digest = serializers.CharField()
    seconds = serializers.FloatField()
    created_at = serializers.DateTimeField()


class LearningOut(serializers.Serializer[Any]):
    """How far the built-in model is. fit: null before anything was learnt. accuracy: under cross-validation, null of fewer than 20 texts.

    interval: its 95 % Wilson interval. next_at: answers at which it learns again. ready: classes with five labelled texts; two are needed.
    pairs: [class, other class, open texts between them], where it is least sure.
    """

    fit = FitOut(allow_null=True)
    answers = serializers.IntegerField()
    next_at = serializers.IntegerField()
    base = serializers.CharField()
    ready = serializers.IntegerField()
    accuracy = serializers.FloatField(allow_null=True)
    interval = serializers.ListField(child=serializers.FloatField())
    pairs = serializers.ListField(child=serializers.ListField())
    working = serializers.BooleanField()


class PreferIn(serializers.Serializer[Any]):
    """Whose suggestions are shown first. Empty: the newest, whoever gave them."""

    source = serializers.ChoiceField(choices=Proposer.choices, allow_blank=True)  # type: ignore[assignment]


class SuggestedIn(serializers.Serializer[Any]):
    """What a model elsewhere says of one item. label: name of a class, where texts have classes; else value, as an answer of the task."""

    item = serializers.UUIDField()
    label = serializers.CharField(required=False, max_length=120)  # type: ignore[assignment]
    value = serializers.JSONField(required=False)
    score = serializers.FloatField(required=False, allow_null=True, default=None, min_value=0, max_value=1)


class SuggestionsIn(serializers.Serializer[Any]):
    """Up to 1,000 suggestions of one model. digest: sha256, in hex, that tells its versions apart."""

    name = serializers.CharField(max_length=120)
    digest = serializers.RegexField(r"^[0-9a-f]{64}$")
    rows = SuggestedIn(many=True)


class SuggestionsOut(serializers.Serializer[Any]):
    """How many were kept. The others name a class that is not there, or are no answer of the task."""

    kept = serializers.IntegerField()


class Suggestions(View):
    """Suggestions of models elsewhere."""

    needs = {"POST": Needs("labeling.manage", Dataset, "labeling.view")}

    @extend_schema(operation_id="labeling_suggestions", request=SuggestionsIn, responses={201: SuggestionsOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Send suggestions for a dataset's items; the same twice are kept once."""
        kept = receive(dataset_id=uuid, actor=request.user, **read(SuggestionsIn, request.data))
        return Response({"kept": kept}, status=201)


class QueueLearning(View):
    """Built-in models."""

    needs = {"GET": Needs("labeling.view", Queue), "POST": Needs("labeling.manage", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_learning", responses=LearningOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """How far the built-in model of the queue's dataset is."""
        return Response(LearningOut(learning(get_queue(request.user, uuid), request.user)).data)

    @extend_schema(operation_id="labeling_learn", request=None, responses={202: JobOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Have it learn now; the job says when the queue is in order."""
        return Response(JobOut(learn(queue_id=uuid, actor=request.user)).data, status=202)


class Prefer(View):
    """Sources of suggestions."""

    needs = {"POST": Needs("labeling.manage", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_prefer", request=PreferIn, responses=QueueOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Show suggestions of one kind of source first in a queue."""
        return Response(QueueOut(prefer(queue_id=uuid, actor=request.user, **read(PreferIn, request.data))).data)


urlpatterns = [
    path("labeling/datasets/<uuid:uuid>/suggestions/", Suggestions.as_view(), name="api-labeling-suggestions"),
    path("labeling/queues/<uuid:uuid>/learning/", QueueLearning.as_view(), name="api-labeling-learning"),
    path("labeling/queues/<uuid:uuid>/prefer/", Prefer.as_view(), name="api-labeling-prefer"),
]
