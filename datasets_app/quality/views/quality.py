"""Label quality of a queue, and the items behind each figure."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from datasets_app.datasets import queries as datasets
from datasets_app.quality import charts
from datasets_app.quality.actions.quality import measure_quality
from datasets_app.quality.measure import ALWAYS_RULE
from datasets_app.quality.models import QualityReport
from datasets_app.quality.queries import quality as queries
from datasets_app.quality.queries.gold import below_minimum
from datasets_app.quality.queries.quality import (
    ITEMS,
    Cell,
    behind,
    forecast_of,
    gold_labels,
    measure_of,
    own_standing,
    queue_agreement,
    report_of,
    side_by_side,
    two_labels,
    two_seats,
)
from datasets_app.quality.views import quality_page as page
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.pages import get_queue
from lifecycle.ui import csp
from lifecycle.ui.respond import redirect_or_refresh, respond
from lifecycle.ui.toasts import toast
from registry.ground.access import policy
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest

QUALITY = "datasets_app/quality/quality.html"


@csp.charts
@require_safe
@needs("labeling.manage", Queue, see="labeling.view")
def quality(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Show the newest report of a queue. Names and people's figures are shown to leads; everyone sees their
    own.
    """
    queue = get_queue(request.user, uuid)
    job, report = measure_of(queue), report_of(queue)
    context: dict[str, Any] = {
        "queue": queue,
        "report": report,
        "job": job if job and not job.is_finished else None,
        "failed": (
            job
            if job and job.state == "failed" and (report is None or job.created_at > report.created_at)
            else None
        ),
    }
    if policy.can(request.user, "labeling.assess", queue):
        context["below"] = page.below(below_minimum(queue))
    if report:
        context |= measured(request, queue, report)
    return respond(request, QUALITY, "quality", context)


def measured(request: SignedInRequest, queue: Queue, report: QualityReport) -> dict[str, Any]:
    """Context for a report."""
    viewer = request.user
    named = policy.can(viewer, "labeling.assess", queue)
    standings = queries.standings(queue, report, viewer, named=named)
    labels, people = list(queue.schema.labels.all()), page.of_people(report, standings)
    everybody, every = request.GET.get("people") == "all", request.GET.get("labels") == "all"
    ahead, days = forecast_of(queue, report), report.figures["days"]
    items = page.items_url(queue)
    mine = [each for each in standings if named or each.seat.user_id == viewer.pk]
    has_labels = queue.dataset.task_type.has_labels
    return {
        "figures": page.figures(queue, report, ahead),
        "coefficients": page.coefficients(report, has_labels=has_labels),
        "has_labels": has_labels,
        "forecast": ahead,
        "named": named,
        "people": [page.person_row(each, is_self=each.seat.user_id == viewer.pk) for each in mine],
        "rule": ALWAYS_RULE,
        "matrix": (
            page.people_matrix(items, report, people, limit=None if everybody else page.PEOPLE)
            if people
            else None
        ),
        "least": page.least_agreeing(items, report, people),
        "confused": page.most_confused(items, report, labels),
        "confusion": page.label_matrix(items, report, labels, limit=None if every else page.LABELS),
        "everybody": everybody,
        "every": every,
        "golds": gold_labels(report, labels),
        "throughput": charts.throughput(days, report.figures["week"]) if days else None,
    }


@require_POST
@needs("labeling.manage", Queue, see="labeling.view")
def measure(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Start measuring a queue."""
    measure_quality(queue_id=uuid, actor=request.user)
    toast(request, "Measuring label quality", kind="live")
    return redirect_or_refresh(request, reverse("quality:quality", args=[uuid]))


@require_safe
@needs("labeling.manage", Queue, see="labeling.view")
def quality_items(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """List items with two confused labels, or on which two people differ, with their annotations side by
    side.
    """
    queue = get_queue(request.user, uuid)
    report = report_of(queue)
    if report is None:
        return HttpResponseRedirect(reverse("quality:quality", args=[uuid]))
    cell = Cell(
        two_labels(queue, request.GET.get("labels", "")), two_seats(queue, request.GET.get("people", ""))
    )
    if not cell.labels and not cell.seats:
        raise Http404("Page not found.")
    return render(request, "datasets_app/quality/quality_items.html", listed(request, queue, report, cell))


def listed(request: SignedInRequest, queue: Queue, report: QualityReport, cell: Cell) -> dict[str, Any]:
    """Context for one page of the items behind a cell."""
    viewer, after = request.user, request.GET.get("after", "")
    rows = behind(report, cell)
    found = list(
        (rows.filter(pk__gt=int(after)) if after.isdecimal() and len(after) < 19 else rows)[: ITEMS + 1]
    )
    named = policy.can(viewer, "labeling.assess", queue)
    names = {each.seat.user_id: each.name for each in queries.standings(queue, None, viewer, named=named)}
    may_read = datasets.may_read(viewer, queue.dataset)
    given = side_by_side(queue, [row.item_id for row in found[:ITEMS]], viewer, reads=may_read)
    lines = [(row.item, answers_of(given[row.item_id], names)) for row in found[:ITEMS]]
    query = request.GET.copy()
    query.pop("after", None)
    first = f"?{query.urlencode()}"
    title = " and ".join(label.name for label in cell.labels or ()) or " and ".join(
        names[seat.user_id] for seat in cell.seats or ()
    )
    return {
        "queue": queue,
        "report": report,
        "lines": lines,
        "title": title,
        "cell": cell,
        "viewer": viewer,
        "may_read": may_read,
        "may_adjudicate": policy.can(viewer, "labeling.adjudicate", queue),
        "page": {
            "previous": first if after else "",
            "next": f"{first}&after={found[ITEMS - 1].pk}" if len(found) > ITEMS else "",
        },
    }


def answers_of(given: list[Annotation] | None, names: dict[int, str]) -> list[tuple[str, Annotation]] | None:
    """(name shown to the viewer, annotation) of one item; None if they are hidden."""
    return None if given is None else [(names.get(each.user_id, "?"), each) for each in given]


def on_queue(request: SignedInRequest, queue: Queue) -> dict[str, Any]:
    """Context for a queue's page: agreement, and the viewer's own figures."""
    report = report_of(queue)
    hidden = queue.mixes_gold and report is None and not policy.can(request.user, "labeling.manage", queue)
    own = own_standing(queue, report, request.user)
    return {
        # live agreement would reveal single annotations
        "queue": queue,
        "agreement": None if hidden else queue_agreement(queue, report),
        "own": [page.person_row(own, is_self=True)] if own else [],
        "rule": ALWAYS_RULE,
    }
