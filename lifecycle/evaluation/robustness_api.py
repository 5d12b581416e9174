"""Probes of an evaluation's model over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from lifecycle.evaluation import actions, queries
from lifecycle.evaluation.models import Evaluation
from lifecycle.evaluation.robustness_page import probes_of
from lifecycle.jobs.api import JobOut
from lifecycle.training.pages import person
from registry.access.decorators import Needs
from registry.access.rest import Request, View


class RobustnessOut(serializers.Serializer[Any]):
    """Probes of a model. report: the engine's: rows, of, seed, clean, and by probe scores with intervals, paired change, flipped."""

    uuid = serializers.UUIDField()
    evaluation = serializers.UUIDField(source="evaluation.uuid")
    report_digest = serializers.CharField()
    report = serializers.DictField()
    created_at = serializers.DateTimeField()


class OneRobustness(View):
    """How the model answers disturbed texts."""

    needs = {
        "GET": Needs("evaluation.view", Evaluation),
        "POST": Needs("evaluation.evaluate", Evaluation, see="evaluation.view"),
    }

    @extend_schema(operation_id="evaluations_robustness", responses=RobustnessOut(many=True))
    def get(self, request: Request, uuid: UUID) -> Response:
        """The newest 30 probes, newest first."""
        evaluation = queries.get_evaluation(person(request), uuid)
        return Response(RobustnessOut(list(probes_of(evaluation)[:30]), many=True).data)

    @extend_schema(operation_id="evaluations_probe", request=None, responses={202: JobOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Queue them; the job says when they are done."""
        job = actions.probe(evaluation=queries.get_evaluation(person(request), uuid), actor=person(request))
        return Response(JobOut(job).data, status=202)


urlpatterns = [path("evaluations/<uuid:uuid>/robustness/", OneRobustness.as_view(), name="api-evaluation-robustness")]
