"""Proposals to change the guideline, on the label page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from datasets_app.datasets.models import Dataset
from datasets_app.schemas.actions import proposals
from datasets_app.schemas.forms.proposals import DeclineForm
from datasets_app.schemas.models.proposals import GuidelineProposal
from datasets_app.schemas.queries.proposals import open_proposals, own_proposals, shown
from lifecycle.ui.forms import cleaned
from lifecycle.ui.toasts import toast
from registry.ground.access import policy
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest


@require_POST
@needs("labeling.manage", GuidelineProposal, see="labeling.view")
def decline_proposal(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Decline a proposal with a reason."""
    data = cleaned(DeclineForm(request.POST))
    declined = proposals.decline_proposal(proposal_id=uuid, actor=request.user, reason=data["reason"])
    toast(request, "Proposal declined; its author is notified", kind="live")
    return HttpResponseRedirect(reverse("schemas:schema", args=[declined.dataset.uuid]))


@require_POST
@needs("labeling.annotate", GuidelineProposal, see="labeling.view")
def withdraw_proposal(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Withdraw one's own proposal."""
    withdrawn = proposals.withdraw_proposal(proposal_id=uuid, actor=request.user)
    toast(request, "Proposal withdrawn")
    return HttpResponseRedirect(reverse("schemas:schema", args=[withdrawn.dataset.uuid]))


def on_schema_page(request: SignedInRequest, dataset: Dataset, *, may_manage: bool) -> dict[str, Any]:
    """The proposals on the label page: open ones for label managers, their own for everyone else."""
    rows = list(open_proposals(dataset)) if may_manage else []
    own = [row for row in own_proposals(dataset, request.user) if row not in rows]
    return {
        "proposals": shown(dataset, rows, request.user),
        "own_proposals": shown(dataset, own, request.user),
        "may_propose": policy.can(request.user, "labeling.annotate", dataset),
    }
