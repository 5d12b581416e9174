"""The built-in model over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.assist.actions.learning import learn
from datasets_app.assist.models.learning import Fit
from datasets_app.assist.queries.learning import learning
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.pages import get_queue
from lifecycle.ground.jobs.api import JobOut
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View


class FitOut(serializers.Serializer[Fit]):
    """The newest trained fit. rows_digest: over the items and their labels. digest: the source of its
    pre-labels.
    """

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
    """The state of the built-in model. fit: null before the first training. accuracy: cross-validated, null
    below 20 texts.

    interval: its 95 % Wilson interval. next_at: answers at which it learns again. ready: classes with five
    labeled texts; two are needed. pairs: [class, other class, open texts between them], where it is least
    sure.
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


class QueueLearning(View):
    """Built-in models."""

    needs = {"GET": Needs("labeling.view", Queue), "POST": Needs("labeling.manage", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_learning", responses=LearningOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """How far the built-in model of the queue's dataset is."""
        return Response(LearningOut(learning(get_queue(request.user, uuid), request.user)).data)

    @extend_schema(operation_id="labeling_learn", request=None, responses={202: JobOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Start training; the queue is ordered when the job has succeeded."""
        return Response(JobOut(learn(queue_id=uuid, actor=request.user)).data, status=202)


urlpatterns = [
    path(
        "labeling/queues/<uuid:uuid>/built-in-model/", QueueLearning.as_view(), name="api-labeling-learning"
    ),
]
