"""Pages of drift: the list, one endpoint, the texts behind a bin, and having it measured now."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from lifecycle.ui.csp import charts
from lifecycle.ui.respond import done_at, respond
from monitoring.drift import actions, page
from registry.catalog.models import Endpoint
from registry.ground.access.decorators import needs, signed_in
from registry.ground.access.requests import SignedInRequest

SEE = "drift.view"
LIST, ENDPOINT, BEHIND, PANEL = (
    f"monitoring/drift/{name}.html" for name in ("list", "endpoint", "behind", "panel")
)


def find(uuid: UUID) -> Endpoint:
    """The endpoint, once the view's declaration has shown it to the person."""
    return Endpoint.objects.select_related("model__project").get(uuid=uuid)


@require_safe
@signed_in
def endpoints(request: SignedInRequest) -> HttpResponse:
    """All endpoints whose drift the person may see."""
    return respond(request, LIST, "endpoints", page.listing(request.user))


@require_safe
@charts
@needs(SEE, Endpoint)
def endpoint(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """What is known of one endpoint: every monitor, its histograms, its weeks, and the texts behind."""
    return respond(request, ENDPOINT, "drift", page.endpoint(request.user, find(uuid), request.GET.dict()))


@require_safe
@needs(SEE, Endpoint)
def behind(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The newest answers in a bin."""
    return respond(request, BEHIND, "behind", page.behind(request.user, find(uuid), request.GET.dict()))


@require_safe
@needs(SEE, Endpoint)
def panel(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The drift of an endpoint beside its traffic."""
    return respond(request, PANEL, "panel", page.panel(find(uuid)))


@require_POST
@needs("drift.measure", Endpoint, see=SEE)
def measure(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Measure the last 24 hours now."""
    actions.ask(endpoint_id=uuid, actor=request.user)
    return done_at(
        request, reverse("drift:endpoint", args=[uuid]), "Measuring the last 24 hours", kind="live"
    )
