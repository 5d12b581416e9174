"""Pages of annotation exports, and the link from an upload to its annotations."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from datasets_app.datasets.models import Dataset, Upload
from datasets_app.exchange.actions.exports import export_annotations
from datasets_app.exchange.forms.exports import ExportForm
from datasets_app.exchange.models.exports import Export
from datasets_app.exchange.queries import exports as reading
from datasets_app.queues.models.queues import ARRIVING, Queue
from datasets_app.queues.queries.pages import get_queue
from datasets_app.schemas.queries.schemas import get_dataset
from lifecycle.ground.jobs import queries as jobs
from lifecycle.ui.respond import redirect_or_refresh, respond
from registry.ground.access import policy
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest
from registry.ground.artifacts import actions as artifacts

PAGE = "datasets_app/exchange/exports.html"


@require_http_methods(["GET", "HEAD", "POST"])
@needs("labeling.view", Dataset)
def exports(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The exports of a dataset, and the form for the next one."""
    return files_of(request, get_dataset(request.user, uuid), None, reverse("exchange:exports", args=[uuid]))


@require_http_methods(["GET", "HEAD", "POST"])
@needs("labeling.view", Queue)
def queue_exports(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The exports of one queue, and the form for the next one."""
    queue = get_queue(request.user, uuid)
    return files_of(request, queue.dataset, queue, reverse("exchange:queue_exports", args=[uuid]))


def files_of(request: SignedInRequest, dataset: Dataset, queue: Queue | None, url: str) -> HttpResponse:
    """Show the page, or handle a posted form."""
    if request.method != "POST":
        return respond(request, PAGE, "exports", page(request, dataset, queue, ExportForm(dataset.task), url))
    policy.require(request.user, "labeling.export", dataset)
    form = ExportForm(dataset.task, request.POST)
    if not form.is_valid():
        return respond(request, PAGE, "exports", page(request, dataset, queue, form, url), status=422)
    chosen = form.cleaned_data["format"]
    export_annotations(
        dataset_id=dataset.uuid, actor=request.user, format=chosen, queue_id=queue.uuid if queue else None
    )
    return redirect_or_refresh(request, url)


def page(
    request: SignedInRequest, dataset: Dataset, queue: Queue | None, form: ExportForm, url: str
) -> dict[str, Any]:
    """The context of the page."""
    job = jobs.of_subject(queue or dataset).filter(kind="exchange.export").first()
    return {
        "dataset": dataset,
        "queue": queue,
        "form": form,
        "url": url,
        "job": job,
        "working": job is not None and not job.is_finished,
        "may_export": policy.can(request.user, "labeling.export", dataset),
        "exports": reading.exports(dataset, queue),
    }


@require_safe
@needs("labeling.export", Export, see="labeling.view")
def download(request: SignedInRequest, uuid: UUID) -> HttpResponseBase:
    """The bytes of a file, never shown inside the site."""
    row = Export.objects.select_related("dataset", "blob").get(uuid=uuid)
    media = Export.Format(row.format).media
    return FileResponse(
        artifacts.open_blob(row.blob.digest), as_attachment=True, filename=row.file_name, content_type=media
    )


@require_safe
@needs("labeling.view", Upload)
def upload_queue(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Redirect to the queue of the annotations imported with an upload. Raises Http404 if there are none."""
    rows = Queue.objects.filter(upload__uuid=uuid, source=Queue.Source.IMPORTED).exclude(ARRIVING)
    found = rows.values_list("uuid", flat=True).first()
    if found is None:
        raise Http404("This upload has no annotations.")
    return HttpResponseRedirect(reverse("queues:queue", args=[found]))
