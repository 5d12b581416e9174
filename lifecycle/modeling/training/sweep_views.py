"""Pages of sweeps."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lifecycle.modeling.training import actions, launch_page, sweep_pages
from lifecycle.modeling.training.forms import SweepForm
from lifecycle.modeling.training.models import Sweep
from lifecycle.runtime.refusals import Refusal
from lifecycle.ui.csp import charts
from lifecycle.ui.respond import done_at, redirect_or_refresh, respond, wants_fragment
from registry.ground.access.decorators import needs, signed_in
from registry.ground.access.requests import SignedInRequest


@require_safe
@signed_in
def sweeps(request: SignedInRequest) -> HttpResponse:
    """The sweeps in the user's projects."""
    return respond(
        request,
        "lifecycle/modeling/training/sweeps.html",
        "sweeps",
        sweep_pages.listing(request.user, request.GET),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@needs("training.launch")
def new_sweep(request: SignedInRequest) -> HttpResponse:
    """Start a sweep: choose data, base, strategy, space, and limits."""
    context = launch_page.launch(request.user, request.POST or request.GET)
    if "suggestion" not in context:
        return respond(
            request,
            "lifecycle/modeling/training/new_sweep.html",
            "new",
            context,
            status=422 if request.method == "POST" else 200,
        )
    chosen = {name: context[name] for name in ("snapshot", "base", "strategy")}
    form = SweepForm(
        request.POST or None,
        suggestion=context["suggestion"],
        strategy=str(chosen["strategy"]),
        not_there=context["not_there"],
        initial={"key": context["key"]},
    )
    if form.is_valid():
        try:
            made = actions.start_sweep(actor=request.user, **chosen, **form.wanted())
        except Refusal as refusal:
            form.refuse(refusal)
        else:
            return redirect_or_refresh(request, reverse("training:sweep", args=[made.uuid]))
    return respond(
        request,
        "lifecycle/modeling/training/new_sweep.html",
        "new",
        context | {"form": form},
        status=422 if form.is_bound else 200,
    )


@require_safe
@charts
@needs("training.view", Sweep)
@never_cache
def sweep(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One sweep: state, progress, its trials by score, and the effect of the settings."""
    return respond(
        request, "lifecycle/modeling/training/sweep.html", "live", sweep_pages.detail(request.user, uuid)
    )


@require_safe
@needs("training.view", Sweep)
@never_cache
def live_sweep(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The head of a sweep's page while it runs; the whole page after another trial has ended, compared with
    ?ended=.
    """
    context = sweep_pages.live(request.user, uuid)
    if (
        not context["active"]
        or not wants_fragment(request)
        or request.GET.get("ended") != str(context["ended"])
    ):
        return redirect_or_refresh(request, reverse("training:sweep", args=[uuid]))
    return respond(request, "lifecycle/modeling/training/sweep_head.html", "head", context)


@require_POST
@needs("training.stop", Sweep, see="training.view")
def cancel_sweep(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Start no more trials, and stop the one that trains."""
    cancelled = actions.cancel_sweep(sweep_id=uuid, actor=request.user)
    return done_at(request, reverse("training:sweep", args=[uuid]), f"{cancelled} is cancelled", kind="live")
