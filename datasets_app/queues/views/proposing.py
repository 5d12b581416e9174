"""Proposals from the bench and the review, and guideline changes since the person last labeled."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from datasets_app.datasets.models import Dataset, Item
from datasets_app.queues.actions import guideline
from datasets_app.queues.forms.proposing import KnownForm, ProposalForm
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.disagreements import disputed
from datasets_app.queues.views.responses import json_errors, to_bench, wants_json
from datasets_app.schemas.actions.proposals import propose_change
from datasets_app.schemas.queries.schemas import get_dataset
from lifecycle.runtime.refusals import Refused
from lifecycle.ui.forms import add_refusal, as_key, cleaned
from lifecycle.ui.toasts import toast
from registry.ground.access import policy
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest


@require_http_methods(["GET", "HEAD", "POST"])
@needs("labeling.annotate", Dataset, see="labeling.view")
def propose(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Show or save the form of a guideline proposal: its text, the labels concerned, and an example item."""
    dataset = get_dataset(request.user, uuid)
    given = request.POST or request.GET
    named, wanted = as_key(given.get("queue", "")), as_key(given.get("item", ""))
    queue = (
        Queue.objects.filter(dataset=dataset, uuid=named).select_related("schema", "dataset").first()
        if named
        else None
    )
    item = Item.objects.filter(slots__queue=queue, uuid=wanted).first() if queue and wanted else None
    back = given.get("back", "")
    initial: dict[str, Any] = {
        "queue": queue.uuid if queue else None,
        "item": item.uuid if item else None,
        "back": back,
    }
    if (
        item is not None
        and queue is not None
        and back == "review"
        and policy.can(request.user, "labeling.adjudicate", queue)
    ):
        initial["labels"] = list(disputed(queue, item.pk))
    form = ProposalForm(dataset, queue, item, request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid() and (answer := proposed(request, dataset, queue, form)):
        return answer
    context = {
        "dataset": dataset,
        "queue": queue,
        "item": item,
        "form": form,
        "may_read": policy.can(request.user, "datasets.read_samples", dataset),
    }
    return render(request, "datasets_app/queues/propose.html", context, status=422 if form.is_bound else 200)


def proposed(
    request: SignedInRequest, dataset: Dataset, queue: Queue | None, form: ProposalForm
) -> HttpResponse | None:
    """Save the proposal and go back to the page it was made on; None, with the form's errors set, if it was
    refused.
    """
    data = form.cleaned_data
    try:
        made = propose_change(
            dataset_id=dataset.uuid,
            actor=request.user,
            text=data["text"],
            labels=form.about(),
            item_id=data["item"],
            version=queue.schema.version if queue else None,
        )
    except Refused as error:
        add_refusal(form, error)
        return None
    toast(request, "Proposal sent to the label managers")
    if (
        data["back"] == "review"
        and queue
        and made.item
        and policy.can(request.user, "labeling.adjudicate", queue)
    ):
        return HttpResponseRedirect(f"{reverse('review:review', args=[queue.uuid])}?item={made.item.uuid}")
    return HttpResponseRedirect(f"{reverse('schemas:schema', args=[dataset.uuid])}#proposal-{made.uuid}")


@require_POST
@needs("labeling.annotate", Queue, see="labeling.view")
@json_errors
def know_guideline(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Record that the person has read the guideline changes."""
    data = cleaned(KnownForm(request.POST))
    known = guideline.know_guideline(queue_id=uuid, actor=request.user, version=data["version"])
    return JsonResponse({"known": bool(known)}) if wants_json(request) else to_bench(uuid)
