"""Pages of promotions: the queue, asking, deciding."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.ui.addresses import key_in
from lifecycle.ui.forms import add_refusal, refused_on
from lifecycle.ui.respond import done_at, redirect_or_refresh, respond
from registry.catalog.models import ModelVersion
from registry.ground.access import step_up
from registry.ground.access.decorators import needs, signed_in
from registry.ground.access.policy import can_somewhere
from registry.ground.access.requests import SignedInRequest
from registry.promotions import actions, page, queries
from registry.promotions.forms import (
    ApprovalForm,
    CommentForm,
    DecisionForm,
    PlanForm,
    RequestForm,
    WithdrawForm,
)
from registry.promotions.models import PromotionRequest

SEE = "promotions.view"


@require_safe
@signed_in
def promotions(request: SignedInRequest) -> HttpResponse:
    """What waits for me, what waits for others, and what has ended."""
    key = key_in(request.GET)
    mine, others = queries.open_lines(request.user)
    closed, older = queries.closed(request.user, key)
    context = {
        "mine": mine,
        "others": others,
        "closed": closed,
        "older": older,
        "before": key,
        "may_ask": can_somewhere(request.user, "promotions.request"),
    }
    return respond(request, "registry/promotions/list.html", "queue", context)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def new(request: SignedInRequest) -> HttpResponse:
    """Request promotion."""
    form = RequestForm(request.POST or None, user=request.user, initial=request.GET.dict())
    rule = PlanForm(PlanForm.DEFAULTS | request.POST.dict())
    if request.method == "POST" and form.is_valid() and (plan := form.plan(rule)):
        given = {name: form.cleaned_data[name] for name in ("version", "endpoint", "note")}
        with refused_on(form):
            made = actions.request(actor=request.user, plan=plan, **given)
            return done_at(
                request, address(made.uuid), f"Request {made.number} created · running gates", kind="live"
            )
    status = 422 if form.is_bound else 200
    return respond(
        request, "registry/promotions/new.html", "form", {"form": form, "rule": rule}, status=status
    )


@require_safe
@needs(SEE, PromotionRequest)
def detail(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One request: read, then decide."""
    return show(request, uuid)


@require_safe
@needs(SEE, ModelVersion)
def of_version(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The newest requests for one version; a part of the version's page."""
    version = ModelVersion.objects.select_related("model").get(uuid=uuid)
    rows = queries.visible(request.user).filter(version=version)[: queries.PAGE]
    return respond(request, "registry/promotions/of_version.html", "rows", {"version": version, "rows": rows})


@sensitive_post_parameters("password", "code")
@require_POST
@needs("promotions.approve", PromotionRequest, see=SEE)
def approve(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Approve the step that is next."""
    return decide(
        request,
        uuid,
        ApprovalForm(request.POST),
        actions.approve,
        "Approved. Approval alone doesn't change traffic",
    )


@sensitive_post_parameters("password", "code")
@require_POST
@needs("promotions.reject", PromotionRequest, see=SEE)
def reject(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Reject a request, or take back an approval that was not used yet."""
    return decide(request, uuid, DecisionForm(request.POST, prefix="reject"), actions.reject, "Rejected")


def decide(request: SignedInRequest, uuid: UUID, form: DecisionForm, action: Any, done: str) -> HttpResponse:
    """One decision: the page again with what is wrong, or the page as it is afterwards."""
    name = "reject_form" if form.prefix else "form"
    if not form.is_valid():
        return show(request, uuid, status=422, **{name: form})
    given = {key: form.cleaned_data[key] for key in ("reason", "password", "code", "seen")}
    try:
        action(request_id=uuid, actor=request.user, **given)
    except Refused as refusal:
        add_refusal(form, refusal)
        return show(request, uuid, status=422, **{name: form})
    except Conflict as conflict:
        return show(request, uuid, status=409, conflict=conflict)
    return done_at(request, address(uuid), done)


@require_POST
@needs("promotions.withdraw", PromotionRequest, see=SEE)
def withdraw(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """End a request before it is used."""
    form = WithdrawForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    found = actions.withdraw(request_id=uuid, actor=request.user, reason=reason)
    return done_at(request, address(uuid), f"Request {found.number} withdrawn", kind="warn")


@require_POST
@needs("promotions.request", PromotionRequest, see=SEE)
def check(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Have the gates checked again."""
    actions.check_again(request_id=uuid, actor=request.user)
    return redirect_or_refresh(request, address(uuid))


@require_POST
@needs("promotions.comment", PromotionRequest, see=SEE)
def comment(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Comment on a request."""
    form = CommentForm(request.POST)
    if not form.is_valid():
        return show(request, uuid, status=422, comment_form=form)
    actions.comment(request_id=uuid, actor=request.user, **form.cleaned_data)
    return redirect_or_refresh(request, f"{address(uuid)}#discussion")


def show(request: SignedInRequest, uuid: UUID, *, status: int = 200, **more: Any) -> HttpResponse:
    """The page of a request, with whatever form was just refused."""
    context = page.context(request.user, uuid)
    seen = context["request_"].subject_digest
    forms = {
        "form": ApprovalForm(initial={"seen": seen}),
        "reject_form": DecisionForm(initial={"seen": seen}, prefix="reject"),
        "comment_form": CommentForm(),
        "asks_code": step_up.authenticator_app(request.user) is not None,
    }
    return respond(
        request, "registry/promotions/detail.html", "promotion", context | forms | more, status=status
    )


def address(uuid: UUID) -> str:
    """Where a request's page is."""
    return reverse("promotions:detail", args=[uuid])
