"""Calibration and operating points of an evaluation over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.response import Response

from lifecycle.modeling.evaluation import confidence, queries
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.by_key.pages import thresholds_of
from lifecycle.modeling.evaluation.threshold_form import ThresholdForm
from lifecycle.modeling.evaluation.threshold_words import GOALS
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, operation


class CalibrationOut(serializers.Serializer[Any]):
    """temperature: divides the logits, null if the report has none. before, after: ece, log_loss, and
    reliability bins.
    """

    temperature = serializers.FloatField(allow_null=True)
    fitted_on_these_rows = serializers.BooleanField(allow_null=True)
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)


@operation("GET", "evaluations_calibration", Needs("evaluation.view", Evaluation), gives=CalibrationOut)
def calibration(request: Request, uuid: UUID) -> object:
    """Get the calibration error before and after temperature scaling."""
    none = dict.fromkeys(("temperature", "fitted_on_these_rows", "before", "after"))
    return Response(confidence.calibration(queries.get_evaluation(request.user, uuid)) or none)


class OperatingPointOut(serializers.Serializer[Any]):
    """A threshold. low, high: predict the label from high on, don't predict it below low, and hand what is
    between to a person; null if no row gets the label.

    outcome, likeliest: counts, and precision, recall, called, person, and cost with value, low, and high, on
    the rows of measured_on; null if no row determines it. For spans each span is a row; unscored of the
    missed ones were not found, so no threshold keeps them. likeliest: the model's own predictions (several
    labels per text by its own threshold, all spans that it finds). positives: rows with the label where the
    threshold is chosen; most_recall: at any threshold there, null without such a row. reached: whether a
    threshold has the target. promised: whether other rows reach it too, with 95 % confidence; false if it is
    estimated, null for costs and if it isn't reached. effect: on serving, which is none.
    """

    goal = serializers.CharField()
    target = serializers.FloatField(allow_null=True)
    costs = serializers.DictField()
    chosen_on = serializers.DictField()
    measured_on = serializers.DictField()
    same_rows = serializers.BooleanField()
    positives = serializers.IntegerField()
    most_recall = serializers.FloatField(allow_null=True)
    reached = serializers.BooleanField()
    promised = serializers.BooleanField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    outcome = serializers.DictField(allow_null=True)
    likeliest = serializers.DictField()
    effect = serializers.CharField()

    def get_fields(self) -> dict[str, Any]:
        """With `label`, which a serializer has as an attribute of its own."""
        return {"label": serializers.CharField()} | super().get_fields()


@operation(
    "GET",
    "evaluations_threshold",
    Needs("evaluation.view", Evaluation),
    gives=OperatingPointOut,
    parameters=[
        OpenApiParameter("label", str),
        OpenApiParameter("goal", str, enum=list(GOALS)),
        OpenApiParameter("target", float),
        OpenApiParameter("false", float),
        OpenApiParameter("missed", float),
        OpenApiParameter("person", float),
    ],
)
def threshold(request: Request, uuid: UUID) -> object:
    """Get the threshold for a goal, chosen on validation and measured on test if both exist. label may be
    omitted for any label, but not where a text may have several. Nothing is changed.
    """
    evaluation = queries.get_evaluation(request.user, uuid)
    thresholds, given = thresholds_of(evaluation), request.query_params.dict()
    form = ThresholdForm(thresholds, evaluation.report, given)
    if unused := form.unused(given):
        raise serializers.ValidationError(
            {name: ["It isn't used for this label and goal. Leave it out."] for name in unused}
        )
    if not form.is_valid():
        raise serializers.ValidationError(
            {name: [str(each) for each in errors] for name, errors in form.errors.items()}
        )
    target = form.cleaned_data.get("target")
    return Response(
        confidence.operating_point(thresholds, evaluation, form.label, form.goal, target, form.costs)
    )


urlpatterns = [
    path("evaluations/<uuid:uuid>/calibration/", calibration, name="api-evaluation-calibration"),
    path("evaluations/<uuid:uuid>/threshold/", threshold, name="api-evaluation-threshold"),
]
