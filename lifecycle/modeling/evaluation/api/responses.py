"""Generated responses over REST."""

from __future__ import annotations

from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from lifecycle.modeling.evaluation import queries
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.by_key.pages import page_of
from lifecycle.modeling.evaluation.task_types.by_key.rows import check_written
from lifecycle.modeling.evaluation.task_types.generation.rows import SORTS
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, operation


class TextLineOut(serializers.Serializer[object]):
    """A generated response. prompt, reference, response, base (of the model before fine-tuning), copied, and
    copied_from are empty for people who may not read texts. turns: of a chat, those before the response, each
    with role and content; the prompt is the same as one text, and without a chat there are none. scores: by
    name, null if the row has none. ungrounded: content words of the response that its context lacks. cut:
    whether the response was truncated at its maximum length.
    """

    item = serializers.CharField()
    prompt = serializers.CharField(source="text")
    turns = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))
    reference = serializers.CharField()
    response = serializers.CharField(source="answer")
    base = serializers.CharField(allow_null=True)
    scores = serializers.DictField()
    ungrounded = serializers.ListField(child=serializers.CharField())
    copied = serializers.CharField(help_text="the longest word sequence shared with a training response")
    copied_from = serializers.CharField(help_text="digest of that training item; empty if unknown")
    cut = serializers.BooleanField()


class TextPageOut(serializers.Serializer[object]):
    """Up to 30 rows. next: pass it as ?from= for the next page; null on the last."""

    total = serializers.IntegerField()
    results = TextLineOut(many=True)
    next = serializers.IntegerField(allow_null=True)


@operation(
    "GET",
    "evaluations_responses",
    Needs("evaluation.view", Evaluation),
    gives=TextPageOut,
    parameters=[
        OpenApiParameter("sort", str, enum=list(SORTS), description="score to sort by, worst first"),
        OpenApiParameter("best", str, description="1: best first"),
        OpenApiParameter("low", float),
        OpenApiParameter("high", float),
        OpenApiParameter("from", int),
    ],
)
def responses(request: Request, uuid: UUID) -> object:
    """List generated responses by a score, worst first, 30 at a time; low and high bound it."""
    evaluation = queries.get_evaluation(request.user, uuid)
    check_written(evaluation)
    found = page_of(evaluation).items(request.user, evaluation, request.query_params)
    return {"total": found["total"], "results": found["lines"], "next": found["after"] or None}


urlpatterns = [path("evaluations/<uuid:uuid>/predictions/", responses, name="api-evaluation-responses")]
