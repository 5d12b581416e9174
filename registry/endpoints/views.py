"""Pages of endpoints: what is live, deploying, rolling back, trying it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.account.decorators import reauthentication_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lifecycle.runtime.refusals import Refused
from lifecycle.ui.addresses import key_in
from lifecycle.ui.csp import charts
from lifecycle.ui.forms import cleaned, refused_on
from lifecycle.ui.respond import done_at, redirect_or_refresh, respond
from lifecycle.ui.toasts import toast
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints import actions, client, page, rules
from registry.endpoints.forms import (
    AsOfForm,
    DeployForm,
    DrillForm,
    RollBackForm,
    ShadowForm,
    StopForm,
    TokenForm,
    TryForm,
)
from registry.endpoints.models import Deployment, EndpointToken
from registry.endpoints.queries import deployments, listing, published
from registry.ground.access import policy
from registry.ground.access.decorators import needs, signed_in
from registry.ground.access.requests import SignedInRequest

SEE = "endpoints.view"
DETAIL, FORM = "registry/endpoints/detail.html", "registry/endpoints/form.html"


@require_safe
@signed_in
def endpoints(request: SignedInRequest) -> HttpResponse:
    """The endpoints and what is live on them."""
    context = {"lines": listing.lines(request.user), "published": published.routes_row().published_epoch}
    return respond(request, "registry/endpoints/list.html", "endpoints", context)


@require_safe
@charts
@needs(SEE, Endpoint)
def detail(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One endpoint. With `at`: also which version was live then; that part alone for htmx."""
    endpoint = policy.get_visible(request.user, listing.visible(request.user), SEE, uuid=uuid)
    form = AsOfForm(request.GET if "at" in request.GET else None)
    context: dict[str, Any] = {
        "endpoint": endpoint,
        "as_of_form": form,
        "try_form": TryForm(served=page.served_by(deployments.live_deployment(endpoint))),
    }
    if form.is_bound and form.is_valid():
        context |= page.as_of(endpoint, form.cleaned_data["at"])
    older_than = key_in(request.GET)
    return respond(
        request,
        DETAIL,
        "as_of",
        page.detail(request.user, endpoint, older_than) | context,
        422 if form.errors else 200,
    )


