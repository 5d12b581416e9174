"""Proposals to change a guideline over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework import serializers

from datasets_app.datasets.models import Dataset
from datasets_app.schemas.actions import proposals as actions
from datasets_app.schemas.models.proposals import GuidelineProposal
from datasets_app.schemas.queries.proposals import readable_proposals
from datasets_app.schemas.queries.schemas import get_dataset
from lifecycle.ui import paging
from lifecycle.ui.addresses import key_in
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, methods, operation, page_out

PAGE = 30
STATES = GuidelineProposal.State.choices


class GuidelineProposalIn(serializers.Serializer[Any]):
    """What the guideline should say. labels: stable ids. item: the example. version: of the schema, by
    default the newest.
    """

    text = serializers.CharField(max_length=2000)
    labels = serializers.ListField(child=serializers.UUIDField(), required=False, default=list, max_length=20)
    item = serializers.UUIDField(required=False, allow_null=True, default=None)
    version = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1)


class GuidelineProposalOut(serializers.Serializer[GuidelineProposal]):
    """A proposal and its outcome. version: that it refers to; accepted_in: the version that includes it."""

    uuid = serializers.UUIDField()
    text = serializers.CharField()
    by = serializers.CharField(source="by.username")
    labels = serializers.JSONField()
    version = serializers.IntegerField(source="schema.version", allow_null=True, default=None)
    item = serializers.UUIDField(source="item.uuid", allow_null=True, default=None)
    state = serializers.ChoiceField(choices=STATES)
    reason = serializers.CharField()
    closed_at = serializers.DateTimeField(allow_null=True)
    accepted_in = serializers.IntegerField(source="accepted_in.version", allow_null=True, default=None)
    created_at = serializers.DateTimeField()


class DeclineIn(serializers.Serializer[Any]):
    """Why a proposal is declined."""

    reason = serializers.CharField(max_length=1000)


ANNOTATE = Needs("labeling.annotate", Dataset, "labeling.view")


@operation(
    "GET",
    "labeling_proposals",
    ANNOTATE,
    gives=page_out(GuidelineProposalOut, PAGE, "proposals", name="ProposalPageOut"),
    filters={"state": ("state", serializers.ChoiceField(choices=STATES))},
)
def proposals(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """List all proposals as a label manager, else your own."""
    rows = readable_proposals(get_dataset(request.user, uuid), request.user).filter(**given)
    return paging.page(rows, key_in(request.query_params), PAGE)


@operation(
    "POST",
    "labeling_propose_change",
    ANNOTATE,
    takes=GuidelineProposalIn,
    gives=GuidelineProposalOut,
    status=201,
)
def propose(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Propose a change to the guideline."""
    return actions.propose_change(dataset_id=uuid, actor=request.user, item_id=given.pop("item"), **given)


@operation(
    "POST",
    "labeling_decline_proposal",
    Needs("labeling.manage", GuidelineProposal, "labeling.view"),
    takes=DeclineIn,
    gives=GuidelineProposalOut,
)
def decline(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Decline an open proposal, with a reason for its author."""
    return actions.decline_proposal(proposal_id=uuid, actor=request.user, **given)


@operation(
    "POST",
    "labeling_withdraw_proposal",
    Needs("labeling.annotate", GuidelineProposal, "labeling.view"),
    gives=GuidelineProposalOut,
)
def withdraw(request: Request, uuid: UUID) -> object:
    """Withdraw your own open proposal."""
    return actions.withdraw_proposal(proposal_id=uuid, actor=request.user)


urlpatterns = [
    path(
        "labeling/datasets/<uuid:uuid>/proposals/",
        methods(proposals, propose),
        name="api-labeling-proposals",
    ),
    path("labeling/proposals/<uuid:uuid>/decline/", decline, name="api-labeling-decline-proposal"),
    path("labeling/proposals/<uuid:uuid>/withdraw/", withdraw, name="api-labeling-withdraw-proposal"),
]
