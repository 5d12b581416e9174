"""Labeling functions: their list, and the editor with a live preview of matches."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from datasets_app.assist.actions import suggesting as actions
from datasets_app.assist.forms import RuleForm
from datasets_app.assist.matching import clean_pattern, matcher
from datasets_app.assist.models.rules import Rule
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

LIST, EDITOR = "datasets_app/assist/rules.html", "datasets_app/assist/rule.html"


@require_safe
@needs("labeling.view", Dataset)
def rules(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """List the labeling functions of a dataset, with coverage, precision, and conflicts on a sample."""
    dataset = get_dataset(request.user, uuid)
    kind, job = dataset.task_type, suggesting.apply_job(dataset)
    found, labels = suggesting.rules_of(dataset), suggesting.open_labels(dataset)
    able = suggesting.able(found, labels)
    findings, reached = suggesting.measure(dataset, found), suggesting.reach(found)
    unread = suggesting.unread(dataset, {rule.pk: reached[rule.pk] for rule in able})
    context = {
        "dataset": dataset,
        "findings": findings,
        "unread": unread,
        "job": job,
        "working": job is not None and not job.is_finished,
        "lines": [
            {
                "rule": rule,
                "label": labels.get(rule.label),
                "measured": findings.measured.get(rule.pk),
                "reach": reached[rule.pk],
            }
            for rule in found
        ],
        "retired": suggesting.retired_rules(dataset),
        "may_manage": policy.can(request.user, "labeling.manage", dataset),
        "may_apply": bool(able) and bool(unread),
        "has_classes": bool(labels),
        "has_labels": kind.has_labels,
        "marking": kind.has_labels and not kind.labels_texts,
        "several": kind.labels_texts and not kind.one_label,
    }
    return respond(request, LIST, "rules", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("labeling.manage", Dataset, see="labeling.view")
def write_rule(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Show the editor of a new labeling function, or create it."""
    dataset = get_dataset(request.user, uuid)
    return edit(request, dataset, None)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("labeling.view", Rule)
def rule(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Show one version of a labeling function with its history, and the editor of the next version for those
    who may change it.
    """
    found = suggesting.get_rule(request.user, uuid)
    if request.method == "POST":
        policy.require(request.user, "labeling.manage", found.dataset)
    return edit(request, found.dataset, found)


def edit(request: SignedInRequest, dataset: Dataset, rule: Rule | None) -> HttpResponse:
    """Show the editor, or save the labeling function and redirect to the list."""
    form = RuleForm(dataset, request.POST or None, rule=rule)
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.write_rule(dataset_id=dataset.uuid, actor=request.user, **form.cleaned_data)
        except Refused as error:
            add_refusal(form, error)
        else:
            toast(request, f"{made.name}, version {made.version}, saved")
            return HttpResponseRedirect(reverse("assist:rules", args=[dataset.uuid]))
    context = editor(request, dataset, rule, form)
    tried = (
        {"kind": rule.kind, "pattern": rule.pattern, "mode": rule.mode, "label": rule.label} if rule else {}
    )
    context |= tried_out(dataset, form.cleaned_data if form.is_bound else tried)
    return render(request, EDITOR, context, status=422 if form.is_bound else 200)


@require_POST
@needs("labeling.manage", Dataset, see="labeling.view")
def preview_rule(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Show a pattern's matches in a sample before saving."""
    dataset = get_dataset(request.user, uuid)
    form = RuleForm(dataset, request.POST)
    form.is_valid()  # valid fields are used even if others aren't, such as a missing name
    changes = form.cleaned_data.get("changes")
    found = suggesting.get_rule(request.user, changes) if changes else None
    shown = RuleForm(dataset, initial={name: request.POST.get(name, "") for name in form.fields})
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


def editor(request: SignedInRequest, dataset: Dataset, rule: Rule | None, form: RuleForm) -> dict[str, Any]:
    """Context for the editor, besides the preview."""
    newest = rule is None or not hasattr(rule, "replaced_by")
    return {
        "dataset": dataset,
        "marking": not dataset.task_type.labels_texts,
        "rule": rule,
        "form": form,
        "versions": suggesting.versions_of(rule) if rule else [],
        "labels": {key: label.name for key, label in suggesting.open_labels(dataset).items()},
        "newest": newest,
        "may_manage": (
            newest and not (rule and rule.retired) and policy.can(request.user, "labeling.manage", dataset)
        ),
        "may_read": policy.can(request.user, "datasets.read_samples", dataset),
        "sample": suggesting.SAMPLE,
    }


@require_POST
@needs("labeling.manage", Dataset, see="labeling.view")
def apply_rules(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Start a job that applies the labeling functions."""
    actions.apply_rules(dataset_id=uuid, actor=request.user)
    return HttpResponseRedirect(reverse("assist:rules", args=[uuid]))


@require_POST
@needs("labeling.manage", Rule, see="labeling.view")
def retire_rule(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Retire a labeling function."""
    made = actions.retire_rule(rule_id=uuid, actor=request.user)
    toast(request, f"{made.name} retired")
    return HttpResponseRedirect(reverse("assist:rules", args=[made.dataset.uuid]))
