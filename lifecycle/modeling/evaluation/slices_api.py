"""Groups of an evaluation's rows over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from lifecycle.modeling.evaluation import queries, slices
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.slices_page import chosen
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View


class ColumnOut(serializers.Serializer[Any]):
    """What rows can be grouped by."""

    key = serializers.CharField()
    name = serializers.CharField()


class GroupOut(serializers.Serializer[Any]):
    """One group. scores: of each measure {value, low, high}, null where fewer than `least` rows say something
    of it. counted: rows that say something of the measure by which groups are compared. wrong: rows with a
    mistake, null of written texts. difference: to all other rows, by that measure; p: of none, adjusted by
    Holm; null without a rest of `least` rows. verdict: better, worse, unclear, insufficient, or empty where
    there is no rest.
    """

    number = serializers.IntegerField()
    name = serializers.CharField()
    missing = serializers.BooleanField()
    rows = serializers.IntegerField()
    counted = serializers.IntegerField()
    wrong = serializers.IntegerField(allow_null=True)
    scores = serializers.DictField(
        child=serializers.DictField(child=serializers.FloatField(), allow_null=True)
    )
    difference = serializers.FloatField(allow_null=True)
    difference_low = serializers.FloatField(allow_null=True)
    difference_high = serializers.FloatField(allow_null=True)
    p = serializers.FloatField(allow_null=True)
    verdict = serializers.CharField()


class GroupsOut(serializers.Serializer[Any]):
    """columns: what can be asked for. The rest is null without a column. clusters: how many groups of near
    duplicates the rows come in; intervals and tests take each as one. measures: scores of each group;
    measure: by which groups are
    compared, test: how (fisher, permutation, or normal for its limit). worst: number of the group with the
    lowest score, of those below the rest by more than chance if there are any; worse: all of these, the
    lowest first. summary: verdict, fact and text, in words; null where fewer than two groups have rows
    enough.

    fairness: null without a class; for that class measures (name, value, low, high, and the groups highest
    and lowest) and rates of each group that has `least` rows.
    """

    columns = ColumnOut(many=True)
    column = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_null=True)
    rows = serializers.IntegerField(allow_null=True)
    clusters = serializers.IntegerField(allow_null=True)
    least = serializers.IntegerField(allow_null=True)
    measures = serializers.ListField(child=serializers.CharField(), allow_null=True)
    measure = serializers.CharField(allow_null=True)
    test = serializers.CharField(allow_null=True)
    groups = GroupOut(many=True, allow_null=True)
    worst = serializers.IntegerField(allow_null=True)
    worse = serializers.ListField(child=serializers.IntegerField(), allow_null=True)
    compared = serializers.IntegerField(allow_null=True)
    fairness = serializers.DictField(allow_null=True)
    summary = serializers.DictField(child=serializers.CharField(), allow_null=True)


EMPTY = dict.fromkeys(
    (
        "column",
        "name",
        "rows",
        "clusters",
        "least",
        "measures",
        "measure",
        "test",
        "groups",
        "worst",
        "worse",
        "compared",
        "fairness",
    )
    + ("summary",)
)


class Groups(View):
    """Rows in groups."""

    needs = {"GET": Needs("evaluation.view", Evaluation)}

    @extend_schema(
        operation_id="evaluations_groups",
        responses=GroupsOut,
        parameters=[
            OpenApiParameter("column", str),
            OpenApiParameter("class", str),
            OpenApiParameter(
                "measure", str, description="measure to compare slices by; defaults to the task's first"
            ),
        ],
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        """How the model does on each group of a column of the metadata; with a class, how far groups are
        treated alike.
        """
        user, given = request.user, request.query_params
        evaluation = queries.get_evaluation(user, uuid)
        rows, key = queries.grouped_of(evaluation), given.get("column", "")
        columns, column = chosen(user, evaluation, key, rows.ids)
        if key and column is None:
            raise serializers.ValidationError(
                {"column": [f"Choose one of {', '.join(each.key for each in columns)}."]}
            )
        report = (
            slices.report(evaluation, rows, column, given.get("measure", ""), given.get("class", ""))
            if column
            else EMPTY
        )
        return Response({"columns": ColumnOut(columns, many=True).data} | report)


urlpatterns = [path("evaluations/<uuid:uuid>/slices/", Groups.as_view(), name="api-evaluation-groups")]
