"""Labeling functions: their list, and the editor with a live preview of matches."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from datasets_app.assist.actions import suggesting as actions
from datasets_app.assist.forms import FunctionForm
from datasets_app.assist.matching import clean_pattern, matcher
from datasets_app.assist.models.functions import LabelingFunction
from datasets_app.assist.queries import suggesting
from datasets_app.datasets.models import Dataset
from datasets_app.schemas.queries.schemas import get_dataset
from lifecycle.runtime.refusals import Refused
from lifecycle.ui.forms import add_refusal
from lifecycle.ui.respond import respond
from lifecycle.ui.toasts import toast
from registry.ground.access import policy
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest

LIST, EDITOR = "datasets_app/assist/functions.html", "datasets_app/assist/function.html"


@require_safe
@needs("labeling.view", Dataset)
def functions(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """List the labeling functions of a dataset, with coverage, precision, and conflicts on a sample."""
    dataset = get_dataset(request.user, uuid)
    kind, job = dataset.task_type, suggesting.apply_job(dataset)
    found, labels = suggesting.functions_of(dataset), suggesting.open_labels(dataset)
    able = suggesting.able(found, labels)
    findings, reached = suggesting.measure(dataset, found), suggesting.reach(found)
    unread = suggesting.unread(dataset, {function.pk: reached[function.pk] for function in able})
    context = {
        "dataset": dataset,
        "findings": findings,
        "unread": unread,
        "job": job,
        "working": job is not None and not job.is_finished,
        "lines": [
            {
                "function": function,
                "label": labels.get(function.label),
                "measured": findings.measured.get(function.pk),
                "reach": reached[function.pk],
            }
            for function in found
        ],
        "retired": suggesting.retired_functions(dataset),
        "may_manage": policy.can(request.user, "labeling.manage", dataset),
        "may_apply": bool(able) and bool(unread),
        "has_classes": bool(labels),
        "has_labels": kind.has_labels,
        "marking": kind.has_labels and not kind.labels_texts,
        "several": kind.labels_texts and not kind.one_label,
    }
    return respond(request, LIST, "functions", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("labeling.manage", Dataset, see="labeling.view")
def write_function(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Show the editor of a new labeling function, or create it."""
    dataset = get_dataset(request.user, uuid)
    return edit(request, dataset, None)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("labeling.view", LabelingFunction)
def function(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Show one version of a labeling function with its history, and the editor of the next version for those
    who may change it.
    """
    found = suggesting.get_function(request.user, uuid)
    if request.method == "POST":
        policy.require(request.user, "labeling.manage", found.dataset)
    return edit(request, found.dataset, found)


def edit(request: SignedInRequest, dataset: Dataset, function: LabelingFunction | None) -> HttpResponse:
    """Show the editor, or save the labeling function and redirect to the list."""
    form = FunctionForm(dataset, request.POST or None, function=function)
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.write_function(dataset_id=dataset.uuid, actor=request.user, **form.cleaned_data)
        except Refused as error:
            add_refusal(form, error)
        else:
            toast(request, f"{made.name}, version {made.version}, saved")
            return HttpResponseRedirect(reverse("assist:functions", args=[dataset.uuid]))
    context = editor(request, dataset, function, form)
    tried = (
        {"kind": function.kind, "pattern": function.pattern, "mode": function.mode, "label": function.label}
        if function
        else {}
    )
    context |= tried_out(dataset, form.cleaned_data if form.is_bound else tried)
    return render(request, EDITOR, context, status=422 if form.is_bound else 200)


@require_POST
@needs("labeling.manage", Dataset, see="labeling.view")
def preview_function(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Show a pattern's matches in a sample before saving."""
    dataset = get_dataset(request.user, uuid)
    form = FunctionForm(dataset, request.POST)
    form.is_valid()  # valid fields are used even if others aren't, such as a missing name
    changes = form.cleaned_data.get("changes")
    found = suggesting.get_function(request.user, changes) if changes else None
    shown = FunctionForm(dataset, initial={name: request.POST.get(name, "") for name in form.fields})
    context = editor(request, dataset, found, shown) | tried_out(dataset, form.cleaned_data)
    return respond(request, EDITOR, "preview", context, status=422 if context["refused"] else 200)


def tried_out(dataset: Dataset, data: dict[str, Any]) -> dict[str, Any]:
    """Context for a pattern's preview, or the error if it's invalid."""
    kind, pattern, mode = (str(data.get(name) or "") for name in ("kind", "pattern", "mode"))
    pattern = clean_pattern(kind, pattern)
    if not pattern:
        return {"preview": None, "refused": None}
    try:
        find = matcher(kind, pattern, mode)
    except Refused as error:
        return {"preview": None, "refused": error}
    return {
        "preview": suggesting.preview(dataset, find, data.get("label")),
        "refused": None,
        "classed": bool(data.get("label")),
    }


def editor(
    request: SignedInRequest, dataset: Dataset, function: LabelingFunction | None, form: FunctionForm
) -> dict[str, Any]:
    """Context for the editor, besides the preview."""
    newest = function is None or not hasattr(function, "replaced_by")
    return {
        "dataset": dataset,
        "marking": not dataset.task_type.labels_texts,
        "function": function,
        "form": form,
        "versions": suggesting.versions_of(function) if function else [],
        "labels": {key: label.name for key, label in suggesting.open_labels(dataset).items()},
        "newest": newest,
        "may_manage": (
            newest
            and not (function and function.retired)
            and policy.can(request.user, "labeling.manage", dataset)
        ),
        "may_read": policy.can(request.user, "datasets.read_samples", dataset),
        "sample": suggesting.SAMPLE,
    }


@require_POST
@needs("labeling.manage", Dataset, see="labeling.view")
def apply_functions(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Start a job that applies the labeling functions."""
    actions.apply_functions(dataset_id=uuid, actor=request.user)
    return HttpResponseRedirect(reverse("assist:functions", args=[uuid]))


@require_POST
@needs("labeling.manage", LabelingFunction, see="labeling.view")
def retire_function(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Retire a labeling function."""
    made = actions.retire_function(function_id=uuid, actor=request.user)
    toast(request, f"{made.name} retired")
    return HttpResponseRedirect(reverse("assist:functions", args=[made.dataset.uuid]))
