"""Pages of datasets, uploads and items."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.http import FileResponse, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from datasets_app.datasets import actions, listing, pages, queries
from datasets_app.datasets.forms import AcceptForm, DatasetForm, ReadingForm, SliceForm, UploadForm
from datasets_app.datasets.models import Dataset, Export, Item, Slice, Upload
from datasets_app.datasets.receiving import LimitHandler, report_too_large
from lifecycle.runtime.refusals import Refused
from lifecycle.ui.forms import refused_on
from lifecycle.ui.respond import done_at, redirect_or_refresh, respond, wants_fragment
from registry.ground.access import policy
from registry.ground.access.decorators import needs, signed_in
from registry.ground.access.requests import SignedInRequest
from registry.ground.artifacts import actions as artifacts


@require_safe
@signed_in
def datasets(request: SignedInRequest) -> HttpResponse:
    """The datasets of the person's projects."""
    return respond(
        request, "datasets_app/datasets/list.html", "datasets", pages.listing(request.user, request.GET)
    )


@require_http_methods(["GET", "HEAD", "POST"])
@needs("datasets.create")
def create(request: SignedInRequest) -> HttpResponse:
    """Create a dataset."""
    form = DatasetForm(request.POST or None, user=request.user)
    if form.is_valid():
        try:
            dataset = actions.create_dataset(actor=request.user, **form.cleaned_data)
        except Refused as refusal:
            form.add_error(next(iter(refusal.fields), "name"), refusal.message)
        else:
            return redirect_or_refresh(request, reverse("datasets:dataset", args=[dataset.uuid]))
    return respond(
        request,
        "datasets_app/datasets/new.html",
        "form",
        {"form": form},
        status=422 if form.is_bound else 200,
    )


