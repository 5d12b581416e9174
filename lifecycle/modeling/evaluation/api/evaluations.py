"""Evaluations over REST: lists of them, one, its rows as files, and evaluating a run."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers

from lifecycle.ground.jobs.api import JobOut
from lifecycle.modeling.evaluation import actions, queries, rows_file, rules
from lifecycle.modeling.evaluation.actions import PARQUET, SPLITS
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.page import PAGE
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.queries import get_run
from lifecycle.runtime.task_types.by_key.measures import MEASURES, NAMED
from lifecycle.ui import paging
from lifecycle.ui.addresses import key_in
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import IS_UUID, Request, RowOut, operation, page_out

NEEDS_TEXTS = Needs("datasets.read_samples", Evaluation, see="evaluation.view")


class EvaluationOut(RowOut[Evaluation]):
    """An evaluation. report: the engine's, with intervals, figures by label, confusion, reliability, and
    baselines. predictions_digest: sha256 of predictions.parquet.
    """

    dataset_version = serializers.UUIDField(source="snapshot.uuid")
    predictions_digest = serializers.CharField(source="predictions.digest")
    report = serializers.DictField(
        help_text=(
            "clusters: number of near-duplicate or declared groups, each treated as one unit in intervals."
            " against: by baseline, the paired difference of the leading score."
            " baselines_drawn: by baseline, that score on each resample, for pairing with a later run."
            " largest_gap: the largest |accuracy - confidence| of the reliability bins with at least 20 rows"
            " (spans, decisions); may be below ece"
        )
    )
    rival = serializers.SerializerMethodField()

    class Meta:
        model = Evaluation
        fields = [
            "uuid",
            "run",
            "dataset_version",
            "split",
            "rows",
            "root_digest",
            "report_digest",
            "predictions_digest",
            "report",
            "rival",
            "created_at",
        ]

    def get_rival(self, evaluation: Evaluation) -> dict[str, Any] | None:
        """The best baseline that the run doesn't clearly beat, or null: name, metric (the task's leading
        score), value, own (the run's), low and high of the difference on the same rows (run minus baseline),
        is_ahead (whether the interval is entirely below 0; if not, neither is clearly better).

        by_intervals: without a paired difference, low and high are null, and the two 95 % intervals are
        compared, or the scores alone if it is false.
        """
        found = None if queries.is_flattering(evaluation) else rules.rival(evaluation.report)
        return (
            None if found is None else {name: value for name, value in asdict(found).items() if name != "one"}
        )


IN_LINES = tuple(
    dict.fromkeys(
        name
        for each in (found.metrics for found in MEASURES.values())
        for name in (each.leading.name, each.listed.name, *each.watched)
    )
)  # the metrics by which evaluations are known in a list


class EvaluationLineOut(RowOut[Evaluation]):
    """An evaluation in a list, with the main metrics of all tasks; null if its task doesn't have one."""

    class Meta:
        model = Evaluation
        fields = ["uuid", "run", "split", "rows", "report_digest", "created_at"]

    def get_fields(self) -> dict[str, Any]:
        """With a field for each of IN_LINES."""
        metrics = {
            name: serializers.FloatField(
                source=f"head_{name}", allow_null=True, help_text=NAMED[name].heading
            )
            for name in IN_LINES
        }
        return super().get_fields() | metrics


class EvaluateIn(serializers.Serializer[Run]):
    """Which split to evaluate on."""

    split = serializers.ChoiceField(choices=SPLITS)


@operation(
    "GET",
    "evaluations_list",
    Needs("signed_in"),
    gives=page_out(EvaluationLineOut, PAGE, "evaluations", name="EvaluationPageOut"),
    filters={"run": ("run__uuid", IS_UUID)},
)
def evaluations(request: Request, given: dict[str, Any]) -> object:
    """List evaluations, optionally of a run."""
    rows = queries.with_heads(queries.evaluations(request.user).filter(**given), IN_LINES)
    return paging.page(rows, key_in(request.query_params), PAGE)


@operation("GET", "evaluations_read", Needs("evaluation.view", Evaluation), gives=EvaluationOut)
def evaluation(request: Request, uuid: UUID) -> object:
    """Get an evaluation with its whole report."""
    return queries.get_evaluation(request.user, uuid)


@operation(
    "GET",
    "evaluations_predictions_parquet",
    NEEDS_TEXTS,
    gives={(200, PARQUET): OpenApiTypes.BINARY},
)
def predictions_parquet(request: Request, uuid: UUID) -> HttpResponseBase:
    """Download id, true label, prediction, and probabilities of every row, as stored under
    `predictions_digest`.

    id is the column `item` of the dataset version's exports. Every figure of the report can be computed from
    these rows.
    """
    return rows_file.download(request.user, queries.get_evaluation(request.user, uuid), "parquet")


@operation(
    "GET",
    "evaluations_predictions_csv",
    NEEDS_TEXTS,
    gives={(200, "text/csv"): OpenApiTypes.BINARY},
)
def predictions_csv(request: Request, uuid: UUID) -> HttpResponseBase:
    """Download the same as CSV, with all digits: a column for each label's probability, lists as JSON."""
    return rows_file.download(request.user, queries.get_evaluation(request.user, uuid), "csv")


@operation(
    "POST",
    "runs_evaluate",
    Needs("evaluation.evaluate", Run, see="training.view"),
    takes=EvaluateIn,
    gives=JobOut,
    status=202,
)
def evaluate(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Evaluate a run on a split; the job reports completion."""
    return actions.evaluate(run=get_run(request.user, uuid), split=given["split"], actor=request.user)


urlpatterns = [
    path("evaluations/", evaluations, name="api-evaluations"),
    path("evaluations/<uuid:uuid>/", evaluation, name="api-evaluation"),
    path(
        "evaluations/<uuid:uuid>/predictions.parquet",
        predictions_parquet,
        name="api-evaluation-predictions-parquet",
    ),
    path("evaluations/<uuid:uuid>/predictions.csv", predictions_csv, name="api-evaluation-predictions-csv"),
    path("runs/<uuid:uuid>/evaluate/", evaluate, name="api-run-evaluate"),
]