@require_safe
@never_cache
@needs(SEE, Endpoint)
def servers(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """What the inference servers have applied, as a fragment that asks again while they have something to
    do.
    """
    endpoint = listing.visible(request.user).get(uuid=uuid)
    context = {"endpoint": endpoint, "servers": page.servers(endpoint), "ready": client.is_ready()}
    return respond(request, "registry/endpoints/servers.html", "servers", context)


@require_POST
@needs("endpoints.deploy", Endpoint, see=SEE)
def deploy(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Make an approved version live."""
    form = DeployForm(request.POST)
    if not form.is_valid() or not listing.approvals(uuid).filter(uuid=form.cleaned_data["request"]).exists():
        raise Refused(
            "This endpoint has no such approval.", next_step="Open the promotion request to see its state."
        )
    made = actions.deploy(request_id=form.cleaned_data["request"], actor=request.user)
    part = "is live" if made.share == rules.ALL else f"has {rules.percent(made.share)}"
    return done_at(
        request,
        reverse("endpoints:detail", args=[uuid]),
        f"{made.version.semver} {part} on {made.endpoint}",
        kind="live",
    )


@require_POST
@needs("endpoints.roll_back", Endpoint, see=SEE)
def roll_back(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Make the last live version live again."""
    given = cleaned(RollBackForm(request.POST))
    made = actions.roll_back(
        endpoint_id=uuid,
        actor=request.user,
        reason=given["reason"],
        typed=given["typed"],
        seen_moves=given["seen"],
    )
    return done_at(
        request,
        reverse("endpoints:detail", args=[uuid]),
        f"Rolled back to {made.version.semver}",
        kind="warn",
    )


@require_POST
@needs("endpoints.set_share", Deployment, see=SEE)
def stop_canary(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Give all traffic back to the live version."""
    ended = actions.stop_canary(
        deployment_id=uuid, actor=request.user, reason=cleaned(StopForm(request.POST))["reason"]
    )
    return done_at(
        request,
        reverse("endpoints:detail", args=[ended.endpoint.uuid]),
        f"Canary {ended.version.semver} stopped",
        kind="warn",
    )


@require_http_methods(["GET", "HEAD", "POST"])
@needs("endpoints.shadow", Endpoint, see=SEE)
def shadow(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Let a version answer copies of requests."""
    endpoint = listing.visible(request.user).get(uuid=uuid)
    form = ShadowForm(request.POST or None, versions=deployments.shadowable(endpoint))
    if form.is_valid():
        given = form.cleaned_data
        with refused_on(form):
            made = actions.start_shadow(
                endpoint_id=uuid, version_id=given["version"].uuid, share=given["share"], actor=request.user
            )
            toast(
                request,
                f"Shadow {made.version.semver} started, {rules.percent(made.share)} of requests copied",
            )
            return redirect_or_refresh(request, reverse("endpoints:detail", args=[uuid]))
    text = (
        "Its predictions are compared with what clients get, then discarded. Clients never see or wait for"
        " it, so it needs no approval."
    )
    context = page.form(endpoint, f"Start a shadow on {endpoint.slug}", text, "Start shadow", form)
    return respond(request, FORM, "form", context, 422 if form.is_bound else 200)


@require_POST
@needs("endpoints.shadow", Deployment, see=SEE)
def stop_shadow(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """End the copies."""
    ended = actions.stop_shadow(
        deployment_id=uuid, actor=request.user, reason=cleaned(StopForm(request.POST))["reason"]
    )
    return done_at(
        request,
        reverse("endpoints:detail", args=[ended.endpoint.uuid]),
        f"Shadow {ended.version.semver} stopped",
    )


@require_http_methods(["GET", "HEAD", "POST"])
@needs("endpoints.inject_fault", Endpoint, see=SEE)
def drill(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Inject a fault for a drill."""
    endpoint = listing.visible(request.user).get(uuid=uuid)
    form = DrillForm(request.POST or None, deployments=deployments.answering(endpoint))
    if form.is_valid():
        given = form.cleaned_data
        with refused_on(form):
            actions.inject_fault(deployment_id=given.pop("deployment").uuid, actor=request.user, **given)
            return done_at(
                request,
                reverse("endpoints:detail", args=[uuid]),
                f"Fault injected in {endpoint.slug}",
                kind="warn",
            )
    text = (
        "Clients really get these errors and delays. The guard, the rollout's rule, and alerts react as"
        " usual."
    )
    context = page.form(endpoint, f"Inject a fault in {endpoint.slug}", text, "Inject fault", form)
    return respond(request, FORM, "form", context, 422 if form.is_bound else 200)


@require_POST
@needs("endpoints.inject_fault", Deployment, see=SEE)
def remove_fault(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """End a drill."""
    fault = actions.remove_fault(deployment_id=uuid, actor=request.user)
    return done_at(
        request, reverse("endpoints:detail", args=[fault.deployment.endpoint.uuid]), "Fault removed"
    )


@require_POST
@charts
@needs("endpoints.infer", Endpoint, see=SEE)
def try_it(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """What the versions of the endpoint predict for one text."""
    endpoint = listing.visible(request.user).get(uuid=uuid)
    served = page.served_by(deployments.live_deployment(endpoint))
    form = TryForm(request.POST, served=served)
    context: dict[str, Any] = {"try_form": form, "as_of_form": AsOfForm()}
    if form.is_valid():
        context["tried"] = client.ask(endpoint, served, form.given())
    status = 200 if form.is_valid() else 422
    return respond(request, DETAIL, "try", page.detail(request.user, endpoint) | context, status)


@require_safe
@needs(SEE, Deployment)
def deployment(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One interval: what, when, who, why, by which approval."""
    found = deployments.of_everywhere(request.user).get(uuid=uuid)
    context = {"deployment": found, "endpoint": found.endpoint, "share": rules.percent(found.share)}
    return respond(request, "registry/endpoints/deployment.html", "deployment", context)


@require_safe
@needs("catalog.view", ModelVersion)
def of_version(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Where and when a version served, newest first, for its page."""
    rows = (
        deployments.of_everywhere(request.user).filter(version__uuid=uuid).order_by("-id")[: deployments.PAGE]
    )
    return respond(request, "registry/endpoints/of_version.html", "deployments", {"deployments": list(rows)})


@require_safe
@needs("endpoints.manage_tokens", Endpoint, see=SEE)
def tokens(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The tokens of programs that ask this endpoint."""
    return show_tokens(request, uuid, form=TokenForm())


@require_POST
@needs("endpoints.manage_tokens", Endpoint, see=SEE)
@reauthentication_required
def create_token(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Make one; its secret is shown in this answer and never again."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return show_tokens(request, uuid, form=form, status=422)
    made, secret = actions.create_token(endpoint_id=uuid, actor=request.user, **form.cleaned_data)
    return show_tokens(request, uuid, form=TokenForm(), made=made, secret=secret)


def show_tokens(
    request: SignedInRequest, uuid: UUID, *, status: int = 200, **context: object
) -> HttpResponse:
    """The page of an endpoint's tokens."""
    endpoint = listing.visible(request.user).get(uuid=uuid)
    shown = {"endpoint": endpoint, "tokens": published.live_tokens(endpoint)} | context
    response = render(request, "registry/endpoints/tokens.html", shown, status=status)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@needs("endpoints.manage_tokens", EndpointToken, see=SEE)
def revoke_token(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """End a token of a program."""
    token = actions.revoke_token(token_id=uuid, actor=request.user)
    return done_at(
        request, reverse("endpoints:tokens", args=[token.endpoint.uuid]), f"Token {token.name} revoked"
    )
