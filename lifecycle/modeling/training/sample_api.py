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
    """A row. item: its digest. text: the first 240 characters, empty where your role may not read texts or it
    was erased; of a dialogue those before its last answer. turns: of a dialogue, all before its last answer,
    each with role and content; else none.

    truth, answer: the name of its class, or of each of several; of marked parts class and place of each, as
    "PER 0–4" in code points; of written texts one text. before: the answer at the evaluation before, null at
    the first; rows of written texts are left out where your role may not read them. confidence: 0 to 1,
    before calibration: of the class, of several that of the least certain decision, of marked parts that of
    the least certain; null where nothing was marked, and where texts are written.
    """

    item = serializers.CharField(source="digest")
    text = serializers.CharField()
    turns = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))
    truth = serializers.ListField(child=serializers.CharField())
    answer = serializers.ListField(child=serializers.CharField())
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
