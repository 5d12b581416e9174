"""Analyses of an evaluation, and word attribution of single items, over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404
from django.urls import path
from rest_framework import serializers

from lifecycle.ground.jobs.api import JobOut
from lifecycle.modeling.evaluation import actions, queries
from lifecycle.modeling.evaluation.api.evaluations import NEEDS_TEXTS
from lifecycle.modeling.evaluation.models import Analysis, Evaluation
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, RowOut, methods, operation


class AnalyseIn(serializers.Serializer[Analysis]):
    """Which analysis of the whole evaluation to compute."""

    kind = serializers.ChoiceField(
        choices=[kind.value for kind in Analysis.Kind if kind != Analysis.Kind.WORDS]
    )


class AnalysisOut(RowOut[Analysis]):
    """The result of an analysis. item: digest of the item that it explains, empty for the whole evaluation.
    It contains no text.

    report, of clusters: errors, taken, silhouette, and groups, each with its items (nearest to the center
    first, without those that a queue asks you to label) and the most common error, which pair_rows of them
    have: kind (class: true predicted as another label; missed; invented: a span that isn't there; boundary:
    a span with other ends), true and predicted, empty if there is no label on that side. Of membership:
    members, others, auc with low and high, rates, duplicates, and mean_losses in nats, by the loss of the
    task.
    """

    report = serializers.DictField()

    class Meta:
        model = Analysis
        fields = ["uuid", "kind", "item", "report", "created_at"]


class WordsIn(serializers.Serializer[Analysis]):
    """item: digest of an item in the evaluation."""

    item = serializers.CharField(max_length=64)


@operation("GET", "evaluations_analyses", Needs("evaluation.view", Evaluation), gives=AnalysisOut(many=True))
def analyses(request: Request, uuid: UUID) -> object:
    """List the analyses of the whole evaluation, one of a kind."""
    return queries.analyses(request.user, queries.get_evaluation(request.user, uuid))


@operation(
    "POST",
    "evaluations_analyse",
    Needs("evaluation.evaluate", Evaluation, see="evaluation.view"),
    takes=AnalyseIn,
    gives=JobOut,
    status=202,
)
def analyse(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Start an analysis; the job reports completion."""
    evaluation = queries.get_evaluation(request.user, uuid)
    return actions.analyse(evaluation=evaluation, kind=Analysis.Kind(given["kind"]), actor=request.user)


@operation("GET", "evaluations_words", NEEDS_TEXTS, takes=WordsIn, gives=AnalysisOut)
def words(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Get the word attribution of an item: words as [start, end) in code points, each with the log-odds that
    the prediction loses without it.

    Of rankings "responses", the best first: answer, its number from 0; log_odds, its lead over the best other
    one; prompt and words, what that lead loses. Of a generated response log_probability in nats, and unit:
    words, sentences, or runs of up to size words, each with the number of its turn from 0.
    """
    evaluation = queries.get_evaluation(request.user, uuid)
    queries.check_not_asked(request.user, evaluation, given["item"])
    found = queries.analysis(evaluation, Analysis.Kind.WORDS, given["item"])
    if found is None:
        raise Http404("Word attribution isn't available for this item yet. POST its digest to compute it.")
    return found


@operation("POST", "evaluations_explain", NEEDS_TEXTS, takes=WordsIn, gives=JobOut, status=202)
def explain(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Start the word attribution of an item, which omits each word in turn; the job reports completion."""
    evaluation, item = queries.get_evaluation(request.user, uuid), given["item"]
    queries.check_not_asked(request.user, evaluation, item)
    return actions.analyse(evaluation=evaluation, kind=Analysis.Kind.WORDS, actor=request.user, item=item)


urlpatterns = [
    path("evaluations/<uuid:uuid>/analyses/", methods(analyses, analyse), name="api-evaluation-analyses"),
    path("evaluations/<uuid:uuid>/attribution/", methods(words, explain), name="api-evaluation-words"),
]
