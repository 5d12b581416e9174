"""Proposals to change a guideline over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.datasets.models import Dataset
from datasets_app.schemas.actions.proposals import decline_proposal, propose_change, withdraw_proposal
from datasets_app.schemas.models.proposals import GuidelineProposal
from datasets_app.schemas.queries.proposals import readable_proposals
from datasets_app.schemas.queries.schemas import get_dataset
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View, chosen, read

PAGE = 30
STATES = GuidelineProposal.State.choices


class GuidelineProposalIn(serializers.Serializer[Any]):
    """What the guideline should say. classes: stable ids. item: the example. version: of the schema, by
    default the newest.
    """

    text = serializers.CharField(max_length=2000)
    classes = serializers.ListField(
        child=serializers.UUIDField(), required=False, default=list, max_length=20
    )
    item = serializers.UUIDField(required=False, allow_null=True, default=None)
    version = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1)


class GuidelineProposalOut(serializers.Serializer[GuidelineProposal]):
    """A proposal and its outcome. version: that it refers to; accepted_in: the version that includes it."""

    uuid = serializers.UUIDField()
    text = serializers.CharField()
    by = serializers.CharField(source="by.username")
    classes = serializers.JSONField()
    version = serializers.IntegerField(source="schema.version", allow_null=True, default=None)
    item = serializers.UUIDField(source="item.uuid", allow_null=True, default=None)
    state = serializers.ChoiceField(choices=STATES)
    answer = serializers.CharField()
    answered_at = serializers.DateTimeField(allow_null=True)
    accepted_in = serializers.IntegerField(source="accepted_in.version", allow_null=True, default=None)
    created_at = serializers.DateTimeField()


class ProposalPageOut(serializers.Serializer[Any]):
    """Up to 30 proposals, newest first. before: give it as ?before= to get the next page; null on the
    last.
    """

    results = GuidelineProposalOut(many=True)
    before = serializers.IntegerField(allow_null=True)


class DeclineIn(serializers.Serializer[Any]):
    """Why a proposal is declined."""

    answer = serializers.CharField(max_length=1000)


class Proposals(View):
    """Proposals to change the guideline of a dataset."""

    needs = {
        "GET": Needs("labeling.annotate", Dataset, "labeling.view"),
        "POST": Needs("labeling.annotate", Dataset, "labeling.view"),
    }

    @extend_schema(
        operation_id="labeling_proposals",
        responses=ProposalPageOut,
        parameters=[
            OpenApiParameter("state", str, enum=[state for state, _ in STATES]),
            OpenApiParameter("before", int),
        ],
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        """All proposals for those who manage labels; your own for everyone else."""
        dataset = get_dataset(request.user, uuid)
        rows = readable_proposals(dataset, request.user)
        rows = rows.filter(**chosen(request, state=("state", serializers.ChoiceField(choices=STATES))))
        before = request.query_params.get("before", "")
        found = list(
            (rows.filter(pk__lt=int(before)) if before.isdecimal() and len(before) < 19 else rows)[: PAGE + 1]
        )
        more = found[PAGE - 1].pk if len(found) > PAGE else None
        return Response(ProposalPageOut({"results": found[:PAGE], "before": more}).data)

    @extend_schema(
        operation_id="labeling_propose_change",
        request=GuidelineProposalIn,
        responses={201: GuidelineProposalOut},
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """Propose a change to the guideline."""
        data = read(GuidelineProposalIn, request.data)
        made = propose_change(
            dataset_id=uuid,
            actor=request.user,
            text=data["text"],
            classes=data["classes"],
            item_id=data["item"],
            version=data["version"],
        )
        return Response(GuidelineProposalOut(made).data, status=201)


class DeclineProposal(View):
    """Declining proposals."""

    needs = {"POST": Needs("labeling.manage", GuidelineProposal, "labeling.view")}

    @extend_schema(
        operation_id="labeling_decline_proposal", request=DeclineIn, responses=GuidelineProposalOut
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """Decline an open proposal, with a reason for its author."""
        data = read(DeclineIn, request.data)
        return Response(
            GuidelineProposalOut(
                decline_proposal(proposal_id=uuid, actor=request.user, answer=data["answer"])
            ).data
        )


class WithdrawProposal(View):
    """Withdrawing proposals."""

    needs = {"POST": Needs("labeling.annotate", GuidelineProposal, "labeling.view")}

    @extend_schema(operation_id="labeling_withdraw_proposal", request=None, responses=GuidelineProposalOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Withdraw your own open proposal."""
        return Response(GuidelineProposalOut(withdraw_proposal(proposal_id=uuid, actor=request.user)).data)


urlpatterns = [
    path("labeling/datasets/<uuid:uuid>/proposals/", Proposals.as_view(), name="api-labeling-proposals"),
    path(
        "labeling/proposals/<uuid:uuid>/decline/",
        DeclineProposal.as_view(),
        name="api-labeling-decline-proposal",
    ),
    path(
        "labeling/proposals/<uuid:uuid>/withdraw/",
        WithdrawProposal.as_view(),
        name="api-labeling-withdraw-proposal",
    ),
]
