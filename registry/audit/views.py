from __future__ import annotations

import json

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from lifecycle.ground.jobs.models import Job
from lifecycle.ui.addresses import choice_in, key_in
from lifecycle.ui.respond import redirect_or_refresh, respond
from registry.audit import actions, queries
from registry.audit.forms import FilterForm
from registry.ground.access.decorators import signed_in
from registry.ground.access.policy import can_somewhere
from registry.ground.access.requests import SignedInRequest

MEDIA = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}


@require_safe
@signed_in
def events(request: SignedInRequest) -> HttpResponse:
    """The trail, filtered, newest first."""
    form = FilterForm(request.GET, user=request.user)
    before = key_in(request.GET)
    lines, older = queries.page(request.user, form.filters(), before)
    query = request.GET.copy()
    query.pop("before", None)
    context = {
        "form": form,
        "lines": lines,
        "older": older,
        "before": before,
        "query": query.urlencode(),
        "may_export": request.user.is_organisation_admin or can_somewhere(request.user, "audit.export"),
        "checkpoint": queries.last_checkpoint(),
        "late": queries.checkpoint_is_late(),
        "verification": Job.objects.filter(kind="audit.verify").order_by("-id").first(),
    }
    return respond(request, "registry/audit/events.html", "events", context)


@require_safe
@signed_in
def event(request: SignedInRequest, digest: str) -> HttpResponse:
    """One event: what was decided, the bytes that were hashed, and its neighbours in the chain."""
    found = get_object_or_404(queries.visible_events(request.user), hash=digest)
    document = json.dumps(queries.payload_of(found) or found.canonical, indent=2, ensure_ascii=False)
    context = {"line": queries.lines([found])[0], "document": document}
    return render(request, "registry/audit/event.html", context)


@require_POST
@signed_in
def export(request: SignedInRequest) -> StreamingHttpResponse:
    """The filtered trail as a file."""
    form = FilterForm(request.POST, user=request.user)
    kind = choice_in(request.POST, "form", MEDIA, "jsonl")
    content = actions.export(actor=request.user, filters=form.filters(), form=kind)
    name = f"audit-{timezone.now():%Y-%m-%d}.{kind}"
    return StreamingHttpResponse(
        content, content_type=MEDIA[kind], headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


@require_POST
@signed_in
def verify(request: SignedInRequest) -> HttpResponse:
    """Start a verification of all chains."""
    actions.start_verification(actor=request.user)
    return redirect_or_refresh(request, reverse("audit:events"))
