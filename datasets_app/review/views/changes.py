"""Change labels, with a preview of what is affected before publishing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from datasets_app.datasets.models import Dataset
from datasets_app.queues.models.queues import Queue
from datasets_app.review.actions import changes as actions
from datasets_app.review.actions.changes import plan_changes
from datasets_app.review.forms.changes import ChangesForm
from datasets_app.review.queries.moves import (
    EXACT,
    bounded,
    decisions_behind,
    move_job,
    queues_behind,
    touched,
    ways,
)
from datasets_app.schemas.models.schemas import LabelSchema
from datasets_app.schemas.queries import changes, proposals
from datasets_app.schemas.queries.labels import latest_schema
from datasets_app.schemas.queries.proposals import proposals_about
from datasets_app.schemas.queries.schemas import get_dataset
from datasets_app.schemas.relabeling import Plan
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.ui.addresses import find_url
from lifecycle.ui.forms import add_refusal
from lifecycle.ui.toasts import toast
from registry.ground.access import policy
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest
from registry.ground.ledger.rules import digest_of

PAGE = "datasets_app/review/change.html"
QUEUES = 30  # listed queues with an older version


@require_http_methods(["GET", "HEAD", "POST"])
@needs("labeling.manage", Dataset, see="labeling.view")
def change_labels(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Show the form of changes, then their preview, then publish the new version."""
    dataset = get_dataset(request.user, uuid)
    latest = latest_schema(dataset)
    if latest is None or not dataset.task_type.has_labels:
        raise Http404("There are no labels to change.")
    form = ChangesForm(latest, request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return shown(request, dataset, latest, form)
    looked = digest_of(
        {
            "changes": [[str(each.source), each.kind, *each.into] for each in form.wanted()],
            "seen": form.cleaned_data["seen"],
        }
    )
    try:
        if request.POST.get("step") == "publish" and form.cleaned_data["looked"] == looked:
            return published(request, dataset, form)
        _, plan = plan_changes(dataset, form.wanted(), form.cleaned_data["seen"])
    except Conflict:
        raise
    except Refused as error:
        add_refusal(form, error)
        return shown(request, dataset, latest, form)
    again = ChangesForm(latest, initial=form.typed() | {"looked": looked})
    stale = request.POST.get("step") == "publish"
    return shown(request, dataset, latest, again, plan=plan, stale=stale)


def published(request: SignedInRequest, dataset: Dataset, form: ChangesForm) -> HttpResponse:
    """Publish the changes and redirect to the schema."""
    data = form.cleaned_data
    made = actions.change_labels(
        dataset_id=dataset.uuid,
        actor=request.user,
        wanted=form.wanted(),
        seen=data["seen"],
        accepting=data["accepting"],
        move=[UUID(each) for each in data["move"]],
    )
    toast(request, f"Version {made.version} published")
    return HttpResponseRedirect(reverse("schemas:schema", args=[dataset.uuid]))


def shown(
    request: SignedInRequest,
    dataset: Dataset,
    schema: LabelSchema,
    form: ChangesForm,
    *,
    plan: Plan | None = None,
    stale: bool = False,
) -> HttpResponse:
    """Render the page, with what the plan affects if there is one."""
    about = (
        proposals_about(dataset, {request.POST.get(field.html_name, "") for field, *_ in form.rows})
        if plan
        else []
    )
    context: dict[str, Any] = {
        "dataset": dataset,
        "schema": schema,
        "form": form,
        "plan": plan,
        "stale": stale,
        "labels": schema.labels.all(),
        "touched": [(each, touched(dataset, each, plan.removed)) for each in plan.removed] if plan else [],
        "exact": EXACT,
        "several": changes.has_several(dataset),
        "proposals": proposals.shown(dataset, about, request.user),
        "ticked": request.POST.getlist("accepting"),
        "snapshots": find_url("snapshots:dataset", uuid=dataset.uuid),
    }
    return render(request, PAGE, context, status=422 if form.is_bound else 200)


@require_POST
@needs("labeling.manage", Dataset, see="labeling.view")
def move_decisions(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Move resolved labels that use removed labels again."""
    actions.move_decisions(dataset_id=uuid, actor=request.user)
    return HttpResponseRedirect(reverse("schemas:schema", args=[uuid]))


@require_POST
@needs("labeling.manage", Queue, see="labeling.view")
def move_queue(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Give a queue the newest schema version."""
    queue = actions.move_queue(queue_id=uuid, actor=request.user)
    toast(request, f"{queue.name} now uses version {queue.schema.version}")
    return HttpResponseRedirect(reverse("queues:queue", args=[uuid]))


def on_schema(request: SignedInRequest, dataset: Dataset) -> dict[str, Any]:
    """Context for a schema's page: decisions and queues that still have older labels."""
    return {
        "dataset": dataset,
        "job": move_job(dataset),
        "decisions_behind": bounded(decisions_behind(dataset)),
        "ways": ways(dataset),
        "queues_behind": queues_behind(dataset)[:QUEUES],
        "may_manage": policy.can(request.user, "labeling.manage", dataset),
    }
