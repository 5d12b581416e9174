"""A person's notices."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from lifecycle.ground.notices import actions, queries
from lifecycle.ground.notices.models import Notice
from lifecycle.ui.addresses import key_in
from lifecycle.ui.respond import respond, wants_fragment
from registry.ground.access.decorators import signed_in
from registry.ground.access.requests import SignedInRequest


@require_safe
@signed_in
def notices(request: SignedInRequest) -> HttpResponse:
    """Your notices, newest first."""
    return _list(request, key_in(request.GET))


@require_safe
@signed_in
@never_cache
def unread(request: SignedInRequest) -> HttpResponse:
    """The bell with its count, for the top bar."""
    return render(request, "notices/bell.html", {"unread": queries.unread(request.user)})


@require_POST
@signed_in
def read(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Mark one notice as read and go where it leads."""
    notice = Notice.objects.filter(user=request.user.pk, uuid=uuid).first()
    if notice is None:
        raise Http404("Page not found, or you don't have access.")
    actions.mark_read(request.user, notice.uuid)
    return redirect(notice.url or "notices:list")


@require_POST
@signed_in
def read_all(request: SignedInRequest) -> HttpResponse:
    """Mark as read what the page showed and all before it."""
    actions.mark_all_read(request.user, up_to=key_in(request.POST, "up_to") or 0)
    return _list(request, None) if wants_fragment(request) else redirect("notices:list")


def _list(request: SignedInRequest, key: int | None) -> HttpResponse:
    return respond(
        request,
        "notices/list.html",
        "notices",
        {"page": queries.of(request.user, before=key), "unread": queries.unread(request.user)},
    )
