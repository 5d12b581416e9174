"""Pages of corrected labels: a file is uploaded, checked, and accepted."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from datasets_app.datasets.models import Dataset
from datasets_app.datasets.receiving import LimitHandler, report_too_large
from datasets_app.exchange.actions.corrections import reviewing as actions
from datasets_app.exchange.correcting import Outcome
from datasets_app.exchange.forms.corrections import AcceptCorrectionsForm, CorrectionsForm
from datasets_app.exchange.models.corrections import Correction
from datasets_app.exchange.queries import corrections as reading
from datasets_app.schemas.queries.schemas import get_dataset
from lifecycle.ground.jobs import queries as jobs
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count
from lifecycle.ui.respond import redirect_or_refresh, respond
from lifecycle.ui.toasts import toast
from registry.ground.access import policy
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest

LISTED, PAGE = "datasets_app/exchange/corrections.html", "datasets_app/exchange/correction.html"
KINDS = {
    "looking": "live",
    "looked": "half",
    "writing": "live",
    "written": "ok",
    "failed": "bad",
    "discarded": "off",
}
LEFT_OUT = (Outcome.MOVED, Outcome.OWN, Outcome.REPEATED, Outcome.UNKNOWN_ITEM, Outcome.UNREADABLE)
PAIRS_SHOWN = 50


@require_safe
@needs("labeling.read_corrections", Dataset, see="labeling.view")
def corrections(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Uploaded corrections, and the upload form."""
    dataset = get_dataset(request.user, uuid)
    return respond(request, LISTED, "upload", listed(request, dataset, CorrectionsForm()))


def listed(request: SignedInRequest, dataset: Dataset, form: CorrectionsForm) -> dict[str, Any]:
    """The context of the list."""
    rows = reading.corrections(dataset)[: reading.PAGE]
    found = [(row, KINDS[row.state]) for row in rows]
    return {
        "dataset": dataset,
        "form": form,
        "corrections": found,
        "may_upload": policy.can(request.user, "labeling.adjudicate", dataset),
    }


# the inner view is protected: reading the token must not read the file before its limit is in place
@csrf_exempt
def upload_corrections(request: SignedInRequest, uuid: UUID) -> HttpResponseBase:
    """Upload a file of corrected labels."""
    request.upload_handlers.insert(0, LimitHandler(request, settings.UPLOAD_MAX_BYTES))
    return upload_limited(request, uuid=uuid)


@require_POST
# first, so the body is only read for those with access
@needs("labeling.adjudicate", Dataset, see="labeling.view")
@csrf_protect
def upload_limited(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Handle the form once the size of its file is limited."""
    dataset = get_dataset(request.user, uuid)
    form = CorrectionsForm(request.POST, request.FILES)
    report_too_large(form, request)
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            made = actions.upload_corrections(
                dataset=dataset, actor=request.user, content=file.chunks(), file_name=file.name
            )
        except Refused as refusal:
            form.add_error("file", f"{refusal.message} {refusal.next_step}".strip())
        else:
            return redirect_or_refresh(request, reverse("exchange:correction", args=[made.uuid]))
    return respond(request, LISTED, "upload", listed(request, dataset, form), status=422)


upload_corrections.needs = upload_limited.needs  # type: ignore[attr-defined]


@require_safe
@needs("labeling.read_corrections", Correction, see="labeling.view")
def correction(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The planned changes of a file, or its result."""
    return respond(request, PAGE, "correction", shown(request, uuid))


def shown(request: SignedInRequest, uuid: UUID) -> dict[str, Any]:
    """The context of a file's page."""
    job = jobs.about(Correction, uuid).first()
    row = reading.get_correction(request.user, uuid)
    look = row.report.get("look", {})
    counts, changed = look.get("counts", {}), look.get("counts", {}).get(Outcome.CHANGED, 0)
    cases, written = look.get("cases", {}), row.report.get("written")
    return {
        "correction": row,
        "dataset": row.dataset,
        "kind": KINDS[row.state],
        "job": job,
        "working": job is not None and not job.is_finished,
        "error": row.report.get("error"),
        "look": look,
        "changed": changed,
        "moved": counts.get(Outcome.MOVED, 0),
        "figures": figures(look, written) if look else [],
        "form": AcceptCorrectionsForm(),
        "outcomes": [(each.label, counts.get(each, 0), (written or {}).get(each, 0)) for each in Outcome],
        "written": written,
        "pairs": look.get("pairs", [])[:PAIRS_SHOWN],
        "pairs_left": max(0, len(look.get("pairs", [])) - PAIRS_SHOWN),
        "unknown": look.get("unknown", []),
        "may_accept": policy.can(request.user, "labeling.adjudicate", row),
        "may_discard": reading.may_discard(request.user, row),
        "cases": [
            (each.label, each.value, found, counts[each] - len(found))
            for each in LEFT_OUT
            if (found := cases.get(each))
        ],
    }


def figures(look: dict[str, Any], written: dict[str, int] | None) -> list[Figure]:
    """Key figures: of the written labels, else of the check."""
    counts = look["counts"] if written is None else written
    left = sum(counts.get(each, 0) for each in (*LEFT_OUT, Outcome.UNKNOWN_LABEL))
    return [
        Figure("Rows", count(look["rows"])),
        Figure(
            "Corrected",
            count(counts.get(Outcome.CHANGED, 0)),
            sub="labeled again" if written is not None else "to be labeled again",
        ),
        Figure("Unchanged", count(counts.get(Outcome.UNCHANGED, 0)), sub="same label as now or as exported"),
        Figure("Rejected", count(left), sub="listed below"),
    ]


@require_POST
@needs("labeling.adjudicate", Correction, see="labeling.view")
def accept_corrections(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Accept a file: enqueue the job that writes its changes."""
    form = AcceptCorrectionsForm(request.POST)
    form.is_valid()
    try:
        actions.accept_corrections(
            correction_id=uuid, actor=request.user, take_moved=form.cleaned_data["take_moved"]
        )
    except Conflict:
        raise
    except Refused as refusal:
        form.add_error("take_moved", f"{refusal.message} {refusal.next_step}".strip())
        return respond(request, PAGE, "correction", shown(request, uuid) | {"form": form}, status=422)
    return redirect_or_refresh(request, reverse("exchange:correction", args=[uuid]))


@require_POST
@needs("labeling.read_corrections", Correction, see="labeling.view")
def discard_corrections(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Discard a file that needs review."""
    row = actions.discard_corrections(correction_id=uuid, actor=request.user)
    toast(request, f"{row.file_name} discarded")
    return redirect_or_refresh(request, reverse("exchange:corrections", args=[row.dataset.uuid]))
