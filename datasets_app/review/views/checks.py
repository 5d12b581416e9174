"""Accept unanimous items in bulk after checking a sample."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from datasets_app.queues.models.queues import Queue
from datasets_app.review.actions import checks
from datasets_app.review.forms.checks import CheckForm
from datasets_app.review.models import SpotCheck
from datasets_app.review.queries.checks import check_under_way, sample_of, to_draw
from lifecycle.runtime.refusals import Refused
from lifecycle.ui.forms import first_problem
from lifecycle.ui.toasts import toast
from registry.ground.access import policy
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest


@require_POST
@needs("labeling.adjudicate", Queue, see="labeling.view")
def start_check(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Draw a sample and show its first item."""
    form = CheckForm(request.POST)
    if not form.is_valid():
        raise Refused("The sample wasn't drawn.", next_step=first_problem(form))
    checks.start_check(queue_id=uuid, actor=request.user, **form.cleaned_data)
    return HttpResponseRedirect(f"{reverse('review:review', args=[uuid])}?order=sample")


@require_POST
@needs("labeling.adjudicate", SpotCheck, see="labeling.view")
def accept_check(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Accept the items that waited when the sample was drawn."""
    job = checks.accept_check(check_id=uuid, actor=request.user)
    toast(request, "Accepting agreed items", kind="live")
    return HttpResponseRedirect(reverse("queues:queue", args=[job.args["queue"]]))


@require_POST
@needs("labeling.adjudicate", SpotCheck, see="labeling.view")
def drop_check(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """End the check without accepting anything."""
    check = checks.drop_check(check_id=uuid, actor=request.user)
    toast(request, "Check dropped; nothing was accepted")
    return HttpResponseRedirect(reverse("queues:queue", args=[check.queue.uuid]))


def on_queue(request: SignedInRequest, queue: Queue) -> dict[str, Any] | None:
    """Context for a queue's page: unanimous items; None if they are labeled immediately."""
    if queue.acceptance != Queue.Acceptance.REVIEWER:
        return None
    may, check = policy.can(request.user, "labeling.adjudicate", queue), check_under_way(queue)
    return {
        "queue": queue,
        "may_adjudicate": may,
        "check": check,
        "sample": sample_of(check) if check else None,
        "check_form": CheckForm(auto_id="check_%s"),
        **(to_draw(queue) if may and queue.items_agreed and not check else {}),
    }
