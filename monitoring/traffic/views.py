"""Pages and fragments of traffic."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from lifecycle.refusals import Refused
from lifecycle.ui.csp import charts
from lifecycle.ui.respond import redirect_or_refresh, respond
from lifecycle.ui.toasts import toast
from monitoring.traffic import actions, page, queries
from monitoring.traffic.forms import FeedbackForm
from monitoring.traffic.models import Prediction
from registry.access import policy
from registry.access.decorators import needs
from registry.access.requests import SignedInRequest
from registry.catalog.models import Endpoint

SEE = "traffic.view"


@require_GET
@charts
@needs(SEE, Endpoint)
def endpoint(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Volume, latency and errors of an endpoint: a page, and a fragment of the endpoint's page."""
    found = Endpoint.objects.select_related("model").get(uuid=uuid)
    return respond(request, "monitoring/traffic/endpoint.html", "traffic", page.panels(found, request.GET.get("window", "1h")))


@require_GET
@needs(SEE, Endpoint)
def recent(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The newest predictions of an endpoint."""
    found = Endpoint.objects.select_related("model").get(uuid=uuid)
    return respond(request, "monitoring/traffic/recent.html", "recent", page.recent(request.user, found, request.GET.dict()))


@require_GET
@needs(SEE, Prediction)
def prediction(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One answer: of what, by which version, and what people say of it."""
    found = policy.get_visible(request.user, queries.visible(request.user), SEE, uuid=uuid)
    return respond(request, "monitoring/traffic/prediction.html", "prediction", page.prediction(request.user, found))


@require_POST
@needs("traffic.record_feedback", Prediction, see=SEE)
def feedback(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Call an answer right or wrong."""
    found = policy.get_visible(request.user, queries.visible(request.user), SEE, uuid=uuid)
    form = FeedbackForm(request.POST, labels=queries.labels_of(found.version) if found.version else [])
    if form.is_valid():
        try:
            given = form.cleaned_data
            actions.record_feedback(prediction_id=uuid, right=given["right"] == "yes", label=given["label"], actor=request.user)
        except Refused as refusal:
            form.add_error("label" if "label" in refusal.fields else None, refusal.message)
        else:
            toast(request, "Noted")
            return redirect_or_refresh(request, reverse("traffic:prediction", args=[uuid]))
    return respond(request, "monitoring/traffic/prediction.html", "prediction", page.prediction(request.user, found, form), status=422)
