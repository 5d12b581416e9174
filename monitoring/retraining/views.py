"""Pages of retraining: the list, one proposal with its steps, the triggers of an endpoint, and the part of an
endpoint's page.
"""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lifecycle.runtime.refusals import Refused
from lifecycle.ui.addresses import key_in
from lifecycle.ui.forms import cleaned, refused_on
from lifecycle.ui.respond import done_at, respond
from monitoring.retraining import actions, page
from monitoring.retraining.forms import ProposeForm, ReasonForm, SeenForm, TriggerForm
from monitoring.retraining.models import Proposal
from monitoring.retraining.queries import proposals as proposal_queries
from monitoring.retraining.rules import Kind
from registry.catalog.models import Endpoint
from registry.ground.access.decorators import needs, signed_in
from registry.ground.access.requests import SignedInRequest

SEE = "retraining.view"
LIST, DETAIL, SETTINGS, PROPOSE, PANEL = (
    f"monitoring/retraining/{name}.html" for name in ("list", "detail", "settings", "propose", "panel")
)


@require_safe
@signed_in
def proposals(request: SignedInRequest) -> HttpResponse:
    """The endpoints with what is under way, and what has ended, newest first."""
    key = key_in(request.GET)
    return respond(request, LIST, "ended", page.listed(request.user, key))


@require_safe
@never_cache
@needs(SEE, Proposal)
def detail(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One proposal: the reasons, the steps, the decision. While it is under way its steps are asked again;
    once it moved, all of it.
    """
    context = page.detail(request.user, proposal_queries.full(request.user, uuid))
    if "at" in request.GET and request.GET["at"] == context["place"]:
        return respond(request, DETAIL, "steps", context)
    return respond(request, DETAIL, "proposal", context, target="#proposal")


@require_safe
@never_cache
@needs(SEE, Endpoint)
def panel(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Retraining of an endpoint: a page of its own, and a part of the endpoint's page."""
    endpoint = Endpoint.objects.select_related("model__project").get(uuid=uuid)
    return respond(request, PANEL, "retraining", page.panel(request.user, endpoint))


@require_safe
@never_cache
@needs(SEE, Endpoint)
def settings(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """What makes the product propose for this endpoint on its own."""
    endpoint = Endpoint.objects.select_related("model__project").get(uuid=uuid)
    return respond(request, SETTINGS, "triggers", page.settings(request.user, endpoint))


@require_POST
@needs("retraining.manage", Endpoint, see=SEE)
def set_trigger(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Set one kind of trigger."""
    endpoint = Endpoint.objects.select_related("model__project").get(uuid=uuid)
    kind = request.POST.get("kind", "")
    if kind not in Kind.values:
        raise Refused("Trigger not found.", fields={"kind": [f"Choose one of {', '.join(Kind.values)}."]})
    form = TriggerForm(request.POST, kind=kind)
    if form.is_valid():
        with refused_on(form):
            actions.set_trigger(endpoint_id=uuid, actor=request.user, **form.cleaned_data)
            return done_at(
                request,
                reverse("retraining:settings", args=[uuid]),
                f"{Kind(kind).label} trigger of {endpoint} saved",
            )
    return respond(
        request, SETTINGS, "triggers", page.settings(request.user, endpoint, wrong=form), status=422
    )


@require_http_methods(["GET", "HEAD", "POST"])
@needs("retraining.propose", Endpoint, see=SEE)
def propose(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """What supports and against a retraining now, and the form that proposes it."""
    endpoint = Endpoint.objects.select_related("model__project").get(uuid=uuid)
    form = ProposeForm(request.POST or None)
    if form.is_valid():
        with refused_on(form):
            made = actions.propose(endpoint_id=uuid, actor=request.user, **form.cleaned_data)
            return done_at(
                request,
                reverse("retraining:detail", args=[made.uuid]),
                f"{made} created; a lead decides",
                kind="live",
            )
    return respond(
        request,
        PROPOSE,
        "form",
        page.propose(endpoint, form),
        status=422 if request.method == "POST" else 200,
    )


@require_POST
@needs("retraining.decide", Proposal, see=SEE)
def approve(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Let a proposal continue."""
    return done(
        request,
        actions.approve(proposal_id=uuid, actor=request.user, **cleaned(SeenForm(request.POST))),
        "Approved",
        "ok",
    )


@require_POST
@needs("retraining.decide", Proposal, see=SEE)
def decline(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Decline a proposal."""
    return done(
        request,
        actions.decline(proposal_id=uuid, actor=request.user, **cleaned(SeenForm(request.POST))),
        "Rejected",
        "warn",
    )


@require_POST
@needs("traffic.read_texts", Proposal, see=SEE)
def collect(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Collect the texts in one's own name."""
    return done(
        request, actions.collect_texts(proposal_id=uuid, actor=request.user), "Collecting texts", "live"
    )


@require_POST
@needs("retraining.propose", Proposal, see=SEE)
def withdraw(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """End a proposal at any step."""
    return done(
        request,
        actions.withdraw(proposal_id=uuid, actor=request.user, **cleaned(ReasonForm(request.POST))),
        "Withdrawn",
        "warn",
    )


@require_POST
@needs("retraining.decide", Proposal, see=SEE)
def retry(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Do the failed step again."""
    return done(request, actions.retry(proposal_id=uuid, actor=request.user), "Retrying", "live")


@require_POST
@needs("retraining.decide", Proposal, see=SEE)
def override(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Request promotion although the model is not better."""
    return done(
        request,
        actions.override(proposal_id=uuid, actor=request.user, **cleaned(ReasonForm(request.POST))),
        "Continuing manually",
        "live",
    )


def done(request: SignedInRequest, proposal: Proposal, message: str, kind: str) -> HttpResponse:
    """Back to the proposal's page."""
    return done_at(
        request,
        reverse("retraining:detail", args=[proposal.uuid]),
        f"{proposal}: {message.lower()}",
        kind=kind,
    )
