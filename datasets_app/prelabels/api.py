"""Pre-labels of external models over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework import serializers

from datasets_app.datasets.models import Dataset
from datasets_app.prelabels.actions.receiving import receive
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, operation


class PrelabelIn(serializers.Serializer[Any]):
    """A pre-label of one item. label: name of a label, for tasks that label whole texts; else value, as an
    annotation of the task.
    """

    item = serializers.UUIDField()
    label = serializers.CharField(required=False, max_length=120)  # type: ignore[assignment]
    value = serializers.JSONField(required=False)
    score = serializers.FloatField(required=False, allow_null=True, default=None, min_value=0, max_value=1)


class PrelabelsIn(serializers.Serializer[Any]):
    """Up to 1,000 pre-labels of one model. digest: sha256, in hex, that identifies its version."""

    name = serializers.CharField(max_length=120)
    digest = serializers.RegexField(r"^[0-9a-f]{64}$")
    rows = PrelabelIn(many=True)


class PrelabelsOut(serializers.Serializer[Any]):
    """How many were saved. The others have an unknown label or an invalid value."""

    kept = serializers.IntegerField()


@operation(
    "POST",
    "labeling_upload_prelabels",
    Needs("labeling.manage", Dataset, "labeling.view"),
    takes=PrelabelsIn,
    gives=PrelabelsOut,
    status=201,
)
def upload(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Upload pre-labels of a dataset's items; repeated ones are saved once."""
    return {"kept": receive(dataset_id=uuid, actor=request.user, **given)}


urlpatterns = [
    path("labeling/datasets/<uuid:uuid>/pre-labels/", upload, name="api-labeling-suggestions"),
]
