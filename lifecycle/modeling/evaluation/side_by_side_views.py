"""Pages of preference tests."""

from __future__ import annotations

from uuid import UUID

from django.forms import Form
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from lifecycle.modeling.evaluation import actions, queries, side_by_side_page
from lifecycle.modeling.evaluation.forms import OverlapForm, SideBySideForm
from lifecycle.modeling.evaluation.models import SideBySide
from lifecycle.runtime.refusals import Refused
from lifecycle.ui.respond import redirect_or_refresh, respond
from registry.ground.access.decorators import needs, signed_in
from registry.ground.access.requests import SignedInRequest


def field_errors(form: Form) -> dict[str, list[str]]:
    """Error messages by field."""
    return {name: [str(each) for each in errors] for name, errors in form.errors.items()}


@require_POST
@signed_in
def ask(request: SignedInRequest) -> HttpResponse:
    """Start a preference test of two evaluations."""
    user, form = request.user, SideBySideForm(request.POST)
    if not form.is_valid():
        raise Refused("The preference test wasn't started.", fields=field_errors(form))
    first, second = (queries.get_evaluation(user, form.cleaned_data[name]) for name in ("a", "b"))
    given = {name: form.cleaned_data[name] for name in ("pairs", "key")}
    made = actions.ask_people(first=first, second=second, actor=user, **given)
    return redirect_or_refresh(request, reverse("evaluation:side_by_side", args=[made.uuid]))


@require_safe
@needs("evaluation.view", SideBySide)
def side_by_side(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Its state, and the results once all pairs are resolved."""
    context = side_by_side_page.shown(request.user, queries.get_side(request.user, uuid))
    return respond(request, "lifecycle/modeling/evaluation/side_by_side.html", "side", context)


@require_POST
@needs("labeling.manage", SideBySide, see="evaluation.view")
def open_queue(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Open the queue of the pairs."""
    form = OverlapForm(request.POST)
    if not form.is_valid():
        raise Refused("The queue wasn't opened.", fields=field_errors(form))
    actions.open_side_by_side(side_id=uuid, actor=request.user, overlap=form.cleaned_data["overlap"])
    return redirect_or_refresh(request, reverse("evaluation:side_by_side", args=[uuid]))
