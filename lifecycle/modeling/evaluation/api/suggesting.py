"""Pre-labeling with models over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework import serializers

from datasets_app.datasets.models import Dataset
from datasets_app.queues.queries.pages import get_queue
from datasets_app.schemas.queries.schemas import get_dataset
from lifecycle.ground.jobs.api import JobOut
from lifecycle.modeling.evaluation import actions, suggesters
from lifecycle.modeling.evaluation.suggest_page import line
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, methods, operation

MANAGE = Needs("labeling.manage", Dataset, "labeling.view")


class SuggestIn(serializers.Serializer[object]):
    """Which model. kind: as GET lists them. queue: whose open items; null for all items of the dataset."""

    kind = serializers.CharField(max_length=20)
    model = serializers.UUIDField()
    queue = serializers.UUIDField(required=False, allow_null=True, default=None)


class SuggesterOut(serializers.Serializer[object]):
    """A model that can pre-label. unknown: its labels that aren't in the newest schema. never: labels that it
    doesn't know.
    """

    kind = serializers.CharField(source="model.kind")
    model = serializers.UUIDField(source="model.uuid")
    name = serializers.CharField(source="model.name")
    digest = serializers.CharField(source="model.digest")
    fits = serializers.BooleanField(source="match.fits")
    unknown = serializers.ListField(child=serializers.CharField(), source="match.unknown")
    never = serializers.ListField(child=serializers.CharField(), source="match.never")


@operation("GET", "datasets_suggesters", MANAGE, gives=SuggesterOut(many=True))
def suggesters_of(request: Request, uuid: UUID) -> object:
    """List the project's newest runs and versions for the dataset's task, and which labels don't match."""
    dataset = get_dataset(request.user, uuid)
    models = [model for some in suggesters.offered(request.user, dataset).values() for model in some]
    found = zip(models, suggesters.matches(dataset, models), strict=True)
    return [line(model, match, "") for model, match in found]


@operation("POST", "datasets_suggest", MANAGE, takes=SuggestIn, gives=JobOut, status=202)
def suggest(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Pre-label the open items of a queue, or all items, with a model; the job reports completion."""
    user, dataset = request.user, get_dataset(request.user, uuid)
    queue = get_queue(user, given["queue"]) if given["queue"] else None
    model = suggesters.get_model(user, given["kind"], given["model"])
    return actions.suggest(dataset=dataset, model=model, actor=user, queue=queue)


urlpatterns = [
    path("datasets/<uuid:uuid>/pre-label/", methods(suggesters_of, suggest), name="api-dataset-suggest")
]
