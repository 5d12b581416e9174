"""Pages of endpoints: what is live, deploying, rolling back, trying it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from lifecycle.refusals import Refusal, Refused
from lifecycle.ui.addresses import find_url
from lifecycle.ui.csp import charts
from lifecycle.ui.respond import redirect_or_refresh, respond
from lifecycle.ui.toasts import toast
from registry.access import policy
from registry.access.decorators import needs, signed_in
from registry.access.requests import SignedInRequest
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints import actions, client, page, queries
from registry.endpoints.forms import AsOfForm, DeployForm, RollBackForm, TryForm
from registry.endpoints.models import Deployment

SEE = "endpoints.view"
DETAIL = "registry/endpoints/detail.html"


@require_GET
@signed_in
def endpoints(request: SignedInRequest) -> HttpResponse:
    """The endpoints and what is live on them."""
    context = {"lines": queries.lines(request.user), "published": queries.routes_row().published_epoch}
    return respond(request, "registry/endpoints/list.html", "endpoints", context)


@require_GET
@charts
@needs(SEE, Endpoint)
def detail(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One endpoint. With `at`: also which version was live then; that part alone for htmx."""
    endpoint = policy.get_visible(request.user, queries.visible(request.user), SEE, uuid=uuid)
    form = AsOfForm(request.GET if "at" in request.GET else None)
    context: dict[str, Any] = {"endpoint": endpoint, "as_of_form": form, "try_form": TryForm()}
    if form.is_bound and form.is_valid():
        context |= page.as_of(endpoint, form.cleaned_data["at"])
    return respond(request, DETAIL, "as_of", page.detail(request.user, endpoint) | context, 422 if form.errors else 200)


@require_GET
@never_cache
@needs(SEE, Endpoint)
def servers(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """What the inference servers have applied, as a fragment that asks again while they have something to do."""
    endpoint = queries.visible(request.user).get(uuid=uuid)
    context = {"endpoint": endpoint, "servers": page.servers(endpoint, queries.live_deployment(endpoint)), "ready": client.is_ready()}
    return respond(request, "registry/endpoints/servers.html", "servers", context)


@require_POST
@needs("endpoints.deploy", Endpoint, see=SEE)
def deploy(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Make an approved version live."""
    form = DeployForm(request.POST)
    if not form.is_valid() or not queries.approvals(uuid).filter(uuid=form.cleaned_data["request"]).exists():
        raise Refused("There is no such approval for this endpoint.", next_step="Open the promotion to see how it stands.")
    made = actions.deploy(request_id=form.cleaned_data["request"], actor=request.user)
    toast(request, f"{made.version.semver} is live on {made.endpoint}", kind="live")
    return redirect_or_refresh(request, reverse("endpoints:detail", args=[uuid]))


@require_POST
@needs("endpoints.roll_back", Endpoint, see=SEE)
def roll_back(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Make the last live version live again."""
    form = RollBackForm(request.POST)
    if not form.is_valid():
        raise Refused(
            "Nothing was changed: the form was not complete.",
            fields={name: [str(each) for each in said] for name, said in form.errors.items()},
        )
    given = form.cleaned_data
    made = actions.roll_back(endpoint_id=uuid, actor=request.user, reason=given["reason"], typed=given["typed"], seen_moves=given["seen"])
    toast(request, f"Rolled back to {made.version.semver}", kind="warn")
    return redirect_or_refresh(request, reverse("endpoints:detail", args=[uuid]))


@require_POST
@charts
@needs("endpoints.infer", Endpoint, see=SEE)
def try_it(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Ask the endpoint about one text."""
    endpoint = queries.visible(request.user).get(uuid=uuid)
    form, status = TryForm(request.POST), 422
    context: dict[str, Any] = {}
    if form.is_valid():
        try:
            answer = client.ask(endpoint, form.cleaned_data["text"])
        except Refusal as refusal:
            context, status = {"refusal": refusal}, 200
        else:
            context, status = {"answer": answer, "prediction_url": find_url("traffic:prediction", uuid=UUID(answer.prediction))}, 200
    shown = page.detail(request.user, endpoint) | {"try_form": form, "as_of_form": AsOfForm()} | context
    return respond(request, DETAIL, "try", shown, status)


@require_GET
@needs(SEE, Deployment)
def deployment(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One interval: what, when, who, why, by which approval."""
    found = queries.of_everywhere(request.user).get(uuid=uuid)
    return respond(request, "registry/endpoints/deployment.html", "deployment", {"deployment": found, "endpoint": found.endpoint})


@require_GET
@needs("catalog.view", ModelVersion)
def of_version(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Where and when a version served, newest first, for its page."""
    rows = queries.of_everywhere(request.user).filter(version__uuid=uuid).order_by("-id")[: queries.PAGE]
    return respond(request, "registry/endpoints/of_version.html", "deployments", {"deployments": list(rows)})
