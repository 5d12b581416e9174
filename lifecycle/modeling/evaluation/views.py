"""Pages of evaluations."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from datasets_app.datasets.models import Dataset
from datasets_app.schemas.queries.schemas import get_dataset
from lifecycle.modeling.evaluation import (
    actions,
    pages,
    queries,
    robustness_page,
    rows_file,
    slice_rows,
    slices_page,
    suggesters,
    threshold_page,
)
from lifecycle.modeling.evaluation.clusters_page import grouped
from lifecycle.modeling.evaluation.forms import AnalyseForm, SuggestForm
from lifecycle.modeling.evaluation.models import Analysis, Evaluation
from lifecycle.modeling.evaluation.suggest_page import suggesting
from lifecycle.modeling.evaluation.task_types.by_key.pages import page_of
from lifecycle.modeling.evaluation.task_types.by_key.rows import check_written, unlabeled
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.queries import get_run
from lifecycle.runtime.refusals import Refusal, Refused
from lifecycle.ui.csp import charts
from lifecycle.ui.forms import add_refusal
from lifecycle.ui.respond import redirect_or_refresh, respond
from lifecycle.ui.toasts import toast
from registry.ground.access.decorators import needs, signed_in
from registry.ground.access.requests import SignedInRequest


@require_safe
@signed_in
def evaluations(request: SignedInRequest) -> HttpResponse:
    """The evaluations in the user's projects."""
    return respond(
        request,
        "lifecycle/modeling/evaluation/list.html",
        "evaluations",
        pages.listing(request.user, request.GET),
    )


