"""Groups of an evaluation's rows over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from lifecycle.evaluation import queries, slices
from lifecycle.evaluation.models import Evaluation
from lifecycle.evaluation.slices_page import chosen
from lifecycle.training.pages import person
from registry.access.decorators import Needs
from registry.access.rest import Request, View


class ColumnOut(serializers.Serializer[Any]):
    """What rows can be grouped by."""

    key = serializers.CharField()
    name = serializers.CharField()


class GroupOut(serializers.Serializer[Any]):
    """One group. Everything but rows is null below `least` rows. p: against the rest, adjusted by Holm. verdict: also "too few"."""

    number = serializers.IntegerField()
    name = serializers.CharField()
    missing = serializers.BooleanField()
    rows = serializers.IntegerField()
    accuracy = serializers.FloatField(allow_null=True)
    accuracy_low = serializers.FloatField(allow_null=True)
    accuracy_high = serializers.FloatField(allow_null=True)
    macro_f1 = serializers.FloatField(allow_null=True)
    macro_f1_low = serializers.FloatField(allow_null=True)
    macro_f1_high = serializers.FloatField(allow_null=True)
    difference = serializers.FloatField(allow_null=True)
    difference_low = serializers.FloatField(allow_null=True)
    difference_high = serializers.FloatField(allow_null=True)
    p = serializers.FloatField(allow_null=True)
    verdict = serializers.CharField()


class GroupsOut(serializers.Serializer[Any]):
    """columns: what can be asked for. The rest is null without a column. worst: number of the group with the lowest accuracy.

    fairness: null without a class; for that class measures (name, value, low, high, and the groups highest and lowest) and rates of each
    group that has `least` rows.
    """

    columns = ColumnOut(many=True)
    column = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_null=True)
    rows = serializers.IntegerField(allow_null=True)
    least = serializers.IntegerField(allow_null=True)
    groups = GroupOut(many=True, allow_null=True)
    worst = serializers.IntegerField(allow_null=True)
    compared = serializers.IntegerField(allow_null=True)
    fairness = serializers.DictField(allow_null=True)


class Groups(View):
    """Rows in groups."""

    needs = {"GET": Needs("evaluation.view", Evaluation)}

    @extend_schema(
        operation_id="evaluations_groups", responses=GroupsOut,
        parameters=[OpenApiParameter("column", str), OpenApiParameter("class", str)],
    )  # fmt: skip
    def get(self, request: Request, uuid: UUID) -> Response:
        """How the model answers each group of a column of the metadata; with a class, how far groups are treated alike."""
        user = person(request)
        evaluation = queries.get_evaluation(user, uuid)
        asked = request.query_params.get("column", "")
        columns, column = chosen(user, evaluation, asked)
        if asked and column is None:
            raise serializers.ValidationError({"column": [f"Choose one of {', '.join(each.key for each in columns)}."]})
        none = dict.fromkeys(("column", "name", "rows", "least", "groups", "worst", "compared", "fairness"))
        report = slices.report(evaluation, column, request.query_params.get("class", "")) if column else none
        return Response({"columns": ColumnOut(columns, many=True).data} | report)


urlpatterns = [path("evaluations/<uuid:uuid>/groups/", Groups.as_view(), name="api-evaluation-groups")]
