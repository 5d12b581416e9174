"""Labeling functions over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.assist.actions import suggesting as actions
from datasets_app.assist.matching import Kind, Mode, clean_pattern, matcher
from datasets_app.assist.models.functions import LabelingFunction
from datasets_app.assist.queries import suggesting
from datasets_app.datasets.models import Dataset
from datasets_app.schemas.queries.schemas import get_dataset
from lifecycle.ground.jobs.api import JobOut
from registry.ground.access import policy
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, RowOut, methods, operation

LONGEST = 50_000
MANAGE = Needs("labeling.manage", Dataset, "labeling.view")


class PatternIn(serializers.Serializer[Any]):
    """A pattern to try. pattern: words and phrases, one per line, or an RE2 expression. label: stable id of a
    label, for the precision.
    """

    kind = serializers.ChoiceField(choices=Kind.choices)
    pattern = serializers.CharField(max_length=LONGEST, trim_whitespace=False)
    mode = serializers.ChoiceField(choices=Mode.choices, required=False, default=Mode.ANY)
    label = serializers.UUIDField(required=False, allow_null=True, default=None)  # type: ignore[assignment]


class FunctionIn(PatternIn):
    """A labeling function, or its next version. label: stable id of a label of the newest schema. changes:
    the version that it replaces.
    """

    name = serializers.CharField(max_length=80)
    label = serializers.UUIDField()  # type: ignore[assignment]
    changes = serializers.UUIDField(required=False, allow_null=True, default=None)


class FunctionOut(RowOut[LabelingFunction]):
    """One version of a labeling function. function: the same in all its versions. digest: the source of its
    pre-labels.
    """

    function = serializers.UUIDField(source="stable_id")

    class Meta:
        model = LabelingFunction
        fields = [
            "uuid",
            "function",
            "version",
            "name",
            "label",
            "kind",
            "pattern",
            "mode",
            "retired",
            "digest",
            "created_at",
        ]


class FunctionFiguresOut(serializers.Serializer[Any]):
    """What a labeling function matches. items, matches: of the sample. spans: spans that it finds there.
    labeled: matches that have a resolved label; right: of these, correct.

    For spans, each span counts, and right means an exact match. precision: null below 20 of
    them. interval: 95 % Wilson interval of the precision.
    """

    items = serializers.IntegerField()
    matches = serializers.IntegerField()
    spans = serializers.IntegerField()
    coverage = serializers.FloatField(allow_null=True)
    labeled = serializers.IntegerField()
    right = serializers.IntegerField()
    precision = serializers.FloatField(allow_null=True)
    interval = serializers.ListField(child=serializers.FloatField())


class MatchOut(serializers.Serializer[Any]):
    """One match. text: around it; empty for roles that may not read texts. label: its labels, empty without
    one.
    """

    item = serializers.UUIDField(source="uuid")
    text = serializers.SerializerMethodField()
    label = serializers.CharField()  # type: ignore[assignment]

    def get_text(self, example: Any) -> str:
        """The pieces in a row."""
        return "".join(piece.text for piece in example.pieces) if self.context["may_read"] else ""


class FunctionPreviewOut(serializers.Serializer[Any]):
    """What a pattern would match. stopped: whether time ran out before the whole sample was read."""

    measured = FunctionFiguresOut()
    examples = MatchOut(many=True)
    stopped = serializers.BooleanField()


@operation("GET", "labeling_functions", Needs("labeling.view", Dataset), gives=FunctionOut(many=True))
def functions(request: Request, uuid: UUID) -> object:
    """List the active labeling functions, oldest first; at most 200."""
    return suggesting.functions_of(get_dataset(request.user, uuid))


@operation("POST", "labeling_publish_function", MANAGE, takes=FunctionIn, gives=FunctionOut, status=201)
def write(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Publish a labeling function, or its next version with `changes`."""
    return actions.write_function(dataset_id=uuid, actor=request.user, **given)


@operation("POST", "labeling_preview_function", MANAGE, takes=PatternIn, gives=FunctionPreviewOut)
def preview(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Try a pattern on a sample of up to 2,000 items, with ten examples; nothing is saved."""
    dataset = get_dataset(request.user, uuid)
    find = matcher(given["kind"], clean_pattern(given["kind"], given["pattern"]), given["mode"])
    found = suggesting.preview(dataset, find, given["label"])
    may_read = policy.can(request.user, "datasets.read_samples", dataset)
    return Response(FunctionPreviewOut(found, context={"may_read": may_read}).data)


@operation("POST", "labeling_apply_functions", MANAGE, gives=JobOut, status=202)
def apply(request: Request, uuid: UUID) -> object:
    """Start a job that applies the active labeling functions to the items that they haven't read yet."""
    return actions.apply_functions(dataset_id=uuid, actor=request.user)


@operation(
    "POST",
    "labeling_retire_function",
    Needs("labeling.manage", LabelingFunction, "labeling.view"),
    gives=FunctionOut,
)
def retire(request: Request, uuid: UUID) -> object:
    """Retire a labeling function; its pre-labels stay."""
    return actions.retire_function(function_id=uuid, actor=request.user)


urlpatterns = [
    path(
        "labeling/datasets/<uuid:uuid>/functions/", methods(functions, write), name="api-labeling-functions"
    ),
    path("labeling/datasets/<uuid:uuid>/functions/preview/", preview, name="api-labeling-preview-function"),
    path("labeling/datasets/<uuid:uuid>/functions/apply/", apply, name="api-labeling-apply-functions"),
    path("labeling/functions/<uuid:uuid>/retire/", retire, name="api-labeling-retire-function"),
]
