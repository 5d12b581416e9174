"""Pages of background work: a job's progress, cancel, and the lists of jobs."""

from __future__ import annotations

import json
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from lifecycle.ground.jobs import actions, queries
from lifecycle.ground.jobs.forms import read_priority
from lifecycle.ground.jobs.models import Job
from lifecycle.ui.addresses import choice_in, key_in
from lifecycle.ui.respond import redirect_or_refresh, respond, wants_fragment
from registry.ground.access.decorators import signed_in
from registry.ground.access.requests import SignedInRequest


@require_safe
@signed_in
@never_cache
def progress(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """A job's progress. The last poll of a finished one fires the event `job-ended`, on which a page may load
    its result.
    """
    return _progress(request, queries.get_visible(request.user, uuid))


@require_POST
@signed_in
def cancel(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Stop a job, at once when it waits, at its next safe point when it runs."""
    job = actions.cancel(queries.get_visible(request.user, uuid).uuid, request.user)
    if wants_fragment(request):
        return _progress(request, job)
    return redirect_or_refresh(request, reverse("jobs:progress", args=[job.uuid]))


@require_POST
@signed_in
def priority(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Change a queued job's priority."""
    found = queries.get_visible(request.user, uuid)
    queries.require_cancel(request.user, found)  # checked before the form is validated
    wanted, seen = read_priority(request.POST)
    job = actions.prioritise(found.uuid, wanted, request.user, seen=seen)
    if wants_fragment(request):
        return _progress(request, job)
    return redirect_or_refresh(request, reverse("jobs:progress", args=[job.uuid]))


@require_safe
@signed_in
def jobs(request: SignedInRequest) -> HttpResponse:
    """Running and queued jobs, and finished ones, newest first."""
    user, mine = request.user, choice_in(request.GET, "mine", ("1",)) == "1"
    key = key_in(request.GET)
    context = {
        "running": queries.running(user),
        "finished": queries.finished(user, mine=mine, before=key),
        "mine": mine,
        "before": key,
    }
    return respond(request, "jobs/list.html", "jobs", context)


def _progress(request: SignedInRequest, job: Job) -> HttpResponse:
    line = queries.line(request.user, job)
    response = render(
        request, "jobs/progress.html" if wants_fragment(request) else "jobs/detail.html", {"line": line}
    )
    response["Vary"] = "HX-Request, Cookie"
    if wants_fragment(request) and job.is_finished:
        response["HX-Trigger"] = json.dumps({"job-ended": {"uuid": str(job.uuid), "state": job.state}})
    return response
