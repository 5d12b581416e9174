"""Ten-step dry runs."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from lifecycle.modeling.training import actions, estimate_page
from lifecycle.modeling.training.models import Estimate
from lifecycle.modeling.training.views import filled
from lifecycle.runtime.refusals import Refusal
from lifecycle.ui.forms import refused_on
from lifecycle.ui.respond import redirect_or_refresh, respond
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest


@require_POST
@needs("training.launch")
def estimate(request: SignedInRequest) -> HttpResponse:
    """Try ten steps of the launch form's settings."""
    context, form = filled(request)
    if form is None:
        return respond(request, "lifecycle/modeling/training/launch.html", "launch", context, status=422)
    if form.is_valid():
        chosen = {name: context[name] for name in ("snapshot", "base", "strategy")}
        with refused_on(form, Refusal):
            made = actions.estimate(actor=request.user, options=form.options(), **chosen)
            return redirect_or_refresh(request, reverse("training:tried", args=[made.uuid]))
    context |= {"form": form, "failed": "The dry run wasn't started."}
    return respond(request, "lifecycle/modeling/training/launch.html", "launch", context, status=422)


@require_safe
@needs("training.view", Estimate)
@never_cache
def tried(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The cost of the ten steps and of the whole run, or the progress."""
    return respond(
        request,
        "lifecycle/modeling/training/estimate.html",
        "estimate",
        estimate_page.detail(request.user, uuid),
    )


@require_POST
@needs("training.launch", Estimate, see="training.view")
def cancel_estimate(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Cancel a dry run."""
    actions.cancel_estimate(estimate_id=uuid, actor=request.user)
    return redirect_or_refresh(request, reverse("training:tried", args=[uuid]))
