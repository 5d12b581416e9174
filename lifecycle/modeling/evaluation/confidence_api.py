"""Calibration and operating points of an evaluation over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from lifecycle.modeling.evaluation import confidence, queries
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.by_key.pages import thresholds_of
from lifecycle.modeling.evaluation.threshold_form import ThresholdForm
from lifecycle.modeling.evaluation.threshold_words import GOALS
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View


class CalibrationOut(serializers.Serializer[Any]):
    """temperature: what logits are divided by, null where the report states none. before, after: ece,
    log_loss and reliability bins.
    """

    temperature = serializers.FloatField(allow_null=True)
    fitted_on_these_rows = serializers.BooleanField(allow_null=True)
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)


class Calibration(View):
    """What the temperature did."""

    needs = {"GET": Needs("evaluation.view", Evaluation)}

    @extend_schema(operation_id="evaluations_calibration", responses=CalibrationOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """Calibration error before and after."""
        none = dict.fromkeys(("temperature", "fitted_on_these_rows", "before", "after"))
        return Response(confidence.calibration(queries.get_evaluation(request.user, uuid)) or none)


class OperatingPointOut(serializers.Serializer[Any]):
    """A threshold. low, high: call a row from high on, do not below low, hand over what lies between; null
    where no row is called.

    outcome, likeliest: counts, and precision, recall, called, person and cost with value, low and high, on
    the rows of measured_on; null if no row determines it. Of spans each is a row; unscored of the missed ones
    were not found, so that no threshold keeps them. likeliest is what the model's own answers do: of several
    classes a text by its own threshold, of spans all that it finds. positives: rows of the class where it is
    chosen; most_recall: at any threshold there, null without such a row. reached: false where no threshold
    has the target. promised: other rows reach it too, with 95 % confidence; false where it is estimated, null
    of costs and where it is not reached. effect: on serving, which is none.
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
        """With the one whose name is a word of Python."""
        return {"class": serializers.CharField()} | super().get_fields()


class OperatingPoint(View):
    """A threshold for a goal."""

    needs = {"GET": Needs("evaluation.view", Evaluation)}

    @extend_schema(
        operation_id="evaluations_threshold",
        responses=OperatingPointOut,
        parameters=[
            OpenApiParameter("class", str),
            OpenApiParameter("goal", str, enum=list(GOALS)),
            OpenApiParameter("target", float),
            OpenApiParameter("false", float),
            OpenApiParameter("missed", float),
            OpenApiParameter("person", float),
        ],
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        """Chosen on validation and measured on test where both exist. class may be left out for any, but not
        where a text may have several. It changes nothing.
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
    path("evaluations/<uuid:uuid>/calibration/", Calibration.as_view(), name="api-evaluation-calibration"),
    path("evaluations/<uuid:uuid>/threshold/", OperatingPoint.as_view(), name="api-evaluation-threshold"),
]
