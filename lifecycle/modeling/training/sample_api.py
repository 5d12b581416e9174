"""Predictions of a model in training for a few validation rows, over REST."""

from __future__ import annotations

from uuid import UUID

from django.urls import path
from rest_framework import serializers

from lifecycle.modeling.training import queries, sample_page
from lifecycle.modeling.training.models import Run
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, operation


class SampleOut(serializers.Serializer[object]):
    """A row. item: its digest. text: the first 240 characters, of a chat those before its last response;
    empty if your role can't read texts, it was erased, or a queue asks you about it. turns: of a chat, all
    before its last response, each with role and content; else none.

    truth, prediction: the names of its labels; for spans label and place of each, as "PER 0–4" in code
    points; for generation one text. before: the prediction at the previous evaluation, null at the first;
    generated rows are omitted if your role can't read them. confidence: 0 to 1, before calibration: of the
    label, with several labels or spans that of the least certain; null without spans and for generation.
    """

    item = serializers.CharField(source="digest")
    text = serializers.CharField()
    turns = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))
    truth = serializers.ListField(child=serializers.CharField())
    prediction = serializers.ListField(source="answer", child=serializers.CharField())
    confidence = serializers.FloatField(allow_null=True)
    before = serializers.ListField(child=serializers.CharField(), allow_null=True)


class SamplesOut(serializers.Serializer[object]):
    """The rows at the newest evaluation; step: null and no rows before the first."""

    step = serializers.IntegerField(allow_null=True)
    results = SampleOut(many=True)


@operation("GET", "runs_samples", Needs("training.view", Run), gives=SamplesOut)
def run_samples(request: Request, uuid: UUID) -> object:
    """Predictions for a few validation rows, the same at each evaluation."""
    found = sample_page.samples(request.user, queries.get_run(request.user, uuid)) or {
        "step": None,
        "lines": [],
    }
    return {"step": found["step"], "results": found["lines"]}


urlpatterns = [path("runs/<uuid:uuid>/samples/", run_samples, name="api-run-samples")]
