"""Changes of labels over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework import serializers

from datasets_app.datasets.models import Dataset
from datasets_app.review.actions.changes import change_labels, plan_changes
from datasets_app.review.queries.moves import touched
from datasets_app.schemas.api.schemas import SchemaOut
from datasets_app.schemas.queries.schemas import get_dataset
from datasets_app.schemas.relabeling import CHANGES_LIMIT, KINDS, Change
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, operation

LONGEST = 120
COUNTED = ("resolved_labels", "withdrawn", "annotations", "prelabels", "queues")


class SchemaChangeIn(serializers.Serializer[Any]):
    """One change. label: stable id of a label. into: the new name; the label to merge into; the labels of a
    split; empty to retire.
    """

    label = serializers.UUIDField()  # type: ignore[assignment]
    kind = serializers.ChoiceField(choices=KINDS)
    into = serializers.ListField(
        child=serializers.CharField(max_length=LONGEST),
        required=False,
        default=list,
        max_length=CHANGES_LIMIT,
    )


class SchemaChangesIn(serializers.Serializer[Any]):
    """Changes that make one version. seen: the version that they change. move: queues that move to the new
    version. accepting: open proposals for the guideline that the version includes.
    """

    changes = SchemaChangeIn(many=True)
    seen = serializers.IntegerField()
    move = serializers.ListField(child=serializers.UUIDField(), required=False, default=list, max_length=100)
    accepting = serializers.ListField(
        child=serializers.UUIDField(), required=False, default=list, max_length=100
    )


class RemovedLabelOut(serializers.Serializer[Any]):
    """A removed label and what uses it, each counted up to 10,001, which means more than 10,000. withdrawn:
    resolved labels that the change withdraws.
    """

    name = serializers.CharField()
    kind = serializers.CharField()
    into = serializers.ListField(child=serializers.CharField())
    resolved_labels = serializers.IntegerField()
    withdrawn = serializers.IntegerField()
    annotations = serializers.IntegerField()
    prelabels = serializers.IntegerField()
    queues = serializers.IntegerField()


class SchemaPreviewOut(serializers.Serializer[Any]):
    """The next version. labels: its labels, in their order."""

    labels = serializers.ListField(child=serializers.CharField())
    removed = RemovedLabelOut(many=True)


def wanted(data: dict[str, Any]) -> list[Change]:
    """The submitted changes."""
    return [Change(each["label"], each["kind"], tuple(each["into"])) for each in data["changes"]]


MANAGE = Needs("labeling.manage", Dataset, "labeling.view")


@operation("POST", "labeling_preview_changes", MANAGE, takes=SchemaChangesIn, gives=SchemaPreviewOut)
def preview(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Preview the next version and what it affects; nothing is saved."""
    dataset = get_dataset(request.user, uuid)
    _, plan = plan_changes(dataset, wanted(given), given["seen"])
    removed = []
    for each in plan.removed:
        found = touched(dataset, each, plan.removed)
        counts = {name: getattr(found, name) for name in COUNTED}
        removed.append({"name": each.name, "kind": str(each.kind), "into": each.into} | counts)
    return {"labels": [label.name for label in plan.labels], "removed": removed}


@operation("POST", "labeling_change_labels", MANAGE, takes=SchemaChangesIn, gives=SchemaOut, status=201)
def change(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Publish the next version; a job moves resolved labels that use removed labels."""
    made = wanted({"changes": given.pop("changes")})
    return change_labels(dataset_id=uuid, actor=request.user, wanted=made, **given)


urlpatterns = [
    path("labeling/datasets/<uuid:uuid>/labels/preview/", preview, name="api-labeling-preview-changes"),
    path("labeling/datasets/<uuid:uuid>/labels/change/", change, name="api-labeling-change-labels"),
]
