"""Comparisons of two evaluations over REST."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework import serializers
from rest_framework.response import Response

from lifecycle.ground.jobs.api import JobOut
from lifecycle.modeling.evaluation import actions, compare, queries
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.runtime.refusals import Refused
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, methods, operation


class CompareIn(serializers.Serializer[object]):
    """Two evaluations, by uuid. b is the candidate."""

    a = serializers.UUIDField()
    b = serializers.UUIDField()


class ComparisonOut(serializers.Serializer[object]):
    """How much better b is than a on shared items. clusters: number of near-duplicate or declared groups,
    each treated as one unit in intervals and p-values. effective_clusters: their number at equal size. In
    metrics and per_class, difference, low, and high are positive if b is better, whatever the score: for a
    log loss that falls from 0.9 to 0.7, difference is +0.2. Pages show b minus a: −0.2.

    changes: items that only b (fixed) or only a (broken) predicts correctly, other changed errors, and
    McNemar's p. per_class: p adjusted for the number of labels (p_holm), which decides the verdict.
    rows_needed: rows that detect the difference of macro-F1 with 80 % power, null if it is significant or
    zero. summary: verdict, fact, and text. For generated text, changes and rows_needed count rows that are
    better, worse, and same by ROUGE-L, and per_class is empty.
    """

    rows = serializers.IntegerField()
    clusters = serializers.IntegerField()
    effective_clusters = serializers.FloatField()
    left_out = serializers.IntegerField()
    same_items = serializers.BooleanField()
    same_dataset_version = serializers.BooleanField()
    metrics = serializers.DictField(
        help_text=(
            "by score: baseline (a's value), candidate (b's); difference, low, high: positive is better for"
            " b; p: of a share of rows McNemar's, of other scores a permutation test; p_holm: adjusted for"
            " the number of scores; verdict: better, worse, unclear, or not_measured, from the interval and"
            " p_holm"
        )
    )
    per_class = serializers.DictField()
    changes = serializers.DictField()
    rows_needed = serializers.IntegerField(allow_null=True)
    summary = serializers.DictField(child=serializers.CharField())
    digest = serializers.CharField()
    a = serializers.DictField()
    b = serializers.DictField()


def two(request: Request, given: dict[str, Any]) -> tuple[Evaluation, Evaluation]:
    """The two evaluations, which the user may see. Raises Http404."""
    return queries.get_evaluation(request.user, given["a"]), queries.get_evaluation(request.user, given["b"])


@operation(
    "GET",
    "evaluations_compare",
    Needs("signed_in"),
    takes=CompareIn,
    gives={200: ComparisonOut, 202: JobOut},
)
def comparison(request: Request, given: dict[str, Any]) -> object:
    """Compare two evaluations on the items that both predicted. 202 while a job compares two large ones, 422
    before it is started.
    """
    a, b = two(request, given)
    compare.check_dataset(a, b)
    job = queries.comparison_job(a, b) if compare.is_large(a, b) else None
    if compare.is_ready(a, b):
        return Response(compare.paired_report(a, b))
    if job and not job.is_finished:
        return Response(JobOut(job).data, status=202)
    raise Refused(
        "These evaluations are too large to compare in one request.",
        next_step="Send POST to start a comparison job.",
    )


@operation("POST", "evaluations_compare_start", Needs("signed_in"), takes=CompareIn, gives=JobOut, status=202)
def start(request: Request, given: dict[str, Any]) -> object:
    """Compare two large evaluations; the job reports completion. 409 if no job is needed: GET has the
    result.
    """
    a, b = two(request, given)
    return actions.start_comparison(a=a, b=b, actor=request.user)


urlpatterns = [path("evaluations/compare/", methods(comparison, start), name="api-evaluations-compare")]
