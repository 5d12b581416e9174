"""The chain over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework import serializers

from datasets_app.datasets.models import Item
from datasets_app.snapshots.models import Snapshot
from lifecycle.roof.trace import queries
from monitoring.traffic.models import Prediction
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, operation


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
        return [
            {"uuid": str(snapshot.uuid), "split": split, "label": label}
            for snapshot, split, label in touched.snapshots
        ]


@operation("GET", "trace_predictions_list", Needs("trace.view", Prediction), gives=LinkOut(many=True))
def prediction_trace(request: Request, uuid: UUID) -> object:
    """Get the chain from the prediction to the dataset version."""
    found = Prediction.objects.select_related(
        "endpoint__model", "version__model", "version__run__snapshot", "version__run__base"
    ).get(uuid=uuid)
    return queries.as_json(queries.prediction_chain(found))


@operation("GET", "trace_items_retrieve", Needs("trace.view", Item), gives=TouchedOut)
def item_trace(request: Request, uuid: UUID) -> object:
    """Get dataset versions, runs, versions, and deployments that use the item."""
    return queries.item_touched(request.user, Item.objects.get(uuid=uuid))


@operation("GET", "trace_snapshots_retrieve", Needs("trace.view", Snapshot), gives=AboveOut)
def snapshot_trace(request: Request, uuid: UUID) -> object:
    """Get runs, versions, and deployments that use the dataset version."""
    return queries.above(request.user, [Snapshot.objects.get(uuid=uuid)])


urlpatterns = [
    path("trace/predictions/<uuid:uuid>/", prediction_trace, name="api-trace-prediction"),
    path("trace/items/<uuid:uuid>/", item_trace, name="api-trace-item"),
    path("trace/dataset-versions/<uuid:uuid>/", snapshot_trace, name="api-trace-snapshot"),
]
