"""Pages of scans and findings."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset, Item
from datasets_app.scanning import actions, pages
from datasets_app.scanning.forms import DismissForm, JudgeForm, ScanForm, SendForm
from datasets_app.scanning.models import Finding
from lifecycle.ui.forms import cleaned, refused_on
from lifecycle.ui.respond import done_at, redirect_or_refresh, respond
from lifecycle.ui.toasts import toast
from registry.ground.access.decorators import needs, signed_in
from registry.ground.access.requests import SignedInRequest


@require_safe
@signed_in
def scanned(request: SignedInRequest) -> HttpResponse:
    """The scanned datasets of the person's projects."""
    return respond(
        request, "datasets_app/scanning/list.html", "datasets", pages.listing(request.user, request.GET)
    )


@require_safe
@needs("scanning.view", Dataset)
def dataset(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The findings of one dataset."""
    return respond(
        request,
        "datasets_app/scanning/dataset.html",
        "findings",
        pages.of_dataset(request.user, uuid, request.GET),
    )


@require_POST
@needs("scanning.scan", Dataset, see="scanning.view")
def scan(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Scan a dataset."""
    found = cleaned(ScanForm(request.POST))
    actions.scan(dataset=datasets.get_dataset(request.user, uuid), kind=found["kind"], actor=request.user)
    return redirect_or_refresh(request, reverse("scanning:dataset", args=[uuid]))


@require_POST
@needs("scanning.send", Dataset, see="scanning.view")
def send(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Create a labeling queue for findings."""
    form = SendForm(request.POST)
    if form.is_valid():
        with refused_on(form):
            queue = actions.send(dataset_id=uuid, actor=request.user, **form.cleaned_data)
            return done_at(
                request,
                reverse("queues:queue", args=[queue.uuid]),
                f"{queue.name} has {queue.items_total:,} items",
            )
    context = pages.of_dataset(request.user, uuid, {"kind": request.POST.get("kind", "")}) | {"form": form}
    return respond(request, "datasets_app/scanning/dataset.html", "findings", context, status=422)


@require_safe
@needs("scanning.view", Finding)
def finding(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One finding."""
    return respond(request, "datasets_app/scanning/finding.html", "finding", pages.detail(request.user, uuid))


@require_POST
@needs("scanning.review", Finding, see="scanning.view")
def confirm(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Confirm an issue."""
    found = cleaned(JudgeForm(request.POST))
    return onward(request, actions.confirm(finding_id=uuid, actor=request.user, seen=found["seen"]))


@require_POST
@needs("scanning.review", Finding, see="scanning.view")
def dismiss(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Dismiss an issue."""
    found = cleaned(DismissForm(request.POST))
    return onward(
        request,
        actions.dismiss(finding_id=uuid, actor=request.user, reason=found["reason"], seen=found["seen"]),
    )


@require_POST
@needs("scanning.review", Finding, see="scanning.view")
def reopen(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Reopen a dismissed issue."""
    found = cleaned(JudgeForm(request.POST))
    row = actions.reopen(finding_id=uuid, actor=request.user, seen=found["seen"])
    return redirect_or_refresh(request, reverse("scanning:finding", args=[row.uuid]))


def onward(request: SignedInRequest, row: Finding) -> HttpResponse:
    """Redirect to the next open finding, or to the list after the last."""
    toast(request, f"Issue {row.get_status_display().lower()}")
    following = pages.after(row)
    here = reverse("scanning:dataset", args=[row.dataset.uuid])
    url = reverse("scanning:finding", args=[following.uuid]) if following else f"{here}?kind={row.kind}"
    return redirect_or_refresh(request, url)


@require_safe
@needs("scanning.view", Item)
def item(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The findings of an item: a part of the item's page."""
    row = datasets.get_item(request.user, uuid)
    return respond(
        request,
        "datasets_app/scanning/item.html",
        "item",
        {"item": row, "lines": pages.item_lines(request.user, row)},
    )
