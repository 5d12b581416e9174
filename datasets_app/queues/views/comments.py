"""Comment threads about items: their page, and the requests of that page, labeling, and review."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from datasets_app.datasets.models import Item
from datasets_app.queues.actions import comments as actions
from datasets_app.queues.forms.comments import CommentForm, ResolveForm, ThreadFilterForm
from datasets_app.queues.models.decisions import Comment
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.comments import comment_data, find_people, sees_all, thread_page
from datasets_app.queues.queries.pages import get_queue
from datasets_app.queues.views.responses import json_errors, to_bench, wants_json
from lifecycle.ui.addresses import typed_in
from lifecycle.ui.forms import cleaned
from lifecycle.ui.toasts import toast
from registry.ground.access import policy
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest


@require_safe
@needs("labeling.annotate", Queue, see="labeling.view")
def comments(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Comments of a queue, open threads first; or all about one item."""
    queue = get_queue(request.user, uuid)
    form = ThreadFilterForm(request.GET)
    wanted = form.wanted()
    item = Item.objects.filter(slots__queue=queue, uuid=wanted.item).first() if wanted.item else None
    if wanted.item and item is None:
        raise Http404("This queue has no such item.")
    found = thread_page(queue, request.user, wanted, request.GET.get("before", ""))
    asked = request.GET.copy()
    asked.pop("before", None)
    following = f"?{urlencode([*asked.items(), ('before', found.before)])}" if found.before else ""
    context = {
        "queue": queue,
        "threads": found.threads,
        "form": form,
        "wanted": wanted,
        "item": item,
        "at": request.GET.urlencode(),
        "filtered": any(asked.get(name) for name in ("state", "flags", "mine", "mentioning")),
        "page": {"previous": f"?{asked.urlencode()}" if request.GET.get("before") else "", "next": following},
        "may_read": policy.can(request.user, "datasets.read_samples", queue.dataset),
        "may_adjudicate": policy.can(request.user, "labeling.adjudicate", queue),
        "sees_all": sees_all(queue, request.user),
    }
    return render(request, "datasets_app/queues/comments.html", context)


@require_POST
@needs("labeling.annotate", Queue, see="labeling.view")
@json_errors
def comment(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Comment on an item, or reply."""
    data = cleaned(CommentForm(request.POST))
    made = actions.comment(
        queue_id=uuid,
        actor=request.user,
        item_id=data["item"],
        text=data["text"],
        reply_to=data["reply_to"],
        start=data["start"],
        end=data["end"],
        quote=data["quote"].replace("\r\n", "\n") or None,
    )
    if wants_json(request):
        return JsonResponse({"saved": True, "comment": comment_data(made, request.user)})
    toast(request, "Comment added")
    return way_back(uuid, made, data)


@require_POST
@needs("labeling.annotate", Queue, see="labeling.view")
@json_errors
def resolve_comment(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Resolve a thread, or reopen it."""
    data = cleaned(ResolveForm(request.POST))
    on = data["on"] != "no"
    root = actions.resolve_comment(queue_id=uuid, actor=request.user, comment_id=data["comment"], on=on)
    if wants_json(request):
        return JsonResponse({"resolved": on})
    toast(request, "Resolved" if on else "Reopened", kind="live")
    return way_back(uuid, root, data)


def way_back(uuid: UUID, comment: Comment, data: dict[str, Any]) -> HttpResponse:
    """Redirect to the page that sent the form, at the comment."""
    if data["back"] == "review":
        return HttpResponseRedirect(f"{reverse('review:review', args=[uuid])}?item={comment.item.uuid}")
    if data["back"] == "comments":
        page, at = reverse("queues:comments", args=[uuid]), QueryDict(data["at"]).urlencode()
        return HttpResponseRedirect(f"{page}?{at}#comment-{comment.uuid}")
    return to_bench(uuid)


@require_safe
@needs("labeling.annotate", Queue, see="labeling.view")
def people(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """People who may be mentioned in a queue and match `q`, for name completion."""
    found = find_people(get_queue(request.user, uuid), typed_in(request.GET, "q", 150))
    return JsonResponse({"people": [{"name": user.username, "shown": str(user)} for user in found]})
