"""Pre-labels of external models over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.datasets.models import Dataset
from datasets_app.prelabels.actions.receiving import receive
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View, read


class SuggestedIn(serializers.Serializer[Any]):
    """A pre-label of one item. label: name of a label, for tasks that label whole texts; else value, as an
    annotation of the task.
    """

    item = serializers.UUIDField()
    label = serializers.CharField(required=False, max_length=120)  # type: ignore[assignment]
    value = serializers.JSONField(required=False)
    score = serializers.FloatField(required=False, allow_null=True, default=None, min_value=0, max_value=1)


class SuggestionsIn(serializers.Serializer[Any]):
    """Up to 1,000 suggestions of one model. digest: sha256, in hex, that identifies its version."""

    name = serializers.CharField(max_length=120)
    digest = serializers.RegexField(r"^[0-9a-f]{64}$")
    rows = SuggestedIn(many=True)


class SuggestionsOut(serializers.Serializer[Any]):
    """How many were saved. The others have an unknown label or an invalid value."""

    kept = serializers.IntegerField()


class Suggestions(View):
    """Suggestions of models elsewhere."""

    needs = {"POST": Needs("labeling.manage", Dataset, "labeling.view")}

    @extend_schema(
        operation_id="labeling_suggestions", request=SuggestionsIn, responses={201: SuggestionsOut}
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """Send suggestions for a dataset's items; the same twice are kept once."""
        kept = receive(dataset_id=uuid, actor=request.user, **read(SuggestionsIn, request.data))
        return Response({"kept": kept}, status=201)


urlpatterns = [
    path("labeling/datasets/<uuid:uuid>/pre-labels/", Suggestions.as_view(), name="api-labeling-suggestions"),
]
