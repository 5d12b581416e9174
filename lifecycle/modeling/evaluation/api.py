"""Evaluations over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponseBase
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.datasets.models import Dataset
from datasets_app.queues.queries.pages import get_queue
from datasets_app.schemas.queries.schemas import get_dataset
from lifecycle.ground.jobs.api import JobOut
from lifecycle.modeling.evaluation import actions, compare, queries, rows_file, rules, suggesters
from lifecycle.modeling.evaluation.actions import PARQUET, SPLITS
from lifecycle.modeling.evaluation.models import Analysis, Evaluation
from lifecycle.modeling.evaluation.suggest_page import line
from lifecycle.modeling.evaluation.task_types.by_key.pages import page_of
from lifecycle.modeling.evaluation.task_types.by_key.rows import check_written
from lifecycle.modeling.evaluation.task_types.generation.rows import SORTS
from lifecycle.modeling.evaluation.task_types.page import PAGE
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.queries import get_run
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.measures import MEASURES, NAMED
from lifecycle.ui.addresses import key_in
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View


class EvaluationOut(serializers.Serializer[Evaluation]):
    """An evaluation as programs read it. report: the engine's, with intervals, per class, confusion,
    reliability, baselines. predictions_digest: sha256 of predictions.parquet.
    """

    uuid = serializers.UUIDField()
    run = serializers.UUIDField(source="run.uuid")
    snapshot = serializers.UUIDField(source="snapshot.uuid")
    split = serializers.CharField()
    rows = serializers.IntegerField()
    root_digest = serializers.CharField()
    report_digest = serializers.CharField()
    predictions_digest = serializers.CharField(source="predictions.digest")
    report = serializers.DictField(
        help_text=(
            "clusters: number of near-duplicate or declared groups, each treated as one unit in intervals;"
            " older reports lack it. against: by baseline, the paired difference of the leading score."
            " baselines_drawn: by baseline, that score on each resample, for pairing with a later run."
            " largest_gap: the largest |accuracy - confidence| of the reliability bins with at least 20 rows"
            " (spans, decisions); may be below ece; older reports call it mce"
        )
    )
    rival = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_rival(self, evaluation: Evaluation) -> dict[str, Any] | None:
        """The best baseline that the run does not clearly beat: name, metric (the task's leading score),
        value, own (the run's), low and high of the difference on the same rows (the run less the baseline),
        is_ahead. Else null. is_ahead: the interval of the difference lies wholly below 0; false: neither is
        clearly better.

        Reports from before have no paired difference: low and high are null, and the two 95 % intervals are
        compared, or the scores alone where by_intervals is false.
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


class EvaluationLineOut(serializers.Serializer[Any]):
    """An evaluation in a list, with the main metrics of all tasks. What its task has not is null."""

    uuid = serializers.UUIDField()
    run = serializers.UUIDField(source="run.uuid")
    split = serializers.CharField()
    rows = serializers.IntegerField()
    report_digest = serializers.CharField()
    created_at = serializers.DateTimeField()

    def get_fields(self) -> dict[str, Any]:
        """With a field for each of IN_LINES."""
        metrics = {
            name: serializers.FloatField(
                source=f"head_{name}", allow_null=True, help_text=NAMED[name].heading
            )
            for name in IN_LINES
        }
        return super().get_fields() | metrics


class EvaluationPageOut(serializers.Serializer[object]):
    """Up to 30 evaluations, newest first. before: give it as ?before= to get the next page; null on the
    last.
    """

    results = EvaluationLineOut(many=True)
    before = serializers.IntegerField(allow_null=True)


class EvaluateIn(serializers.Serializer[Run]):
    """Which split to measure on."""

    split = serializers.ChoiceField(choices=SPLITS)


class CompareIn(serializers.Serializer[object]):
    """Two evaluations, by uuid. b is the candidate."""

    a = serializers.UUIDField()
    b = serializers.UUIDField()


class ComparisonOut(serializers.Serializer[object]):
    """How much better b is than a on shared items. clusters: how many groups of near duplicates, or of a
    declared group, the rows come in; intervals and p-values take each as one. effective_clusters: as how many
    of one size they count. In metrics and per_class, difference, low and high are signed so that positive is
    better for b, whatever the score: of a log loss that falls from 0.9 to 0.7, difference is +0.2. Pages show
    the same as b minus a: −0.2.

    changes: items that only b (fixed) or only a (broken) answers rightly, other changed errors, and McNemar's
    p. per_class: with p adjusted for the number of classes (p_holm), on which its verdict rests. rows_needed:
    rows that detect the difference of macro-F1 with 80 % power, null if it is significant or zero. summary:
    verdict, fact and text, in words. For generated text, changes counts rows that are better, worse and same
    by ROUGE-L, as does rows_needed, and per_class is empty.
    """

    rows = serializers.IntegerField()
    clusters = serializers.IntegerField()
    effective_clusters = serializers.FloatField()
    left_out = serializers.IntegerField()
    same_items = serializers.BooleanField()
    same_snapshot = serializers.BooleanField()
    metrics = serializers.DictField(
        help_text=(
            "by score: baseline (a's value), candidate (b's); difference, low, high: positive is better for"
            " b; p: of a share of rows McNemar's, of other scores a permutation test (in older comparisons,"
            " from the interval); p_holm: adjusted for the number of scores; verdict: better, worse, unclear,"
            " or not_measured, from the interval and p_holm"
        )
    )
    per_class = serializers.DictField()
    changes = serializers.DictField()
    rows_needed = serializers.IntegerField(allow_null=True)
    summary = serializers.DictField(child=serializers.CharField())
    digest = serializers.CharField()
    a = serializers.DictField()
    b = serializers.DictField()


class Evaluations(View):
    """Evaluations."""

    needs = {"GET": Needs("signed_in")}

    @extend_schema(
        operation_id="evaluations_list",
        responses=EvaluationPageOut,
        parameters=[OpenApiParameter("before", int), OpenApiParameter("run", UUID)],
    )
    def get(self, request: Request) -> Response:
        """List evaluations by keyset."""
        rows = queries.evaluations(request.user)
        before, run = key_in(request.query_params), request.query_params.get("run", "")
        if before is not None:
            rows = rows.filter(id__lt=before)
        if run:
            rows = rows.filter(run__uuid=serializers.UUIDField().run_validation(run))
        found = list(queries.with_heads(rows, IN_LINES)[: PAGE + 1])
        older = found[PAGE - 1].pk if len(found) > PAGE else None
        return Response({"results": EvaluationLineOut(found[:PAGE], many=True).data, "before": older})


class OneEvaluation(View):
    """One evaluation."""

    needs = {"GET": Needs("evaluation.view", Evaluation)}

    @extend_schema(operation_id="evaluations_read", responses=EvaluationOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """The whole report."""
        return Response(EvaluationOut(queries.get_evaluation(request.user, uuid)).data)


NEEDS_TEXTS = Needs("datasets.read_samples", Evaluation, see="evaluation.view")


class PredictionsParquet(View):
    """Every row of an evaluation."""

    needs = {"GET": NEEDS_TEXTS}

    @extend_schema(
        operation_id="evaluations_predictions_parquet", responses={(200, PARQUET): OpenApiTypes.BINARY}
    )
    def get(self, request: Request, uuid: UUID) -> HttpResponseBase:
        """Id, truth, prediction and probabilities of every row, as it is kept under `predictions_digest`.

        id is the column `item` of the snapshot's exports. From these rows every figure of the report can be
        computed again.
        """
        return rows_file.download(request.user, queries.get_evaluation(request.user, uuid), "parquet")


class PredictionsCsv(View):
    """The same as CSV."""

    needs = {"GET": NEEDS_TEXTS}

    @extend_schema(
        operation_id="evaluations_predictions_csv", responses={(200, "text/csv"): OpenApiTypes.BINARY}
    )
    def get(self, request: Request, uuid: UUID) -> HttpResponseBase:
        """The same as CSV, with all digits: of probabilities a column for each label, lists as JSON."""
        return rows_file.download(request.user, queries.get_evaluation(request.user, uuid), "csv")


class Evaluate(View):
    """Measuring a run."""

    needs = {"POST": Needs("evaluation.evaluate", Run, see="training.view")}

    @extend_schema(operation_id="runs_evaluate", request=EvaluateIn, responses={202: JobOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Queue it; the job reports completion."""
        given = EvaluateIn(data=request.data)
        given.is_valid(raise_exception=True)
        job = actions.evaluate(
            run=get_run(request.user, uuid), split=given.validated_data["split"], actor=request.user
        )
        return Response(JobOut(job).data, status=202)


class Compare(View):
    """Comparing two evaluations."""

    needs = {"GET": Needs("signed_in"), "POST": Needs("signed_in")}

    @extend_schema(
        operation_id="evaluations_compare",
        responses={200: ComparisonOut, 202: JobOut},
        parameters=[OpenApiParameter("a", UUID, required=True), OpenApiParameter("b", UUID, required=True)],
    )
    def get(self, request: Request) -> Response:
        """Paired differences on the items that both answered. 202 while a job compares two large ones, 422
        before it is started.
        """
        given = CompareIn(data={name: request.query_params.get(name, "") for name in ("a", "b")})
        given.is_valid(raise_exception=True)
        a, b = (queries.get_evaluation(request.user, given.validated_data[name]) for name in ("a", "b"))
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

    @extend_schema(operation_id="evaluations_compare_start", request=CompareIn, responses={202: JobOut})
    def post(self, request: Request) -> Response:
        """Compare two large evaluations; the job reports completion. 409 where none is needed: the answer is
        there to get.
        """
        given = CompareIn(data=request.data)
        given.is_valid(raise_exception=True)
        a, b = (queries.get_evaluation(request.user, given.validated_data[name]) for name in ("a", "b"))
        return Response(JobOut(actions.start_comparison(a=a, b=b, actor=request.user)).data, status=202)


class AnalyseIn(serializers.Serializer[Analysis]):
    """Which analysis of the whole evaluation to compute."""

    kind = serializers.ChoiceField(
        choices=[kind.value for kind in Analysis.Kind if kind != Analysis.Kind.WORDS]
    )


class AnalysisOut(serializers.Serializer[Analysis]):
    """What a further computation found. item: digest of the item that it is about, empty for the whole
    evaluation. It holds no text.

    report, of clusters: errors, taken, silhouette and groups, each with its items (nearest to the centre
    first) and the mistake that pair_rows of them hold: kind (class: true read as predicted; missed; invented:
    given wrongly; boundary: found in another place), true and predicted, empty where there is no class on
    that side. Of membership: members, others, auc with low and high, rates, duplicates and mean_losses in
    nats, by the loss of the task.
    """

    uuid = serializers.UUIDField()
    kind = serializers.CharField()
    item = serializers.CharField()
    report = serializers.DictField()
    created_at = serializers.DateTimeField()


class Analyses(View):
    """Further computations on an evaluation."""

    needs = {
        "GET": Needs("evaluation.view", Evaluation),
        "POST": Needs("evaluation.evaluate", Evaluation, see="evaluation.view"),
    }

    @extend_schema(operation_id="evaluations_analyses", responses=AnalysisOut(many=True))
    def get(self, request: Request, uuid: UUID) -> Response:
        """What was found about the evaluation as a whole, one of a kind."""
        found = queries.get_evaluation(request.user, uuid).analyses.filter(item="").order_by("kind")
        return Response(AnalysisOut(found, many=True).data)

    @extend_schema(operation_id="evaluations_analyse", request=AnalyseIn, responses={202: JobOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Compute one; the job reports completion."""
        given = AnalyseIn(data=request.data)
        given.is_valid(raise_exception=True)
        user, kind = request.user, Analysis.Kind(given.validated_data["kind"])
        return Response(
            JobOut(
                actions.analyse(evaluation=queries.get_evaluation(user, uuid), kind=kind, actor=user)
            ).data,
            status=202,
        )


class WordsIn(serializers.Serializer[Analysis]):
    """item: digest of an item that the evaluation answered."""

    item = serializers.CharField(max_length=64)


class Words(View):
    """Which words support an answer."""

    needs = dict.fromkeys(("GET", "POST"), NEEDS_TEXTS)

    @extend_schema(
        operation_id="evaluations_words",
        responses=AnalysisOut,
        parameters=[OpenApiParameter("item", str, required=True)],
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        """What was found of an item: words as [start, end) in code points, each with what the log-odds of the
        answer lose without it.

        Of responses in order "responses", the strongest first: answer, its number from 0; log_odds, its lead
        over the best other one; prompt and words, what that lead loses. Of a written answer log_probability
        in nats, and unit: words, sentences, or runs of up to size words, each with the number of its turn
        from 0.
        """
        given = WordsIn(data=request.query_params)
        given.is_valid(raise_exception=True)
        evaluation = queries.get_evaluation(request.user, uuid)
        found = queries.analysis(evaluation, Analysis.Kind.WORDS, given.validated_data["item"])
        if found is None:
            raise Http404(
                "Word attribution isn't available for this item yet. POST its digest to compute it."
            )
        return Response(AnalysisOut(found).data)

    @extend_schema(operation_id="evaluations_explain", request=WordsIn, responses={202: JobOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Leave each word of an item out in turn; the job reports completion."""
        given = WordsIn(data=request.data)
        given.is_valid(raise_exception=True)
        user = request.user
        evaluation, item = queries.get_evaluation(user, uuid), given.validated_data["item"]
        return Response(
            JobOut(
                actions.analyse(evaluation=evaluation, kind=Analysis.Kind.WORDS, actor=user, item=item)
            ).data,
            status=202,
        )


class SuggestIn(serializers.Serializer[object]):
    """Which model. kind: as GET lists them. queue: whose open items; null for all items of the dataset."""

    kind = serializers.CharField(max_length=20)
    model = serializers.UUIDField()
    queue = serializers.UUIDField(required=False, allow_null=True, default=None)


class SuggesterOut(serializers.Serializer[object]):
    """A model that could suggest. unknown: labels of it that are no class of the newest version. never:
    classes that it does not know.
    """

    kind = serializers.CharField(source="model.kind")
    model = serializers.UUIDField(source="model.uuid")
    name = serializers.CharField(source="model.name")
    digest = serializers.CharField(source="model.digest")
    fits = serializers.BooleanField(source="match.fits")
    unknown = serializers.ListField(child=serializers.CharField(), source="match.unknown")
    never = serializers.ListField(child=serializers.CharField(), source="match.never")


class Suggest(View):
    """Models that suggest labels."""

    needs = {
        "GET": Needs("labeling.manage", Dataset, "labeling.view"),
        "POST": Needs("labeling.manage", Dataset, "labeling.view"),
    }

    @extend_schema(operation_id="datasets_suggesters", responses=SuggesterOut(many=True))
    def get(self, request: Request, uuid: UUID) -> Response:
        """The newest runs and versions of the project for the dataset's task, with what of their labels does
        not fit.
        """
        dataset = get_dataset(request.user, uuid)
        models = [model for some in suggesters.offered(request.user, dataset).values() for model in some]
        found = zip(models, suggesters.matches(dataset, models), strict=True)
        return Response(SuggesterOut([line(model, match, "") for model, match in found], many=True).data)

    @extend_schema(operation_id="datasets_suggest", request=SuggestIn, responses={202: JobOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Have a model suggest classes for what is open in a queue, or for all items; the job reports
        completion.
        """
        given = SuggestIn(data=request.data)
        given.is_valid(raise_exception=True)
        data, user, dataset = given.validated_data, request.user, get_dataset(request.user, uuid)
        queue = get_queue(user, data["queue"]) if data["queue"] else None
        model = suggesters.get_model(user, data["kind"], data["model"])
        return Response(
            JobOut(actions.suggest(dataset=dataset, model=model, actor=user, queue=queue)).data, status=202
        )


class TextLineOut(serializers.Serializer[object]):
    """A row of written texts. prompt, reference, answer, base (of the model before it was tuned), copied,
    copied_from: empty for people who may not read samples. turns: of a dialogue, those before the answer,
    each with role and content; the prompt is the same as one text, and without a dialogue there are none.
    scores: by name, null where the row has none. ungrounded: content words of the answer that its context
    lacks.
    cut: the answer reached its longest length without an end.
    """

    item = serializers.CharField()
    prompt = serializers.CharField(source="text")
    turns = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))
    reference = serializers.CharField()
    answer = serializers.CharField()
    base = serializers.CharField(allow_null=True)
    scores = serializers.DictField()
    ungrounded = serializers.ListField(child=serializers.CharField())
    copied = serializers.CharField(help_text="the longest word sequence shared with a training response")
    copied_from = serializers.CharField(help_text="digest of that training item; empty if unknown")
    cut = serializers.BooleanField()


class TextPageOut(serializers.Serializer[object]):
    """Up to 30 rows. next: give it as ?from= to get the next page; null on the last."""

    total = serializers.IntegerField()
    results = TextLineOut(many=True)
    next = serializers.IntegerField(allow_null=True)


class WrittenAnswers(View):
    """The answers of a model that writes texts."""

    needs = {"GET": Needs("evaluation.view", Evaluation)}

    @extend_schema(
        operation_id="evaluations_answers",
        responses=TextPageOut,
        parameters=[
            OpenApiParameter("sort", str, enum=list(SORTS), description="score to sort by, worst first"),
            OpenApiParameter("best", str, description="1: best first"),
            OpenApiParameter("low", float),
            OpenApiParameter("high", float),
            OpenApiParameter("from", int),
        ],
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        """List rows by a score, worst first, 30 at a time; low and high bound it."""
        evaluation = queries.get_evaluation(request.user, uuid)
        check_written(evaluation)
        found = page_of(evaluation).items(request.user, evaluation, request.query_params)
        return Response(
            TextPageOut(
                {"total": found["total"], "results": found["lines"], "next": found["after"] or None}
            ).data
        )


urlpatterns = [
    path("evaluations/<uuid:uuid>/predictions/", WrittenAnswers.as_view(), name="api-evaluation-answers"),
    path("evaluations/", Evaluations.as_view(), name="api-evaluations"),
    path("evaluations/compare/", Compare.as_view(), name="api-evaluations-compare"),
    path("evaluations/<uuid:uuid>/", OneEvaluation.as_view(), name="api-evaluation"),
    path(
        "evaluations/<uuid:uuid>/predictions.parquet",
        PredictionsParquet.as_view(),
        name="api-evaluation-predictions-parquet",
    ),
    path(
        "evaluations/<uuid:uuid>/predictions.csv",
        PredictionsCsv.as_view(),
        name="api-evaluation-predictions-csv",
    ),
    path("evaluations/<uuid:uuid>/analyses/", Analyses.as_view(), name="api-evaluation-analyses"),
    path("evaluations/<uuid:uuid>/attribution/", Words.as_view(), name="api-evaluation-words"),
    path("runs/<uuid:uuid>/evaluate/", Evaluate.as_view(), name="api-run-evaluate"),
    path("datasets/<uuid:uuid>/pre-label/", Suggest.as_view(), name="api-dataset-suggest"),
]
