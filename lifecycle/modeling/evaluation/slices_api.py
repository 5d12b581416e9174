"""Slices of an evaluation over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.response import Response

from lifecycle.modeling.evaluation import queries, slices
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.slices_page import chosen
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, operation


class ColumnOut(serializers.Serializer[Any]):
    """A column that defines slices."""

    key = serializers.CharField()
    name = serializers.CharField()


class GroupOut(serializers.Serializer[Any]):
    """One slice. scores: of each measure {value, low, high}, null if fewer than `least` rows have it.
    counted:
    rows with the measure by which slices are compared. wrong: rows with an error, null for generated text.
    difference: to all other rows, by that measure; p: of no difference, adjusted by Holm; null without
    `least`
    other rows. verdict: better, worse, unclear, insufficient, or empty without other rows.
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
    """columns: the available columns. The rest is null without a column. clusters: number of near-duplicate
    groups of the rows; intervals and tests treat each as one. measures: scores of each slice; measure: by
    which slices are compared; test: how (fisher, permutation, or normal for its limit). worst: number of the
    slice with the lowest score, of those significantly below the rest if there are any; worse: all of these,
    the lowest first. summary: verdict, fact, and text; null if fewer than two slices have enough rows.

    fairness: null without a label; for that label, measures (name, value, low, high, and the highest and
    lowest slice) and rates of each slice with `least` rows.
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


EMPTY = dict.fromkeys(str(name) for name in GroupsOut().fields if str(name) != "columns")


@operation(
    "GET",
    "evaluations_groups",
    Needs("evaluation.view", Evaluation),
    gives=GroupsOut,
    parameters=[
        OpenApiParameter("column", str),
        OpenApiParameter("label", str),
        OpenApiParameter(
            "measure", str, description="measure to compare slices by; defaults to the task's first"
        ),
    ],
)
def groups(request: Request, uuid: UUID) -> object:
    """Evaluate each slice of a metadata column; with a label, also the fairness between slices."""
    user, given = request.user, request.query_params
    evaluation = queries.get_evaluation(user, uuid)
    rows, key = queries.grouped_of(evaluation), given.get("column", "")
    columns, column = chosen(user, evaluation, key, rows.ids)
    if key and column is None:
        raise serializers.ValidationError(
            {"column": [f"Choose one of {', '.join(each.key for each in columns)}."]}
        )
    report = (
        slices.report(evaluation, rows, column, given.get("measure", ""), given.get("label", ""))
        if column
        else EMPTY
    )
    return Response({"columns": ColumnOut(columns, many=True).data} | report)


urlpatterns = [path("evaluations/<uuid:uuid>/slices/", groups, name="api-evaluation-groups")]