@require_safe
@charts
@needs("evaluation.view", Evaluation)
def evaluation(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One evaluation: metrics, baselines, confusion, classes, calibration, errors, membership inference."""
    user = request.user
    found = queries.get_evaluation(user, uuid)
    return respond(
        request,
        "lifecycle/modeling/evaluation/report.html",
        "evaluation",
        pages.report(user, found, request.GET),
    )


@require_safe
@needs("evaluation.view", Evaluation)
def items(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The rows behind a figure of the report."""
    found = queries.get_evaluation(request.user, uuid)
    if found.task_type.writes_text:
        raise unlabeled(found)
    return respond(
        request,
        "lifecycle/modeling/evaluation/items.html",
        "items",
        page_of(found).items(request.user, found, request.GET),
    )


@require_safe
@needs("datasets.read_samples", Evaluation, see="evaluation.view")
def predictions(request: SignedInRequest, uuid: UUID, form: str) -> HttpResponseBase:
    """All predictions as a file."""
    return rows_file.download(request.user, queries.get_evaluation(request.user, uuid), form)


@require_safe
@needs("evaluation.view", Evaluation)
def answers(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The generated responses, sorted by a score."""
    found = queries.get_evaluation(request.user, uuid)
    check_written(found)
    return respond(
        request,
        "lifecycle/modeling/evaluation/items.html",
        "items",
        page_of(found).items(request.user, found, request.GET),
    )


@require_safe
@needs("evaluation.view", Evaluation)
def slices(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Slices of an evaluation, and the fairness between them."""
    return respond(
        request,
        "lifecycle/modeling/evaluation/slices.html",
        "slices",
        slices_page.groups(request.user, uuid, request.GET),
    )


@require_safe
@needs("evaluation.view", Evaluation)
def clusters(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The error clusters of an evaluation."""
    user = request.user
    return respond(
        request,
        "lifecycle/modeling/evaluation/clusters.html",
        "clusters",
        grouped(user, queries.get_evaluation(user, uuid)),
    )


@require_safe
@needs("evaluation.view", Evaluation)
def slice_items(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The rows of a slice."""
    return respond(
        request,
        "lifecycle/modeling/evaluation/slice_items.html",
        "items",
        slice_rows.items(request.user, uuid, request.GET),
    )


@require_safe
@needs("evaluation.view", Evaluation)
def membership(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Membership inference: a part of the evaluation's page, and a page of its own."""
    context = pages.leaking(request.user, queries.get_evaluation(request.user, uuid))
    return respond(request, "lifecycle/modeling/evaluation/membership.html", "membership", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("datasets.read_samples", Evaluation, see="evaluation.view")
def words(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Word attribution of an item's prediction."""
    user, item = request.user, request.GET.get("item", "")
    evaluation = queries.get_evaluation(user, uuid)
    page = page_of(evaluation)
    if not item:
        return redirect(page.address, uuid)
    queries.check_not_asked(user, evaluation, item)
    if request.method == "POST":
        actions.analyse(evaluation=evaluation, kind=Analysis.Kind.WORDS, actor=user, item=item)
        return redirect_or_refresh(request, queries.address_of(Analysis.Kind.WORDS, uuid, item))
    context = page.explained(evaluation, item, request.GET.get("for", ""))
    return respond(request, page.words, "words", context)


@require_POST
@needs("evaluation.evaluate", Evaluation, see="evaluation.view")
def analyse(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Start an analysis of an evaluation."""
    form = AnalyseForm(request.POST)
    if not form.is_valid():
        raise Refused("Unknown analysis.", next_step="Choose one on the evaluation page.")
    kind = Analysis.Kind(form.cleaned_data["kind"])
    actions.analyse(evaluation=queries.get_evaluation(request.user, uuid), kind=kind, actor=request.user)
    return redirect_or_refresh(request, queries.address_of(kind, uuid))


@require_safe
@charts
@needs("evaluation.view", Evaluation)
def threshold(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """An operating point for a class, for any class by confidence, or for spans."""
    context = threshold_page.threshold(request.user, uuid, request.GET.dict())
    status = 200 if context["form"].is_valid() else 422
    return respond(
        request, "lifecycle/modeling/evaluation/threshold.html", "threshold", context, status=status
    )


@require_safe
@needs("evaluation.view", Evaluation)
def robustness(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The robustness tests of an evaluation's model."""
    return respond(
        request,
        "lifecycle/modeling/evaluation/robustness.html",
        "robustness",
        robustness_page.robustness(request.user, uuid, request.GET),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def compare(request: SignedInRequest) -> HttpResponse:
    """Compare two evaluations on the same items; POST starts the job for two large ones."""
    if request.method == "POST":
        a, b = (queries.found_evaluation(request.user, request.POST.get(name, "")) for name in ("a", "b"))
        actions.start_comparison(a=a, b=b, actor=request.user)
        return redirect_or_refresh(request, queries.address_of_comparison(a.uuid, b.uuid))
    return respond(
        request,
        "lifecycle/modeling/evaluation/compare.html",
        "compare",
        pages.comparison(request.user, request.GET),
    )


@require_safe
@charts
@needs("training.view", Run)
def of_run(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The evaluations of a run: part of the run's page, and a page of its own."""
    return respond(
        request,
        "lifecycle/modeling/evaluation/of_run.html",
        "evaluation",
        pages.of_run(request.user, get_run(request.user, uuid)),
    )


@require_POST
@needs("evaluation.evaluate", Run, see="training.view")
def evaluate(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Evaluate a run on one split."""
    run = get_run(request.user, uuid)
    actions.evaluate(run=run, split=request.POST.get("split", ""), actor=request.user)
    toast(request, f"{run} is being evaluated", kind="live")
    return redirect_or_refresh(request, reverse("training:detail", args=[uuid]))


@require_http_methods(["GET", "HEAD", "POST"])
@needs("labeling.manage", Dataset, see="labeling.view")
def suggest(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Choose a model to pre-label a queue or a dataset."""
    user, dataset = request.user, get_dataset(request.user, uuid)
    form = SuggestForm(
        dataset,
        request.POST or None,
        initial={name: request.GET.get(name, "") for name in ("model", "queue")},
    )
    if form.is_valid():
        try:
            model = suggesters.get_model(user, *form.cleaned_data["model"])
            actions.suggest(dataset=dataset, model=model, actor=user, queue=form.cleaned_data["queue"])
        except Refusal as refusal:
            add_refusal(form, refusal)
        else:
            toast(request, f"Pre-labeling with {model.name} started", kind="live")
            return redirect_or_refresh(request, reverse("evaluation:suggest", args=[uuid]))
    context = suggesting(user, dataset, form)
    return respond(
        request,
        "lifecycle/modeling/evaluation/suggest.html",
        "suggest",
        context,
        status=422 if form.is_bound else 200,
    )
