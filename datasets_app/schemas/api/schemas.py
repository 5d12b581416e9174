"""Labels and guidelines over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.datasets.models import Dataset
from datasets_app.schemas.actions.schemas import publish_schema
from datasets_app.schemas.models.schemas import Label, LabelSchema
from datasets_app.schemas.queries.schemas import get_dataset
from datasets_app.schemas.rules import LabelSpec
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View, read

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


class LabelOut(serializers.Serializer[Label]):
    """One label of one version."""

    uuid = serializers.UUIDField()
    stable_id = serializers.UUIDField()
    name = serializers.CharField()
    group = serializers.CharField()
    definition = serializers.CharField()
    examples = serializers.JSONField()
    lookalikes = serializers.JSONField()


class SchemaOut(serializers.Serializer[LabelSchema]):
    """One version of a dataset's labels."""

    uuid = serializers.UUIDField()
    version = serializers.IntegerField()
    digest = serializers.CharField()
    guideline = serializers.CharField()
    created_at = serializers.DateTimeField()
    labels = LabelOut(many=True)


class Schemas(View):
    """Versions of a dataset's labels."""

    needs = {
        "GET": Needs("labeling.view", Dataset),
        "POST": Needs("labeling.manage", Dataset, "labeling.view"),
    }

    @extend_schema(operation_id="labeling_schemas", responses=SchemaOut(many=True))
    def get(self, request: Request, uuid: UUID) -> Response:
        """The newest 30 versions, newest first."""
        dataset = get_dataset(request.user, uuid)
        found = dataset.schemas.prefetch_related("labels").order_by("-version")[:PAGE]
        return Response(SchemaOut(list(found), many=True).data)  # type: ignore[arg-type]

    @extend_schema(operation_id="labeling_publish_schema", request=SchemaIn, responses={201: SchemaOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Publish the next version."""
        data = read(SchemaIn, request.data)
        labels = [
            LabelSpec(
                **{**each, "examples": tuple(each["examples"]), "lookalikes": tuple(each["lookalikes"])}
            )
            for each in data["labels"]
        ]
        made = publish_schema(
            dataset_id=uuid,
            actor=request.user,
            labels=labels,
            guideline=data["guideline"],
            seen=data["seen"],
            accepting=data["accepting"],
        )
        return Response(SchemaOut(made).data, status=201)


urlpatterns = [
    path("labeling/datasets/<uuid:uuid>/schemas/", Schemas.as_view(), name="api-labeling-schemas"),
]
