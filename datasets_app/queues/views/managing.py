"""Pause, resume, close, reorder, and change a queue."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from datasets_app.queues.actions import managing, ordering
from datasets_app.queues.actions.managing import close_queue, pause_queue, resume_queue
from datasets_app.queues.forms.queues import ChangeForm
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.pages import get_queue
from datasets_app.queues.views.pages import queue_context
from lifecycle.runtime.refusals import Refused
from lifecycle.ui.forms import add_refusal
from lifecycle.ui.toasts import toast
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest


def state_view(action: Any, done: str) -> Any:
    """A view that changes a queue's state. done: for the toast."""

    @require_POST
    @needs("labeling.manage", Queue, see="labeling.view")
    def change(request: SignedInRequest, uuid: UUID) -> HttpResponse:
        queue = action(queue_id=uuid, actor=request.user)
        toast(request, f"{queue.name} {done}")
        return HttpResponseRedirect(reverse("queues:queue", args=[uuid]))

    return change


pause = state_view(pause_queue, "paused")
resume = state_view(resume_queue, "resumed")


@require_POST
@needs("labeling.manage", Queue, see="labeling.view")
def reorder(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Reorder open items by the newest pre-labels."""
    ordering.reorder(queue_id=uuid, actor=request.user)
    toast(request, "Reordering open items", kind="live")
    return HttpResponseRedirect(reverse("queues:queue", args=[uuid]))


close = state_view(close_queue, "closed")


@require_POST
@needs("labeling.manage", Queue, see="labeling.view")
def change_queue(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Change a queue's order, due date, and annotators."""
    form = ChangeForm(get_queue(request.user, uuid), request.POST)
    if form.is_valid():
        try:
            queue = managing.change_queue(queue_id=uuid, actor=request.user, **form.cleaned_data)
        except Refused as refusal:
            add_refusal(form, refusal)
        else:
            toast(request, f"{queue.name} changed")
            return HttpResponseRedirect(reverse("queues:queue", args=[uuid]))
    return render(request, "datasets_app/queues/queue.html", queue_context(request, uuid, form), status=422)


@require_POST
@needs("labeling.manage", Queue, see="labeling.view")
def prefer(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Choose which source's pre-labels the queue shows first."""
    queue = managing.prefer(queue_id=uuid, actor=request.user, source=request.POST.get("source", ""))
    shown = queue.get_suggests_from_display() if queue.suggests_from else "the newest source"
    toast(request, f"{queue.name} shows pre-labels of {shown[:1].lower()}{shown[1:]} first")
    return HttpResponseRedirect(reverse("queues:queue", args=[uuid]))
