"""Pages of gold items, their settings in queues, and reinstating annotators."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset, Item
from datasets_app.quality.actions import gold as actions
from datasets_app.quality.actions.gold import make_gold
from datasets_app.quality.forms import GoldForm, SampleForm
from datasets_app.quality.queries.gold import GOLD_PAGE, STATES, gold_lines, gold_rows
from datasets_app.queues.actions import mixing
from datasets_app.queues.forms.queues import MixForm
from datasets_app.queues.models.gold import Gold
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.answers import readable
from datasets_app.queues.queries.decisions import current_decision
from datasets_app.queues.queries.gold import gold_of
from datasets_app.queues.task_types.by_key import widget_of
from datasets_app.schemas.models.schemas import Label
from datasets_app.schemas.queries.labels import latest_schema, names_in, value_of
from datasets_app.schemas.queries.schemas import get_dataset
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.task_types.answers import canonical
from lifecycle.runtime.task_types.values import words
from lifecycle.ui.addresses import choice_in, key_in
from lifecycle.ui.forms import add_refusal, first_problem
from lifecycle.ui.toasts import toast
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest

LIST, ONE = "datasets_app/quality/gold.html", "datasets_app/quality/gold_item.html"


@require_safe
@needs("labeling.gold", Dataset, see="labeling.view")
def gold(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """List the gold items of a dataset, with their results."""
    return listed(request, get_dataset(request.user, uuid), SampleForm())


def listed(request: SignedInRequest, dataset: Dataset, form: SampleForm) -> HttpResponse:
    """Render one page of the list."""
    schema = latest_schema(dataset)
    labels = list(schema.labels.all()) if schema else []
    state = choice_in(request.GET, "state", STATES, "live")
    label = choice_in(request.GET, "class", [str(each.stable_id) for each in labels])
    rows, before = gold_rows(dataset, state=state, label=label), key_in(request.GET)
    found = list((rows.filter(pk__lt=before) if before else rows)[: GOLD_PAGE + 1])
    may_read = datasets.may_read(request.user, dataset)
    first = f"?{urlencode({'state': state, 'class': label})}"
    after = f"{first}&before={found[GOLD_PAGE - 1].pk}" if len(found) > GOLD_PAGE else ""
    context = {
        "dataset": dataset,
        "state": state,
        "states": STATES,
        "label": label,
        "labels": labels,
        "may_read": may_read,
        "form": form,
        "lines": gold_lines(found[:GOLD_PAGE], names_in(schema), reads=may_read),
        "judged": dataset.task_type.has_gold,
        "one_label": dataset.task_type.one_label,
        "filtered": state != "live" or bool(label),
        "page": {"previous": first if before else "", "next": after},
    }
    return render(request, LIST, context, status=422 if form.errors else 200)


@require_POST
@needs("labeling.gold", Dataset, see="labeling.view")
def sample_gold(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Make randomly drawn labeled items gold."""
    dataset, form = get_dataset(request.user, uuid), SampleForm(request.POST)
    if form.is_valid():
        try:
            made = actions.sample_gold(dataset_id=uuid, actor=request.user, **form.cleaned_data)
        except Refused as error:
            add_refusal(form, error)
        else:
            message = (
                f"{len(made):,} gold items added"
                if made
                else "No gold items were added: resolve more items in review first"
            )
            toast(request, message, kind="ok" if made else "warn")
            return HttpResponseRedirect(reverse("quality:gold", args=[uuid]))
    return listed(request, dataset, form)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("labeling.gold", Item, see="labeling.view")
def gold_item(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Show or set the gold label of one item."""
    item = Item.objects.select_related("dataset__project", "upload").get(uuid=uuid)
    form = GoldForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            make_gold(
                item_id=uuid, actor=request.user, value=data["annotation"], explanation=data["explanation"]
            )
        except Conflict:
            raise
        except Refused as error:
            add_refusal(form, error)
        else:
            toast(request, "Gold item saved")
            return HttpResponseRedirect(reverse("quality:gold", args=[item.dataset.uuid]))
    return render(request, ONE, item_context(request, item, form), status=422 if form.is_bound else 200)


def item_context(request: SignedInRequest, item: Item, form: GoldForm) -> dict[str, Any]:
    """The context for setting an item's gold label."""
    dataset, may_read = item.dataset, datasets.may_read(request.user, item.dataset)
    schema = latest_schema(dataset)
    names = names_in(schema)
    now: Gold | None = gold_of([item.pk]).get(item.pk)
    decision = current_decision(item)
    offered = [
        (what, value_of(row)) for what, row in (("Current label", now), ("Resolved label", decision)) if row
    ]
    widget = widget_of(dataset.task)
    return {
        "item": item,
        "dataset": dataset,
        "may_read": may_read,
        "now": now,
        "form": form,
        "judged": dataset.task_type.has_gold,
        "problem": first_problem(form) if form.errors else "",
        "offered": [
            (what, canonical(value), words(value, names, item.text if may_read else ""))
            for what, value in offered
        ],
        "labels": (
            list(Label.objects.filter(schema=schema)) if schema and dataset.task_type.has_labels else []
        ),
        "widget": widget,
        **widget.fields(offered[0][1] if offered else None, "", names),
        "content": readable(item.content or {}),
        "explanation": form.data.get(
            "explanation", now.explanation if now else decision.reason if decision else ""
        ),
    }


@require_POST
@needs("labeling.gold", Item, see="labeling.view")
def retire_gold(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Retire a gold item."""
    gold = actions.retire_gold(item_id=uuid, actor=request.user)
    item = Item.objects.select_related("dataset").get(uuid=uuid)
    toast(request, "Gold item retired" if gold else "The gold item wasn't saved.")
    return HttpResponseRedirect(reverse("quality:gold", args=[item.dataset.uuid]))


@require_POST
@needs("labeling.manage", Queue, see="labeling.view")
def mix_gold(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Set how a queue mixes gold in."""
    form = MixForm(request.POST)
    if not form.is_valid():
        raise Refused("The queue wasn't changed.", next_step=first_problem(form))
    data = {name.removeprefix("gold_"): value for name, value in form.cleaned_data.items()}
    queue = mixing.mix_gold(queue_id=uuid, actor=request.user, **data)
    toast(
        request,
        (
            f"{queue.name} now has {queue.gold_rate} % gold items"
            if queue.gold_rate
            else f"{queue.name} now has no gold items"
        ),
    )
    return HttpResponseRedirect(reverse("queues:queue", args=[uuid]))


@require_POST
@needs("labeling.assess", Queue, see="labeling.view")
def reinstate(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Reinstate an annotator below the queue's minimum."""
    key = request.POST.get("seat", "")
    seat = mixing.reinstate(
        queue_id=uuid, actor=request.user, seat_id=int(key) if key.isdecimal() and len(key) < 19 else 0
    )
    toast(request, f"{seat.user} reinstated")
    return HttpResponseRedirect(f"{reverse('quality:quality', args=[uuid])}#gold")
