"""Pages of queues."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from datasets_app.datasets.models import Dataset
from datasets_app.datasets.selection import Selection
from datasets_app.prelabels.rules import Proposer
from datasets_app.queues.actions import opening
from datasets_app.queues.forms.queues import ChangeForm, MixForm, QueueForm
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.comments import open_comments
from datasets_app.queues.queries.pages import (
    Forecast,
    allowed,
    as_seen_by,
    chosen_items,
    for_them,
    forecast,
    get_queue,
    people,
    queues,
)
from datasets_app.schemas.queries.labels import latest_schema
from datasets_app.schemas.queries.schemas import datasets_to_manage, get_dataset
from lifecycle.runtime.refusals import Refused
from lifecycle.ui.addresses import find_url, key_in
from lifecycle.ui.forms import add_refusal
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count, decimals, duration
from lifecycle.ui.toasts import toast
from registry.ground.access import policy
from registry.ground.access.decorators import needs, signed_in
from registry.ground.access.requests import SignedInRequest

PAGE = 30
ACCEPT = Queue.Acceptance.REVIEWER


@require_safe
@signed_in
def queue_list(request: SignedInRequest) -> HttpResponse:
    """List the queues that the viewer may see, newest first."""
    before = key_in(request.GET)
    rows = queues(request.user)
    found = list((rows.filter(pk__lt=before) if before else rows)[: PAGE + 1])
    page = {
        "previous": reverse("queues:list") if before else "",
        "next": f"?before={found[PAGE - 1].pk}" if len(found) > PAGE else "",
    }
    may = {
        name: allowed(request.user, found[:PAGE], f"labeling.{name}") for name in ("annotate", "adjudicate")
    }
    may["annotate"] &= for_them(request.user, found[:PAGE])
    datasets = list(datasets_to_manage(request.user)[:PAGE])
    gold = allowed(request.user, datasets, "labeling.gold")
    shown = as_seen_by(request.user, found[:PAGE])
    context = {"queues": shown, "page": page, "datasets": datasets, "may": may, "gold": gold}
    return render(request, "datasets_app/queues/list.html", context)


@require_safe
@needs("labeling.view", Queue)
def queue_page(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Show the progress of a queue and its annotators."""
    return render(request, "datasets_app/queues/queue.html", queue_context(request, uuid))


def queue_context(request: SignedInRequest, uuid: UUID, change: ChangeForm | None = None) -> dict[str, Any]:
    """The context of a queue's page. change: a submitted form with errors."""
    queue = get_queue(request.user, uuid)
    may = {
        name: policy.can(request.user, f"labeling.{name}", queue)
        for name in ("annotate", "manage", "adjudicate", "gold")
    }
    may["comment"] = may["annotate"]
    named = list(queue.people.order_by("display_name", "username"))
    may["annotate"] = may["annotate"] and (not named or request.user in named)
    queue = as_seen_by(request.user, [queue])[0]
    ahead = forecast(queue)
    return {
        "queue": queue,
        "may": may,
        "named": named,
        "late": queue.due_on is not None and queue.due_on < timezone.localdate(),
        "people": people(queue, request.user, everybody=may["manage"]),
        "figures": figures(queue, ahead),
        "forecast": ahead,
        "newest": latest_schema(queue.dataset),
        "open_comments": open_comments(queue, request.user) if may["comment"] else 0,
        "mix": mix_form(queue) if may["manage"] and queue.state != "closed" else None,
        "judged": queue.dataset.task_type.has_gold,
        "chosen": (
            Selection(queue.dataset, request.user, queue.filters, whole=True).words if queue.filters else ""
        ),
        "suggest_url": find_url("evaluation:suggest", uuid=queue.dataset.uuid),
        "sources": Proposer.choices,
        "change": (change or ChangeForm(queue)) if may["manage"] and queue.state != "closed" else None,
    }


def mix_form(queue: Queue, data: Any = None) -> MixForm:
    """The form for how gold is mixed into the queue, with its current settings."""
    return MixForm(data, initial={name: getattr(queue, name) for name in MixForm.base_fields})


def figures(queue: Queue, ahead: Forecast) -> list[Figure]:
    """The head numbers of a queue."""
    accepted = (
        [Figure("To accept", count(queue.items_agreed), sub="unanimous")]
        if queue.acceptance == ACCEPT
        else []
    )
    return [
        Figure("Annotations", count(queue.slots_done), sub=f"of {count(queue.slots_total)}"),
        Figure("Labeled", count(queue.items_labeled), sub=f"of {count(queue.items_total)} items"),
        Figure(
            "To adjudicate",
            count(queue.items_disputed),
            sub=f"of {count(queue.disputes_total)} disagreements",
        ),
        *accepted,
        work_left(queue, ahead),
    ]


def work_left(queue: Queue, ahead: Forecast) -> Figure:
    """The remaining time, or why it's unknown."""
    if queue.slots_total and not ahead.answers:
        return Figure("Work left", "None", sub="all annotations done")
    if ahead.pace:
        return Figure("Work left", duration(ahead.work), sub=f"at {decimals(ahead.pace, 1)} s per annotation")
    return Figure("Work left", None, sub="no timing data yet" if queue.slots_done else "no annotations yet")


@require_http_methods(["GET", "HEAD", "POST"])
@needs("labeling.manage", Dataset, see="labeling.view")
def open_queue(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Show the form of a new queue for a dataset, or create the queue."""
    dataset = get_dataset(request.user, uuid)
    form = QueueForm(dataset, request.user, request.POST or None, initial=asked_to_open(dataset, request.GET))
    if request.method == "POST" and form.is_valid():
        try:
            return opened(request, dataset, form.cleaned_data)
        except Refused as error:
            add_refusal(form, error)
    schema = latest_schema(dataset)
    return render(
        request,
        "datasets_app/queues/open.html",
        {
            "dataset": dataset,
            "form": form,
            "schema": schema,
            "may_open": schema is not None or not dataset.task_type.has_labels,
        },
        status=422 if form.is_bound else 200,
    )


def asked_to_open(dataset: Dataset, params: QueryDict) -> dict[str, Any]:
    """Initial form values from the URL: selected items, or a slice."""
    if ticked := chosen_items(dataset, params.getlist("item")):
        return {"source": Queue.Source.ITEMS, "item": ticked}
    return {"source": Queue.Source.SLICE, "slice": params["slice"]} if params.get("slice") else {}


def opened(request: SignedInRequest, dataset: Dataset, data: dict[str, Any]) -> HttpResponse:
    """Open the queue and go to its page."""
    upload, chosen, ticked = (data.pop(name, None) for name in ("upload", "slice", "item"))
    queue = opening.open_queue(
        dataset_id=dataset.uuid,
        actor=request.user,
        upload_id=upload.uuid if upload else None,
        slice_id=chosen.uuid if chosen else None,
        item_ids=[item.pk for item in ticked or ()],
        **data,
    )
    toast(request, f"{queue.name} opened", kind="ok")
    return HttpResponseRedirect(reverse("queues:queue", args=[queue.uuid]))
