"""Rules that suggest classes, over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.assist.actions.suggesting import apply_rules, retire_rule, write_rule
from datasets_app.assist.matching import Kind, Mode, clean_pattern, matcher
from datasets_app.assist.models.rules import Rule
from datasets_app.assist.queries import suggesting
from datasets_app.datasets.models import Dataset
from datasets_app.schemas.queries.schemas import get_dataset
from lifecycle.ground.jobs.api import JobOut
from registry.ground.access import policy
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View, read

LONGEST = 50_000


class PatternIn(serializers.Serializer[Any]):
    """A pattern to try. pattern: words and phrases, one a line, or an expression of RE2. label: stable id of
    a class, for the precision.
    """

    kind = serializers.ChoiceField(choices=Kind.choices)
    pattern = serializers.CharField(max_length=LONGEST, trim_whitespace=False)
    mode = serializers.ChoiceField(choices=Mode.choices, required=False, default=Mode.ANY)
    label = serializers.UUIDField(required=False, allow_null=True, default=None)  # type: ignore[assignment]


class RuleIn(PatternIn):
    """A rule, or its next version. label: stable id of a class of the newest version. changes: the version
    that it changes.
    """

    name = serializers.CharField(max_length=80)
    label = serializers.UUIDField()  # type: ignore[assignment]
    changes = serializers.UUIDField(required=False, allow_null=True, default=None)


class RuleOut(serializers.Serializer[Rule]):
    """One version of a rule. rule: the same in all its versions. digest: what its suggestions name as their
    source.
    """

    uuid = serializers.UUIDField()
    rule = serializers.UUIDField(source="stable_id")
    version = serializers.IntegerField()
    name = serializers.CharField()
    label = serializers.UUIDField()  # type: ignore[assignment]
    kind = serializers.ChoiceField(choices=Kind.choices)
    pattern = serializers.CharField()
    mode = serializers.ChoiceField(choices=Mode.choices)
    retired = serializers.BooleanField()
    digest = serializers.CharField()
    created_at = serializers.DateTimeField()


class MeasuredOut(serializers.Serializer[Any]):
    """What a rule hits. items, hits: of the sample. marked: parts that it marks there. decided: hits that are
    decided, of these right.

    Where parts are marked, each of them counts, and right is what is decided just so. precision: null below
    20 of them.

    interval: 95 % Wilson interval of the precision.
    """

    items = serializers.IntegerField()
    hits = serializers.IntegerField()
    marked = serializers.IntegerField()
    coverage = serializers.FloatField(allow_null=True)
    decided = serializers.IntegerField()
    right = serializers.IntegerField()
    precision = serializers.FloatField(allow_null=True)
    interval = serializers.ListField(child=serializers.FloatField())


class ExampleOut(serializers.Serializer[Any]):
    """One hit. text: around it; empty for roles that do not read samples. label: the classes decided for it,
    empty without a decision.
    """

    item = serializers.UUIDField(source="uuid")
    text = serializers.SerializerMethodField()
    label = serializers.CharField()  # type: ignore[assignment]

    def get_text(self, example: Any) -> str:
        """The pieces in a row."""
        return "".join(piece.text for piece in example.pieces) if self.context["may_read"] else ""


class PreviewOut(serializers.Serializer[Any]):
    """What a pattern would hit. stopped: time ran out before the sample was read to its end."""

    measured = MeasuredOut()
    examples = ExampleOut(many=True)
    stopped = serializers.BooleanField()


class Rules(View):
    """The rules of a dataset."""

    needs = {
        "GET": Needs("labeling.view", Dataset),
        "POST": Needs("labeling.manage", Dataset, "labeling.view"),
    }

    @extend_schema(operation_id="labeling_rules", responses=RuleOut(many=True))
    def get(self, request: Request, uuid: UUID) -> Response:
        """The rules in force, oldest first; at most 200."""
        found = suggesting.rules_of(get_dataset(request.user, uuid))
        return Response(RuleOut(found, many=True).data)

    @extend_schema(operation_id="labeling_write_rule", request=RuleIn, responses={201: RuleOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Write a rule, or its next version with `changes`."""
        made = write_rule(dataset_id=uuid, actor=request.user, **read(RuleIn, request.data))
        return Response(RuleOut(made).data, status=201)


class PreviewRule(View):
    """Patterns that are tried."""

    needs = {"POST": Needs("labeling.manage", Dataset, "labeling.view")}

    @extend_schema(operation_id="labeling_preview_rule", request=PatternIn, responses=PreviewOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """What a pattern hits in a sample of up to 2,000 items, with ten examples; nothing is kept."""
        data = read(PatternIn, request.data)
        dataset = get_dataset(request.user, uuid)
        find = matcher(data["kind"], clean_pattern(data["kind"], data["pattern"]), data["mode"])
        found = suggesting.preview(dataset, find, data["label"])
        may_read = policy.can(request.user, "datasets.read_samples", dataset)
        return Response(PreviewOut(found, context={"may_read": may_read}).data)


class ApplyRules(View):
    """Rules at work."""

    needs = {"POST": Needs("labeling.manage", Dataset, "labeling.view")}

    @extend_schema(operation_id="labeling_apply_rules", request=None, responses={202: JobOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Have a job apply the rules in force to the items that they have not read yet."""
        job = apply_rules(dataset_id=uuid, actor=request.user)
        return Response(JobOut(job).data, status=202)


class RetireRule(View):
    """Ends of rules."""

    needs = {"POST": Needs("labeling.manage", Rule, "labeling.view")}

    @extend_schema(operation_id="labeling_retire_rule", request=None, responses=RuleOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """End a rule: its last version says so."""
        return Response(RuleOut(retire_rule(rule_id=uuid, actor=request.user)).data)


urlpatterns = [
    path("labeling/datasets/<uuid:uuid>/functions/", Rules.as_view(), name="api-labeling-rules"),
    path(
        "labeling/datasets/<uuid:uuid>/functions/preview/",
        PreviewRule.as_view(),
        name="api-labeling-preview-rule",
    ),
    path(
        "labeling/datasets/<uuid:uuid>/functions/apply/",
        ApplyRules.as_view(),
        name="api-labeling-apply-rules",
    ),
    path("labeling/functions/<uuid:uuid>/retire/", RetireRule.as_view(), name="api-labeling-retire-rule"),
]
