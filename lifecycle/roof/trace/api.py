"""The chain over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.datasets.models import Item
from datasets_app.snapshots.models import Snapshot
from lifecycle.roof.trace import queries
from monitoring.traffic.models import Prediction
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View


class LinkOut(serializers.Serializer[dict[str, object]]):
    """One link of a chain."""

    kind = serializers.CharField()
    text = serializers.CharField()
    digest = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)
    people = serializers.ListField(child=serializers.UUIDField())
    missing = serializers.BooleanField()


class UuidOf(serializers.UUIDField):
    """The uuid of a thing."""

    def to_representation(self, value: Any) -> str:
        """As text."""
        return str(value.uuid)


class AboveOut(serializers.Serializer[queries.Above]):
    """Lineage of a dataset version, as uuids, newest first."""

    runs = serializers.ListField(child=UuidOf())
    versions = serializers.ListField(child=UuidOf())
    deployments = serializers.ListField(child=UuidOf())


class TouchedOut(AboveOut):
    """Lineage of an item, as uuids."""

    snapshots = serializers.SerializerMethodField()

    def get_snapshots(self, touched: queries.Touched) -> list[dict[str, str]]:
        """Each dataset version with the item's split and label in it."""
        return [{"uuid": str(snapshot.uuid), "split": split, "label": label} for snapshot, split, label in touched.snapshots]


class PredictionTrace(View):
    """Provenance of a prediction."""

    needs = {"GET": Needs("trace.view", Prediction)}

    @extend_schema(responses=LinkOut(many=True))
    def get(self, request: Request, uuid: UUID) -> Response:
        """Get the chain from the prediction to the dataset version."""
        found = Prediction.objects.select_related("endpoint__model", "version__model", "version__run__snapshot", "version__run__base").get(
            uuid=uuid
        )
        return Response(LinkOut(queries.as_json(queries.prediction_chain(found)), many=True).data)


class ItemTrace(View):
    """Lineage of an item."""

    needs = {"GET": Needs("trace.view", Item)}

    @extend_schema(responses=TouchedOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """Get dataset versions, runs, versions, and deployments that use the item."""
        return Response(TouchedOut(queries.item_touched(request.user, Item.objects.get(uuid=uuid))).data)


class SnapshotTrace(View):
    """Lineage of a dataset version."""

    needs = {"GET": Needs("trace.view", Snapshot)}

    @extend_schema(responses=AboveOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """Get runs, versions, and deployments that use the dataset version."""
        return Response(AboveOut(queries.above(request.user, [Snapshot.objects.get(uuid=uuid)])).data)


urlpatterns = [
    path("trace/predictions/<uuid:uuid>/", PredictionTrace.as_view(), name="api-trace-prediction"),
    path("trace/items/<uuid:uuid>/", ItemTrace.as_view(), name="api-trace-item"),
    path("trace/snapshots/<uuid:uuid>/", SnapshotTrace.as_view(), name="api-trace-snapshot"),
]
