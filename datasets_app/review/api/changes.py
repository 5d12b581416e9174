"""Changes of classes over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.datasets.models import Dataset
from datasets_app.review.actions.changes import change_classes, plan_changes
from datasets_app.review.queries.moves import touched
from datasets_app.schemas.api.schemas import SchemaOut
from datasets_app.schemas.queries.schemas import get_dataset
from datasets_app.schemas.relabeling import CHANGES_LIMIT, KINDS, Change
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View, read

LONGEST = 120


class SchemaChangeIn(serializers.Serializer[Any]):
    """One change. label: stable id of a class. into: the new name; the class of a merge; the classes of a
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


class ChangesIn(serializers.Serializer[Any]):
    """Changes that make one version. seen: the version that they change. move: queues that go to the new
    version. accepting: open proposals for the guideline that the version takes up.
    """

    changes = SchemaChangeIn(many=True)
    seen = serializers.IntegerField()
    move = serializers.ListField(child=serializers.UUIDField(), required=False, default=list, max_length=100)
    accepting = serializers.ListField(
        child=serializers.UUIDField(), required=False, default=list, max_length=100
    )


class RemovedOut(serializers.Serializer[Any]):
    """A class that goes away and what carries it, each counted up to 10,001: more than 10,000 then.
    withdrawn: of the decisions.
    """

    name = serializers.CharField()
    kind = serializers.CharField()
    into = serializers.ListField(child=serializers.CharField())
    decisions = serializers.IntegerField()
    withdrawn = serializers.IntegerField()
    answers = serializers.IntegerField()
    suggestions = serializers.IntegerField()
    queues = serializers.IntegerField()


class PlanOut(serializers.Serializer[Any]):
    """What the next version would be. labels: its classes, in their order."""

    labels = serializers.ListField(child=serializers.CharField())
    gone = RemovedOut(many=True)


def wanted(data: dict[str, Any]) -> list[Change]:
    """The submitted changes."""
    return [Change(each["label"], each["kind"], tuple(each["into"])) for each in data["changes"]]


class PreviewChanges(View):
    """Changes that are looked at."""

    needs = {"POST": Needs("labeling.manage", Dataset, "labeling.view")}

    @extend_schema(operation_id="labeling_preview_changes", request=ChangesIn, responses=PlanOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """What the next version would be and what it touches; nothing is kept."""
        data = read(ChangesIn, request.data)
        dataset = get_dataset(request.user, uuid)
        _, plan = plan_changes(dataset, wanted(data), data["seen"])
        removed = []
        for each in plan.removed:
            found = touched(dataset, each, plan.removed)
            removed.append(
                {
                    "name": each.name,
                    "kind": str(each.kind),
                    "into": each.into,
                    "decisions": found.decisions,
                    "withdrawn": found.withdrawn,
                    "answers": found.answers,
                    "suggestions": found.suggestions,
                    "queues": found.queues,
                }
            )
        return Response(PlanOut({"labels": [label.name for label in plan.labels], "gone": removed}).data)


class ChangeClasses(View):
    """Changes that are published."""

    needs = {"POST": Needs("labeling.manage", Dataset, "labeling.view")}

    @extend_schema(operation_id="labeling_change_classes", request=ChangesIn, responses={201: SchemaOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Publish the next version; a job moves resolved labels that use removed labels."""
        data = read(ChangesIn, request.data)
        made = change_classes(
            dataset_id=uuid,
            actor=request.user,
            wanted=wanted(data),
            seen=data["seen"],
            move=data["move"],
            accepting=data["accepting"],
        )
        return Response(SchemaOut(made).data, status=201)


urlpatterns = [
    path(
        "labeling/datasets/<uuid:uuid>/labels/preview/",
        PreviewChanges.as_view(),
        name="api-labeling-preview-changes",
    ),
    path(
        "labeling/datasets/<uuid:uuid>/labels/change/",
        ChangeClasses.as_view(),
        name="api-labeling-change-classes",
    ),
]
