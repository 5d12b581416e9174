"""Pages of rollouts: the part of an endpoint's page, the start, the history, and what people do to a running
one.
"""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lifecycle.ui.addresses import choice_in, key_in
from lifecycle.ui.csp import charts
from lifecycle.ui.forms import cleaned
from lifecycle.ui.respond import done_at, respond
from monitoring.rollouts import actions, page
from monitoring.rollouts.forms import AbortForm, SeenForm, WidenForm
from monitoring.rollouts.models import Rollout
from monitoring.rollouts.queries import rollouts as rollout_queries
from monitoring.rollouts.rules import State, share_text
from registry.catalog.models import Endpoint
from registry.ground.access import policy
from registry.ground.access.decorators import needs, signed_in
from registry.ground.access.requests import SignedInRequest
from registry.promotions.models import PromotionRequest

SEE = "rollouts.view"
PANEL, DETAIL, START = (f"monitoring/rollouts/{name}.html" for name in ("panel", "detail", "start"))
CHARTS = ("difference", "evidence", "latency", "errors", "agreement")


@require_safe
@signed_in
def rollouts(request: SignedInRequest) -> HttpResponse:
    """All rollouts that the user may see, newest first."""
    state, before = choice_in(request.GET, "state", State.values), key_in(request.GET)
    rows, older = rollout_queries.page_of(request.user, state=state, before=before)
    context = {"rows": rows, "older": older, "before": before, "state": state, "states": State.choices}
    context["state_name"] = State(state).label if state else ""
    return respond(request, "monitoring/rollouts/list.html", "rollouts", context)


@require_safe
@charts
@never_cache
@needs(SEE, Endpoint)
def panel(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The rollout of an endpoint: a page of its own, and a part of the endpoint's page."""
    endpoint = Endpoint.objects.select_related("model__project").get(uuid=uuid)
    return respond(request, PANEL, "rollout", page.panel(request.user, endpoint))


@require_safe
@never_cache
@needs(SEE, Rollout)
def live(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """What changes while it runs. The whole panel when it moved since the page was made, so that all buttons
    fit.
    """
    rollout = rollout_queries.visible(request.user).get(uuid=uuid)
    if request.GET.get("moves") != str(rollout.moves):
        return respond(
            request, PANEL, "rollout", page.panel(request.user, rollout.endpoint), target="#rollout"
        )
    return respond(
        request, PANEL, "live", page.live(request.user, rollout) | page.buttons(request.user, rollout)
    )


@require_safe
@never_cache
@needs(SEE, Rollout)
def chart(request: SignedInRequest, uuid: UUID, name: str) -> JsonResponse:
    """What a chart shows beyond what it has."""
    since = request.GET.get("since", "0")
    if name not in CHARTS or not (since.isascii() and since.isdigit() and len(since) < 19):
        return JsonResponse({"traces": [], "x": [], "y": [], "next": None}, status=404)
    return JsonResponse(page.updates(rollout_queries.visible(request.user).get(uuid=uuid), name, int(since)))


@require_safe
@charts
@needs(SEE, Rollout)
def detail(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One rollout: the plan, every look, every decision."""
    rollout = policy.get_visible(request.user, rollout_queries.visible(request.user), SEE, uuid=uuid)
    return respond(request, DETAIL, "looks", page.detail(request.user, rollout, key_in(request.GET)))


@require_http_methods(["GET", "HEAD", "POST"])
@needs("rollouts.start", PromotionRequest, see="promotions.view")
def start(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The approved plan with what to expect of it; a POST starts it."""
    if request.method == "POST":
        made = actions.start(request_id=uuid, actor=request.user)
        text = f"{made.version.semver} takes {share_text(made.share)} of {made.endpoint}"
        return done(request, made, text, "live")
    asked = PromotionRequest.objects.select_related("endpoint__model__project", "version__model").get(
        uuid=uuid
    )
    return render(request, START, page.start(asked))


@require_POST
@needs("rollouts.steer", Rollout, see=SEE)
def pause(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Stop widening."""
    made = actions.pause(rollout_id=uuid, actor=request.user, **cleaned(SeenForm(request.POST)))
    return done(request, made, f"Paused at {share_text(made.share)}", "warn")


@require_POST
@needs("rollouts.steer", Rollout, see=SEE)
def resume(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Let the rule widen again."""
    made = actions.resume(rollout_id=uuid, actor=request.user, **cleaned(SeenForm(request.POST)))
    return done(request, made, "Rollout resumed", "live")


@require_POST
@needs("rollouts.steer", Rollout, see=SEE)
def widen(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Go to the next step now."""
    made = actions.widen(rollout_id=uuid, actor=request.user, **cleaned(WidenForm(request.POST)))
    return done(
        request, made, f"{made.version.semver} has {share_text(made.share)} of {made.endpoint}", "live"
    )


@require_POST
@needs("rollouts.abort", Rollout, see=SEE)
def abort(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Stop the canary."""
    made = actions.abort(rollout_id=uuid, actor=request.user, **cleaned(AbortForm(request.POST)))
    return done(request, made, f"All traffic is back on {made.baseline.semver}", "warn")


def done(request: SignedInRequest, rollout: Rollout, message: str, kind: str) -> HttpResponse:
    """Back to the endpoint's page."""
    return done_at(request, reverse("endpoints:detail", args=[rollout.endpoint.uuid]), message, kind=kind)
