"""Labels and guidelines over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework import serializers

from datasets_app.datasets.models import Dataset
from datasets_app.schemas.actions.schemas import publish_schema
from datasets_app.schemas.models.schemas import Label, LabelSchema
from datasets_app.schemas.queries.schemas import get_dataset
from datasets_app.schemas.rules import LabelSpec
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, RowOut, methods, operation

PAGE = 30


class LabelIn(serializers.Serializer[Any]):
    """One label of the next version."""

    name = serializers.CharField(max_length=120)
    definition = serializers.CharField(required=False, allow_blank=True, default="")
    examples = serializers.ListField(child=serializers.CharField(), required=False, default=list)
    lookalikes = serializers.ListField(
        child=serializers.DictField(child=serializers.CharField()), required=False, default=list
    )
    group = serializers.CharField(required=False, allow_blank=True, default="", max_length=80)
    stable_id = serializers.UUIDField(required=False, allow_null=True, default=None)


class SchemaIn(serializers.Serializer[Any]):
    """The next version of a dataset's labels. seen: the version it's based on; 0 for none. accepting:
    proposals that it includes.
    """

    labels = LabelIn(many=True)
    guideline = serializers.CharField(required=False, allow_blank=True, default="")
    seen = serializers.IntegerField(required=False, allow_null=True, default=None)
    accepting = serializers.ListField(
        child=serializers.UUIDField(), required=False, default=list, max_length=50
    )


class LabelOut(RowOut[Label]):
    """One label of one version."""

    examples = serializers.JSONField()
    lookalikes = serializers.JSONField()

    class Meta:
        model = Label
        fields = ["uuid", "stable_id", "name", "group", "definition", "examples", "lookalikes"]


class SchemaOut(RowOut[LabelSchema]):
    """One version of a dataset's labels."""

    labels = LabelOut(many=True)

    class Meta:
        model = LabelSchema
        fields = ["uuid", "version", "digest", "guideline", "created_at", "labels"]


@operation("GET", "labeling_schemas", Needs("labeling.view", Dataset), gives=SchemaOut(many=True))
def schemas(request: Request, uuid: UUID) -> object:
    """List the newest 30 versions, newest first."""
    dataset = get_dataset(request.user, uuid)
    return dataset.schemas.prefetch_related("labels").order_by("-version")[:PAGE]


@operation(
    "POST",
    "labeling_publish_schema",
    Needs("labeling.manage", Dataset, "labeling.view"),
    takes=SchemaIn,
    gives=SchemaOut,
    status=201,
)
def publish(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Publish the next version."""
    labels = [
        LabelSpec(**each | {name: tuple(each[name]) for name in ("examples", "lookalikes")})
        for each in given.pop("labels")
    ]
    return publish_schema(dataset_id=uuid, actor=request.user, labels=labels, **given)


urlpatterns = [
    path("labeling/datasets/<uuid:uuid>/schemas/", methods(schemas, publish), name="api-labeling-schemas"),
]
