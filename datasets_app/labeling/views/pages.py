"""Queues and schemas."""

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
from datasets_app.labeling.actions import opening
from datasets_app.labeling.agreement import Agreement
from datasets_app.labeling.forms.checks import CheckForm
from datasets_app.labeling.forms.queues import ChangeForm, MixForm, QueueForm
from datasets_app.labeling.models.queues import Queue
from datasets_app.labeling.quality import ALWAYS_RULE
from datasets_app.labeling.queries.checks import check_under_way, sample_of, to_draw
from datasets_app.labeling.queries.comments import open_comments
from datasets_app.labeling.queries.labels import latest_schema
from datasets_app.labeling.queries.learning import learning
from datasets_app.labeling.queries.pages import Forecast, allowed, as_seen_by, chosen_items, for_them, forecast, get_queue, people, queues
from datasets_app.labeling.queries.quality import own_standing, queue_agreement, report_of
from datasets_app.labeling.queries.schemas import datasets_to_manage, get_dataset
from datasets_app.labeling.rules.prelabels import Proposer
from datasets_app.labeling.views.quality_page import person_row
from lifecycle.refusals import Refused
from lifecycle.ui.addresses import find_url, key_in
from lifecycle.ui.forms import add_refusal
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count, decimals, duration, things
from lifecycle.ui.toasts import toast
from registry.access import policy
from registry.access.decorators import needs, signed_in
from registry.access.requests import SignedInRequest

PAGE = 30
ACCEPT = Queue.Acceptance.REVIEWER


@require_safe
@signed_in
def queue_list(request: SignedInRequest) -> HttpResponse:
    """The queues that the person may see, newest first."""
    before = key_in(request.GET)
    rows = queues(request.user)
    found = list((rows.filter(pk__lt=before) if before else rows)[: PAGE + 1])
    page = {"previous": reverse("labeling:list") if before else "", "next": f"?before={found[PAGE - 1].pk}" if len(found) > PAGE else ""}
    may = {name: allowed(request.user, found[:PAGE], f"labeling.{name}") for name in ("annotate", "decide")}
    may["annotate"] &= for_them(request.user, found[:PAGE])
    datasets = list(datasets_to_manage(request.user)[:PAGE])
    gold = allowed(request.user, datasets, "labeling.gold")
    shown = as_seen_by(request.user, found[:PAGE])
    context = {"queues": shown, "page": page, "datasets": datasets, "may": may, "gold": gold}
    return render(request, "datasets_app/labeling/list.html", context)


@require_safe
@needs("labeling.view", Queue)
def queue_page(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """How far one queue is, who worked in it, and how far they agree."""
    return render(request, "datasets_app/labeling/queue.html", queue_context(request, uuid))


def queue_context(request: SignedInRequest, uuid: UUID, change: ChangeForm | None = None) -> dict[str, Any]:
    """What the page of a queue shows. change: the form as it was sent and refused."""
    queue = get_queue(request.user, uuid)
    may = {name: policy.can(request.user, f"labeling.{name}", queue) for name in ("annotate", "manage", "decide", "gold")}
    may["comment"] = may["annotate"]
    named = list(queue.people.order_by("display_name", "username"))
    may["annotate"] = may["annotate"] and (not named or request.user in named)
    report = report_of(queue)
    hidden = queue.mixes_gold and not may["manage"] and report is None  # current agreement would reveal single annotations
    own, agreed = own_standing(queue, report, request.user), None if hidden else queue_agreement(queue, report)
    queue = as_seen_by(request.user, [queue])[0]
    ahead = forecast(queue)
    return {
        "queue": queue, "may": may, "named": named, "late": queue.due_on is not None and queue.due_on < timezone.localdate(),
        "own": [person_row(own, is_self=True)] if own else [], "rule": ALWAYS_RULE,
        "people": people(queue, request.user, everybody=may["manage"]),
        "agreement": agreed, "figures": figures(queue, agreed, ahead), "forecast": ahead,
        "newest": latest_schema(queue.dataset), "may_decide": may["decide"], "check_form": CheckForm(auto_id="check_%s"),
        "check": (check := check_under_way(queue)), "sample": sample_of(check) if check else None,
        **(to_draw(queue) if may["decide"] and queue.items_agreed and not check else {}),
        "open_comments": open_comments(queue, request.user) if may["comment"] else 0,
        "mix": mix_form(queue) if may["manage"] and queue.state != "closed" else None, "judged": queue.dataset.task_type.has_gold,
        "chosen": Selection(queue.dataset, request.user, queue.filters, whole=True).words if queue.filters else "",
        "suggest_url": find_url("evaluation:suggest", uuid=queue.dataset.uuid), "sources": Proposer.choices,
        "learning": learning(queue, request.user) if queue.order == Queue.Order.LEARNT else None, "may_manage": may["manage"],
        "change": (change or ChangeForm(queue)) if may["manage"] and queue.state != "closed" else None,
    }  # fmt: skip


def mix_form(queue: Queue, data: Any = None) -> MixForm:
    """How gold is mixed into the queue now, to be changed."""
    return MixForm(data, initial={name: getattr(queue, name) for name in MixForm.base_fields})


def figures(queue: Queue, found: Agreement | None, ahead: Forecast) -> list[Figure]:
    """The head numbers of a queue. found: None where it is not shown before it was measured."""
    if queue.overlap == 1:
        agree = Figure("Agreement", "Not measured", sub="one annotator per item")
    elif found is None:
        agree = Figure("Agreement", "Not measured", sub="measured automatically once a day")
    elif found.too_few:
        agree = Figure("Agreement", "Too few", sub=f"{count(found.items)} of 20 items")
    else:
        agree = Figure("Agreement", decimals(found.value, 2), sub=f"{found.name}, {things(found.items, 'item')}")
    accepted = [Figure("To accept", count(queue.items_agreed), sub="unanimous")] if queue.acceptance == ACCEPT else []
    return [
        Figure("Annotations", count(queue.slots_done), sub=f"of {count(queue.slots_total)}"),
        Figure("Labelled", count(queue.items_decided), sub=f"of {count(queue.items_total)} items"),
        Figure("To adjudicate", count(queue.items_disputed), sub=f"of {count(queue.disputes_total)} disagreements"),
        *accepted,
        agree,
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
    """The form of a new queue for a dataset."""
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
        "datasets_app/labeling/open.html",
        {"dataset": dataset, "form": form, "schema": schema, "may_open": schema is not None or not dataset.task_type.has_labels},
        status=422 if form.is_bound else 200,
    )


def asked_to_open(dataset: Dataset, params: QueryDict) -> dict[str, Any]:
    """What the page that leads here has chosen: ticked items, or a slice."""
    if ticked := chosen_items(dataset, params.getlist("item")):
        return {"source": Queue.Source.ITEMS, "item": ticked}
    return {"source": Queue.Source.SLICE, "slice": params["slice"]} if params.get("slice") else {}


def opened(request: SignedInRequest, dataset: Dataset, data: dict[str, Any]) -> HttpResponse:
    """Open the queue and go to its page."""
    upload, chosen, ticked = (data.pop(name, None) for name in ("upload", "slice", "item"))
    queue = opening.open_queue(
        dataset_id=dataset.uuid, actor=request.user, upload_id=upload.uuid if upload else None,
        slice_id=chosen.uuid if chosen else None, item_ids=[item.pk for item in ticked or ()], **data,
    )  # fmt: skip
    toast(request, f"{queue.name} opened", kind="ok")
    return HttpResponseRedirect(reverse("labeling:queue", args=[queue.uuid]))
