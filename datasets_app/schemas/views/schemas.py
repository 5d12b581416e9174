"""A dataset's label schema and its versions."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from datasets_app.datasets.models import Dataset
from datasets_app.schemas.actions.schemas import publish_schema
from datasets_app.schemas.forms.schemas import SchemaForm, write_classes
from datasets_app.schemas.queries import changes, proposals
from datasets_app.schemas.queries.proposals import accepted
from datasets_app.schemas.queries.schemas import get_dataset, schemas
from datasets_app.schemas.views.guideline import differences_of, guideline_html
from datasets_app.schemas.views.proposals import on_schema_page
from lifecycle.runtime.refusals import Refused
from lifecycle.ui.addresses import find_url
from lifecycle.ui.toasts import toast
from registry.ground.access import policy
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest


@require_http_methods(["GET", "HEAD", "POST"])
@needs("labeling.view", Dataset)
def schema(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The labels and guideline of a dataset, their versions, and the editor for label managers."""
    dataset = get_dataset(request.user, uuid)
    versions = schemas(dataset)
    latest = versions[0] if versions else None
    initial = {
        "classes": write_classes(latest),
        "guideline": latest.guideline if latest else "",
        "seen": latest.version if latest else 0,
    }
    form = SchemaForm(dataset, request.POST or None, initial=initial)
    if request.method == "POST":
        policy.require(request.user, "labeling.manage", dataset)
        if form.is_valid() and form.check_dropped(latest) and (answer := published(request, dataset, form)):
            return answer
    may_manage = policy.can(request.user, "labeling.manage", dataset)
    context = on_schema_page(request, dataset, may_manage=may_manage) | {
        "dataset": dataset,
        "versions": versions,
        "schema": latest,
        "form": form,
        "guideline": guideline_html(latest),
        "may_manage": may_manage,
        "may_read_corrections": policy.can(request.user, "labeling.read_corrections", dataset),
        "ticked": request.POST.getlist("accepting"),
        "suggest_url": find_url("evaluation:suggest", uuid=dataset.uuid),
        "has_labels": dataset.task_type.has_labels,
    }
    return render(request, "datasets_app/schemas/schema.html", context, status=422 if form.is_bound else 200)


def published(request: SignedInRequest, dataset: Dataset, form: SchemaForm) -> HttpResponse | None:
    """Publish the form and redirect to the page; on refusal, return None and set the form's errors."""
    data = form.cleaned_data
    try:
        made = publish_schema(
            dataset_id=dataset.uuid,
            actor=request.user,
            labels=data.get("classes", []),
            guideline=data["guideline"],
            seen=data["seen"],
            accepting=data["accepting"],
        )
    except Refused as error:
        for message in error.fields.get("labels", [error.message]):
            form.add_error("classes" if "classes" in form.fields else None, message)
        return None
    toast(request, f"Version {made.version} published")
    return HttpResponseRedirect(reverse("schemas:schema", args=[dataset.uuid]))


@require_safe
@needs("labeling.view", Dataset)
def schema_version(request: SignedInRequest, uuid: UUID, version: int) -> HttpResponse:
    """One version of a dataset's labels as it was published."""
    dataset = get_dataset(request.user, uuid)
    found = dataset.schemas.filter(version=version).select_related("created_by").first()
    if found is None:
        raise Http404("This version doesn't exist.")
    before = dataset.schemas.filter(version__lt=version).order_by("-version").first()
    context = {
        "dataset": dataset,
        "schema": found,
        "guideline": guideline_html(found),
        "versions": schemas(dataset),
        "changes": changes.changes_of(found),
        "renamed": changes.renamed(before, found),
        "before": before,
        "differences": differences_of(before, found) if before else [],
        "accepted": proposals.shown(dataset, accepted(found), request.user),
    }
    return render(request, "datasets_app/schemas/schema_version.html", context)
