"""Pages and fragments of traffic."""

from __future__ import annotations

from uuid import UUID, uuid4

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from lifecycle.runtime.refusals import Refusal
from lifecycle.ui.addresses import choice_in
from lifecycle.ui.csp import charts
from lifecycle.ui.forms import refused_on
from lifecycle.ui.respond import done_at, respond, wants_fragment
from monitoring.traffic import actions, page, queries
from monitoring.traffic.forms import KpiForm, OutcomeForm
from monitoring.traffic.models import Kpi, Prediction
from monitoring.traffic.rules import WINDOWS, FeedbackKind, Source
from registry.catalog.models import Endpoint
from registry.ground.access import policy
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest

SEE = "traffic.view"


@require_safe
@charts
@needs(SEE, Endpoint)
def endpoint(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Figures and series of an endpoint: a page, and with fewer charts a fragment of the endpoint's page."""
    found = Endpoint.objects.select_related("model").get(uuid=uuid)
    full = not wants_fragment(request) or "full" in request.GET
    shown = page.panels(found, choice_in(request.GET, "window", WINDOWS), full=full)
    return respond(request, "monitoring/traffic/endpoint.html", "traffic", shown)


@require_safe
@needs(SEE, Endpoint)
def recent(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The newest predictions of an endpoint."""
    found = Endpoint.objects.select_related("model").get(uuid=uuid)
    return respond(
        request,
        "monitoring/traffic/recent.html",
        "recent",
        page.recent(request.user, found, request.GET.dict()),
    )


@require_safe
@needs(SEE, Prediction)
def prediction(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One answer: of what, by which version, and what people say of it."""
    found = policy.get_visible(request.user, queries.visible(request.user), SEE, uuid=uuid)
    return respond(
        request, "monitoring/traffic/prediction.html", "prediction", page.prediction(request.user, found)
    )


@require_POST
@needs("traffic.record_feedback", Prediction, see=SEE)
def feedback(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Call an answer right or wrong."""
    found = policy.get_visible(request.user, queries.visible(request.user), SEE, uuid=uuid)
    form = page.feedback_form(found, request.POST)
    if form.is_valid():
        with refused_on(form):
            given = form.cleaned_data
            actions.record_feedback(
                prediction_id=uuid,
                right=given["right"] == "yes",
                label=given.get("label", ""),
                value=form.value,
                actor=request.user,
                kind=given["kind"] or FeedbackKind.REVIEW,
                source=Source.PAGE,
            )
            return done_at(request, reverse("traffic:prediction", args=[uuid]), "Feedback saved")
    return respond(
        request,
        "monitoring/traffic/prediction.html",
        "prediction",
        page.prediction(request.user, found, form),
        status=422,
    )


@require_safe
@needs(SEE, Endpoint)
def shadow(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """How far the shadow version agrees with what clients got: a page, and a fragment of the endpoint's
    page.
    """
    found = Endpoint.objects.select_related("model").get(uuid=uuid)
    return respond(
        request,
        "monitoring/traffic/shadow.html",
        "shadow",
        page.shadow(request.user, found, request.GET.dict()),
    )


@require_safe
@needs(SEE, Endpoint)
def kpis(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The business figures of an endpoint."""
    found = Endpoint.objects.select_related("model").get(uuid=uuid)
    return respond(request, "monitoring/traffic/kpis.html", "kpis", page.kpis(request.user, found))


@require_POST
@needs("traffic.define_kpi", Endpoint, see=SEE)
def define_kpi(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Name a business figure."""
    found = Endpoint.objects.select_related("model").get(uuid=uuid)
    form = KpiForm(request.POST)
    if form.is_valid():
        given = dict(form.cleaned_data)
        with refused_on(form, Refusal):
            made = actions.define_kpi(
                endpoint_id=uuid,
                holdout_share=given.pop("holdout_percent") / 100,
                actor=request.user,
                **given,
            )
            return done_at(request, reverse("traffic:kpi", args=[made.uuid]), f"{made.name} created")
    return respond(
        request, "monitoring/traffic/kpis.html", "kpis", page.kpis(request.user, found, form), status=422
    )


@require_safe
@charts
@needs(SEE, Kpi)
def kpi(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One business figure, with the model and without it."""
    found = policy.get_visible(request.user, queries.visible_kpis(request.user), SEE, uuid=uuid)
    period = choice_in(request.GET, "period", page.PERIODS, "90d")
    return respond(request, "monitoring/traffic/kpi.html", "kpi", page.kpi(request.user, found, period))


@require_POST
@charts
@needs("traffic.record_outcomes", Kpi, see=SEE)
def record_outcomes(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Report the result of one case."""
    found = policy.get_visible(request.user, queries.visible_kpis(request.user), SEE, uuid=uuid)
    form = OutcomeForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        case = actions.Case(uuid4(), given["arm"], given["value"], timezone.now(), given["prediction"])
        with refused_on(form, Refusal):
            actions.record_outcomes(kpi_id=uuid, cases=[case], actor=request.user)
            return done_at(request, reverse("traffic:kpi", args=[uuid]), "Outcome saved")
    return respond(
        request, "monitoring/traffic/kpi.html", "kpi", page.kpi(request.user, found, "90d", form), status=422
    )