@require_safe
@needs("datasets.view", Dataset)
def dataset(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One dataset: its figures, uploads and items. Redirects to a URL without empty filters."""
    if not all(request.GET.values()) and not wants_fragment(request):
        filters = {name: value for name, value in request.GET.items() if value}
        return HttpResponseRedirect(
            f"{request.path}?{urlencode(filters)}#items" if filters else f"{request.path}#items"
        )
    context = pages.dataset(request.user, uuid, request.GET)
    answer = respond(request, "datasets_app/datasets/dataset.html", "items", context)
    if wants_fragment(request):
        answer["HX-Push-Url"] = context["address"]
    return answer


@csrf_exempt  # the inner view is protected: reading the token must not read the file before its limit is set
def receive(request: SignedInRequest, uuid: UUID) -> HttpResponseBase:
    """Receive a file and show its dry run."""
    request.upload_handlers.insert(0, LimitHandler(request, settings.UPLOAD_MAX_BYTES))
    return receive_limited(request, uuid=uuid)


@require_POST
# first, so the body is only read for those with access
@needs("datasets.upload", Dataset, see="datasets.view")
@csrf_protect
def receive_limited(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The form of `receive`, once its size is limited."""
    form = UploadForm(request.POST, request.FILES)
    report_too_large(form, request)
    if form.is_valid():
        file = form.cleaned_data["file"]
        into = queries.get_dataset(request.user, uuid)
        try:
            upload = actions.receive_upload(
                dataset=into, actor=request.user, file=file, file_name=file.name, provenance=form.provenance()
            )
        except Refused as refusal:
            form.add_error(
                next(iter(refusal.fields), "file"), f"{refusal.message} {refusal.next_step}".strip()
            )
        else:
            actions.inspect(upload_id=upload.uuid, actor=request.user)
            return redirect_or_refresh(request, reverse("datasets:upload", args=[upload.uuid]))
    context = pages.dataset(request.user, uuid, request.GET) | {"upload_form": form}
    return respond(request, "datasets_app/datasets/dataset.html", "receive", context, status=422)


receive.needs = receive_limited.needs  # type: ignore[attr-defined]


@require_safe
@needs("datasets.view", Upload)
def upload(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One upload: its dry run, progress, or result."""
    return respond(request, "datasets_app/datasets/upload.html", "upload", pages.upload(request.user, uuid))


@require_POST
@needs("datasets.upload", Upload, see="datasets.view")
def inspect(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Check the file again with the chosen settings."""
    row = queries.get_upload(request.user, uuid)
    form = ReadingForm(request.POST, upload=row)
    if form.is_valid():
        chosen = form.chosen()
        same = all(
            chosen[name] == getattr(row, name)
            for name in form.fields
            if name in ("encoding", "parser", "delimiter", "has_header")
        )
        if same:
            actions.set_mapping(
                upload_id=uuid,
                actor=request.user,
                mapping=form.mapping(),
                default_split=chosen["default_split"],
                contradicting=chosen["contradicting"],
                label_values=form.label_values(),
            )
        else:
            if "has_header" not in form.fields:
                chosen["has_header"] = None
            actions.inspect(upload_id=uuid, actor=request.user, **chosen)
    return respond(request, "datasets_app/datasets/upload.html", "upload", pages.upload(request.user, uuid))


@require_POST
@needs("datasets.upload", Upload, see="datasets.view")
def accept(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Import the file."""
    form = AcceptForm(request.POST)
    if not form.is_valid():
        return respond(
            request,
            "datasets_app/datasets/upload.html",
            "upload",
            pages.upload(request.user, uuid) | {"accept_form": form},
            status=422,
        )
    labels_as = form.cleaned_data["labels_as"] or Upload.Labels.DECISIONS
    actions.accept_upload(
        upload_id=uuid, actor=request.user, labels_as=labels_as, seen=form.cleaned_data["seen"]
    )
    return redirect_or_refresh(request, reverse("datasets:upload", args=[uuid]))


@require_POST
@needs("datasets.upload", Upload, see="datasets.view")
def discard(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Discard the upload."""
    row = actions.discard_upload(upload_id=uuid, actor=request.user)
    return done_at(
        request, reverse("datasets:dataset", args=[row.dataset.uuid]), f"{row.file_name} discarded"
    )


@require_safe
@needs("datasets.view", Item)
def item(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One item: its text, source, and uses."""
    return respond(request, "datasets_app/datasets/item.html", "item", pages.item(request.user, uuid))


# ── Files of items ──────────────────────────────────────────────────────────
@require_http_methods(["GET", "HEAD", "POST"])
@needs("datasets.view", Dataset)
def exports(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The item exports that the person requested; a POST requests one with the filters of the URL."""
    row = queries.get_dataset(request.user, uuid)
    refusal = None
    if request.method == "POST":
        policy.require(request.user, "datasets.export", row)
        try:
            actions.export_items(dataset_id=uuid, actor=request.user, filters=request.GET.dict())
            return redirect_or_refresh(request, reverse("datasets:exports", args=[uuid]))
        except Refused as refused:
            refusal = refused
    context = listing.exports(request.user, row) | {"refusal": refusal}
    return respond(
        request, "datasets_app/datasets/exports.html", "exports", context, status=422 if refusal else 200
    )


@require_safe
@needs("datasets.export", Export, see="datasets.view")
def download(request: SignedInRequest, uuid: UUID) -> HttpResponseBase:
    """The bytes of a file, never shown inside the site."""
    row = queries.get_export(request.user, uuid)
    return FileResponse(
        artifacts.open_blob(row.blob.digest),
        as_attachment=True,
        filename=row.file_name,
        content_type=actions.EXPORT_MEDIA,
    )


# ── Slices ──────────────────────────────────────────────────────────────────
@require_POST
@needs("datasets.slice", Dataset, see="datasets.view")
def save_slice(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Save the URL's filters as a slice."""
    form = SliceForm(request.POST, auto_id="slice_%s")
    if form.is_valid():
        with refused_on(form):
            row = actions.save_slice(
                dataset_id=uuid, actor=request.user, filters=request.GET.dict(), **form.cleaned_data
            )
            return done_at(request, reverse("datasets:slice", args=[row.uuid]), f"Slice {row.name} saved")
    context = pages.dataset(request.user, uuid, request.GET) | {"slice_form": form}
    return respond(request, "datasets_app/datasets/dataset.html", "items", context, status=422)


@require_safe
@needs("datasets.view", Slice)
def slice_page(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One slice."""
    return respond(
        request, "datasets_app/datasets/slice.html", "slice", listing.slice_page(request.user, uuid)
    )


@require_POST
@needs("datasets.slice", Slice, see="datasets.view")
def change_slice(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Rename, describe or share it."""
    queries.get_slice(request.user, uuid)
    form = SliceForm(request.POST)
    if form.is_valid():
        with refused_on(form):
            actions.change_slice(slice_id=uuid, actor=request.user, **form.cleaned_data)
            return done_at(request, reverse("datasets:slice", args=[uuid]), "Slice saved")
    context = listing.slice_page(request.user, uuid) | {"form": form}
    return respond(request, "datasets_app/datasets/slice.html", "slice", context, status=422)


@require_POST
@needs("datasets.slice", Slice, see="datasets.view")
def delete_slice(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Delete it; the items stay."""
    row = queries.get_slice(request.user, uuid)
    into = actions.delete_slice(slice_id=uuid, actor=request.user)
    return done_at(request, reverse("datasets:dataset", args=[into.uuid]), f"Slice {row.name} deleted")


@require_POST
@needs("datasets.slice", Slice, see="datasets.view")
def count_slice(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Count its items."""
    actions.count_slice(slice_id=uuid, actor=request.user)
    return redirect_or_refresh(request, reverse("datasets:slice", args=[uuid]))
