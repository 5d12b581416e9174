"""The built-in model of a queue."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from datasets_app.assist.actions import learning as actions
from datasets_app.assist.queries.learning import learning
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.pages import get_queue
from lifecycle.ui.respond import redirect_or_refresh, respond
from lifecycle.ui.toasts import toast
from registry.ground.access import policy
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest


@require_safe
@needs("labeling.view", Queue)
def queue_learning(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Show the state of the built-in model, a part of the queue's page."""
    found = on_queue(request, get_queue(request.user, uuid))
    if found is None:
        return redirect_or_refresh(request, reverse("queues:queue", args=[uuid]))
    return respond(request, "datasets_app/assist/learning.html", "learning", found)


@require_POST
@needs("labeling.manage", Queue, see="labeling.view")
def learn(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Start training the built-in model."""
    actions.learn(queue_id=uuid, actor=request.user)
    toast(request, "Training the built-in model", kind="live")
    return HttpResponseRedirect(reverse("queues:queue", args=[uuid]))


def on_queue(request: SignedInRequest, queue: Queue) -> dict[str, Any] | None:
    """Context for a queue's page: its built-in model; None if the queue isn't ordered by it."""
    if queue.order != Queue.Order.MODEL:
        return None
    may_manage = policy.can(request.user, "labeling.manage", queue)
    return {"queue": queue, "learning": learning(queue, request.user), "may_manage": may_manage}
