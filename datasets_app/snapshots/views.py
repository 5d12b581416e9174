"""Pages of snapshots."""

from __future__ import annotations

from uuid import UUID

from django.http import FileResponse, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset
from datasets_app.snapshots import actions, pages, queries
from datasets_app.snapshots.actions.exports import MEDIA
from datasets_app.snapshots.forms import ExportForm, FreezeForm
from datasets_app.snapshots.models import Export, Snapshot
from lifecycle.ui.forms import refused_on
from lifecycle.ui.respond import redirect_or_refresh, respond
from registry.ground.access.decorators import needs, signed_in
from registry.ground.access.requests import SignedInRequest
from registry.ground.artifacts import actions as artifacts


@require_safe
@signed_in
def snapshots(request: SignedInRequest) -> HttpResponse:
    """The snapshots of the person's projects."""
    return respond(
        request, "datasets_app/snapshots/list.html", "snapshots", pages.listing(request.user, request.GET)
    )


@require_safe
@needs("snapshots.view", Dataset)
def dataset(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The snapshots of one dataset, and the form for the next."""
    return respond(
        request,
        "datasets_app/snapshots/dataset.html",
        "snapshots",
        pages.of_dataset(request.user, uuid, request.GET),
    )


@require_POST
@needs("snapshots.create", Dataset, see="snapshots.view")
def freeze(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Create a dataset version."""
    into = datasets.get_dataset(request.user, uuid)
    form = FreezeForm(into, request.user, request.POST)
    if form.is_valid():
        found = form.cleaned_data
        with refused_on(form):
            actions.freeze(
                dataset=into,
                actor=request.user,
                seed=found["seed"],
                shares=form.shares(found),
                note=found["note"],
                after=found["after"],
                slice_id=found["slice"].uuid if found["slice"] else None,
            )
            return redirect_or_refresh(request, reverse("snapshots:dataset", args=[uuid]))
    context = pages.of_dataset(request.user, uuid, {}) | {"form": form}
    return respond(request, "datasets_app/snapshots/dataset.html", "snapshots", context, status=422)


@require_safe
@needs("snapshots.view", Snapshot)
def detail(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One snapshot."""
    return respond(request, "datasets_app/snapshots/detail.html", "exports", pages.detail(request.user, uuid))


@require_POST
@needs("snapshots.export", Snapshot, see="snapshots.view")
def export(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Export the version as a file."""
    form = ExportForm(queries.get_snapshot(request.user, uuid), request.POST)
    if not form.is_valid():
        return respond(
            request,
            "datasets_app/snapshots/detail.html",
            "exports",
            pages.detail(request.user, uuid) | {"export_form": form},
            status=422,
        )
    actions.export(snapshot_id=uuid, actor=request.user, format=form.cleaned_data["format"])
    return redirect_or_refresh(request, reverse("snapshots:detail", args=[uuid]) + "#exports")


@require_safe
@needs("snapshots.export", Export, see="snapshots.view")
def download(request: SignedInRequest, uuid: UUID) -> HttpResponseBase:
    """The bytes of an exported file, never shown inside the site."""
    row = Export.objects.select_related("snapshot__dataset", "blob").get(uuid=uuid)
    return FileResponse(
        artifacts.open_blob(row.blob.digest),
        as_attachment=True,
        filename=row.file_name,
        content_type=MEDIA[row.format],
    )
