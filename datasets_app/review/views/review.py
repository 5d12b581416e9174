"""The review page: disagreements, one at a time."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from datasets_app.datasets.models import Item
from datasets_app.quality.actions.gold import make_gold
from datasets_app.quality.queries.quality import queue_agreement
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.comments import conversations
from datasets_app.queues.queries.gold import gold_of
from datasets_app.queues.queries.pages import get_queue
from datasets_app.queues.task_types.by_key import widget_of
from datasets_app.review.actions import reviews
from datasets_app.review.actions.reviews import return_to_annotators
from datasets_app.review.forms.checks import CheckForm
from datasets_app.review.forms.review import AdjudicateForm, ReturnForm
from datasets_app.review.queries import review as queries
from datasets_app.review.queries.checks import check_under_way, sample_of, to_draw, to_review
from datasets_app.review.queries.review import LIST, ORDERS, disputes, lines, pair_history
from datasets_app.schemas.queries.labels import names_in, value_of
from lifecycle.runtime.task_types.values import contested, words
from lifecycle.ui.addresses import find_url
from lifecycle.ui.forms import as_key
from lifecycle.ui.toasts import toast
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest

SAMPLE = "sample"  # instead of an order: the items of the open check


@require_safe
@needs("labeling.adjudicate", Queue, see="labeling.view")
def review(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Show the open disputes, and one of their items."""
    queue = get_queue(request.user, uuid)
    return show(request, queue, as_key(request.GET.get("item", "")))


def show(
    request: SignedInRequest,
    queue: Queue,
    wanted: UUID | None,
    *,
    form: AdjudicateForm | ReturnForm | None = None,
) -> HttpResponse:
    """Render the page about one item: the requested one, else the first waiting one."""
    order = request.GET.get("order") or request.POST.get("order") or "widest"
    order = order if order in (*ORDERS, SAMPLE) else "widest"
    check = check_under_way(queue)
    waiting: list[Any] = list(disputes(queue, order)[:LIST])
    if order == SAMPLE:
        waiting = to_review(check)[:LIST] if check else []
    item = (
        Item.objects.filter(slots__queue=queue, slots__is_gold=False, uuid=wanted)
        .select_related("upload")
        .first()
        if wanted
        else None
    )
    item = item or (waiting[0].item if waiting else None)
    context = {
        "queue": queue,
        "widget": widget_of(queue.dataset.task),
        "order": order,
        "waiting": waiting,
        "form": form,
        "settled": queue.disputes_total - queue.items_disputed,
        "check": check,
        "sample": sample_of(check) if check else None,
        "may_adjudicate": True,
        "check_form": CheckForm(auto_id="check_%s"),
    }
    if order == SAMPLE and check is None and queue.items_agreed:
        context |= to_draw(queue)
    if item is not None:
        context |= item_context(request, queue, item, waiting, order)
    else:
        context |= {"freeze_url": find_url("snapshots:dataset", uuid=queue.dataset.uuid)}
    return render(
        request, "datasets_app/review/review.html", context, status=422 if form is not None else 200
    )


def item_context(
    request: SignedInRequest, queue: Queue, item: Item, waiting: list[Any], order: str
) -> dict[str, Any]:
    """Context for one item, besides the list."""
    names = names_in(queue.schema)
    at = next((at for at, row in enumerate(waiting) if row.item_id == item.pk), None)
    dispute = waiting[at] if at is not None and order != SAMPLE else None
    around = {
        "previous": waiting[at - 1] if at else None,
        "next": waiting[at + 1] if at is not None and at + 1 < len(waiting) else None,
    }
    case = queries.case(queue, item, request.user)
    pair = (
        dispute.pair
        if dispute
        else "|".join(contested([column.value for column in case.columns]) if case.columns else [])
    )
    return {
        "case": case,
        **case.fields,
        "lines": lines(waiting, names, item.uuid),
        "dispute": dispute,
        "labels": queue.schema.labels.all(),
        "pair": pair_history(queue, pair, names),
        "agreement": queue_agreement(queue),
        "threads": conversations(queue, item, request.user),
        "judged": queue.dataset.task_type.has_gold,
        "is_gold": item.pk in gold_of([item.pk]),
        **{name: address(queue, row.item.uuid, order) if row else "" for name, row in around.items()},
    }


def address(queue: Queue, item: UUID | None, order: str) -> str:
    """URL of the review page of one item, or of the next waiting one."""
    query = {"order": order} | ({"item": str(item)} if item else {})
    return f"{reverse('review:review', args=[queue.uuid])}?{urlencode(query)}"


@require_POST
@needs("labeling.adjudicate", Queue, see="labeling.view")
def adjudicate(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Resolve one item and continue with the next."""
    queue = get_queue(request.user, uuid)
    form = AdjudicateForm(queue, request.POST)
    if not form.is_valid():
        return show(request, queue, form.cleaned_data.get("item"), form=form)
    data = form.cleaned_data
    decision = reviews.adjudicate(
        queue_id=uuid,
        item_id=data["item"],
        actor=request.user,
        value=data["annotation"],
        reason=data["reason"],
        seen=data["seen"],
    )
    if data["gold"]:
        make_gold(
            item_id=data["item"], actor=request.user, value=value_of(decision), explanation=data["reason"]
        )
    label = words(value_of(decision), names_in(queue.schema))
    toast(request, f"Resolved as {label[:80]}", undo_url=reverse("review:undo_decision", args=[uuid]))
    return HttpResponseRedirect(address(queue, None, data["order"] or "widest"))


@require_POST
@needs("labeling.adjudicate", Queue, see="labeling.view")
def return_item(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Return an item to its annotators."""
    queue = get_queue(request.user, uuid)
    form = ReturnForm(request.POST)
    if not form.is_valid():
        return show(request, queue, form.cleaned_data.get("item"), form=form)
    data = form.cleaned_data
    people = return_to_annotators(
        queue_id=uuid, item_id=data["item"], actor=request.user, comment=data["comment"], seen=data["seen"]
    )
    toast(request, f"Returned to {people} {'person' if people == 1 else 'people'}", kind="live")
    return HttpResponseRedirect(address(queue, None, data["order"] or "widest"))


@require_POST
@needs("labeling.adjudicate", Queue, see="labeling.view")
def undo_decision(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Undo the adjudicator's newest decision and show its item."""
    queue = get_queue(request.user, uuid)
    item = reviews.undo_decision(queue_id=uuid, actor=request.user)
    toast(request, "Label undone", kind="live")
    return HttpResponseRedirect(address(queue, item.uuid, clean_order(request)))


def clean_order(request: SignedInRequest) -> str:
    """The submitted order, or the default."""
    order = request.POST.get("order", "widest")
    return order if order in (*ORDERS, SAMPLE) else "widest"
