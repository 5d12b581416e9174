"""The built-in model over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework import serializers

from datasets_app.assist.actions import learning as actions
from datasets_app.assist.models.learning import Fit
from datasets_app.assist.queries.learning import learning
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.pages import get_queue
from lifecycle.ground.jobs.api import JobOut
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, RowOut, methods, operation


class BuiltInModelFitOut(RowOut[Fit]):
    """The newest trained fit. rows_digest: over the items and their labels. digest: the source of its
    pre-labels.
    """

    class Meta:
        model = Fit
        fields = [
            "uuid",
            "edition",
            "annotations",
            "rows",
            "features",
            "base_name",
            "base_digest",
            "rows_digest",
            "digest",
            "seconds",
            "created_at",
        ]


class BuiltInModelOut(serializers.Serializer[Any]):
    """The state of the built-in model. fit: null before the first training. accuracy: cross-validated, null
    below 20 texts. interval: its 95 % Wilson interval.

    next_at: annotations at which it trains again. ready: labels with five labeled texts; two are needed.
    pairs: [label, other label, open texts between them], where it is least sure.
    """

    fit = BuiltInModelFitOut(allow_null=True)
    annotations = serializers.IntegerField()
    next_at = serializers.IntegerField()
    base = serializers.CharField()
    ready = serializers.IntegerField()
    accuracy = serializers.FloatField(allow_null=True)
    interval = serializers.ListField(child=serializers.FloatField())
    pairs = serializers.ListField(child=serializers.ListField())
    working = serializers.BooleanField()


@operation("GET", "labeling_built_in_model", Needs("labeling.view", Queue), gives=BuiltInModelOut)
def state(request: Request, uuid: UUID) -> object:
    """Get the state of the built-in model of the queue's dataset."""
    return learning(get_queue(request.user, uuid), request.user)


@operation(
    "POST",
    "labeling_train_built_in_model",
    Needs("labeling.manage", Queue, "labeling.view"),
    gives=JobOut,
    status=202,
)
def learn(request: Request, uuid: UUID) -> object:
    """Start training; the queue is ordered when the job has succeeded."""
    return actions.learn(queue_id=uuid, actor=request.user)


urlpatterns = [
    path("labeling/queues/<uuid:uuid>/built-in-model/", methods(state, learn), name="api-labeling-learning"),
]
