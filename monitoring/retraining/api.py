"""Retraining over REST: the same actions and refusals as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.runtime.refusals import Refused
from monitoring.retraining import actions
from monitoring.retraining.actions.consider import weigh
from monitoring.retraining.models import Proposal, Trigger
from monitoring.retraining.queries import proposals as proposal_queries
from monitoring.retraining.queries import triggers as trigger_queries
from monitoring.retraining.rules import LIMITS, REASON_MAX, Kind, Outcome, Start, State, Step
from registry.catalog.models import Endpoint
from registry.ground.access import policy
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import RowOut, methods, operation, page_out

SEE = "retraining.view"


def number(name: str, **more: Any) -> serializers.IntegerField:
    """One of the limits."""
    limit = LIMITS[name]
    return serializers.IntegerField(min_value=limit.low, max_value=limit.high, help_text=limit.help, **more)


class ReasonOut(serializers.Serializer[Any]):
    """One fact for or against. blocks: triggers don't propose while it is true. stops: no one can propose."""

    code = serializers.CharField()
    fact = serializers.CharField()
    value = serializers.CharField()
    evidence = serializers.CharField(help_text="a path on this site, or empty")
    blocks = serializers.BooleanField()
    stops = serializers.BooleanField()


class RetrainedComparisonOut(serializers.Serializer[Any]):
    """The new model against the live one on the same rows. verdict: better, unclear, worse or
    incomparable.
    """

    verdict = serializers.CharField()
    why = serializers.CharField()
    rows = serializers.IntegerField(required=False)
    metrics = serializers.DictField(
        required=False, help_text="by name: difference (positive: better), low, high, verdict"
    )


class RetrainingProposalOut(RowOut[Proposal]):
    """A proposal. Null: the step that creates the object hasn't run."""

    live = serializers.UUIDField(source="live.uuid", help_text="the version to beat")
    trigger = serializers.ChoiceField(
        choices=Kind.choices,
        source="trigger.kind",
        default=None,
        allow_null=True,
        help_text="null: proposed by a person",
    )
    reasons_for = ReasonOut(many=True)
    reasons_against = ReasonOut(many=True)
    start = serializers.ChoiceField(choices=Start.choices, help_text="base: as the live version; live: it")
    state = serializers.ChoiceField(choices=State.choices)
    outcome = serializers.ChoiceField(choices=Outcome.choices, allow_blank=True)
    step = serializers.ChoiceField(
        choices=Step.choices, allow_null=True, help_text="the current step, or the last one if it has ended"
    )
    blocked_by = serializers.CharField(help_text="what the step is waiting for")
    dataset_version = serializers.UUIDField(source="snapshot.uuid", default=None, allow_null=True)
    comparison = RetrainedComparisonOut(allow_null=True)

    class Meta:
        model = Proposal
        fields = [
            "uuid", "number", "endpoint", "live", "start", "trigger", "proposed_by", "note", "reasons_for",
            "reasons_against", "state", "outcome", "step", "blocked_by", "failure", "failure_step",
            "labels_new", "min_labels", "queue", "items", "collect_note", "dataset_version", "run",
            "evaluation", "live_evaluation", "comparison", "version", "promotion", "created_at", "ended_at",
        ]  # fmt: skip


class RetrainingProposalDetailOut(RetrainingProposalOut):
    """A proposal with what a decision is bound to."""

    seen = serializers.CharField(
        help_text="send it when you approve or decline; 409 if something changed since"
    )


class RetrainingFilterIn(serializers.Serializer[Any]):
    """Which proposals."""

    endpoint = serializers.UUIDField(required=False)
    state = serializers.ChoiceField(choices=State.choices, required=False)
    before = serializers.IntegerField(required=False, min_value=1)


class ProposeIn(serializers.Serializer[Any]):
    """A person's own proposal."""

    endpoint = serializers.UUIDField()
    note = serializers.CharField(max_length=REASON_MAX, allow_blank=True, default="")
    window_days = number("window_days", required=False)
    queue_items = number("queue_items", required=False)
    overlap = number("overlap", required=False)
    min_labels = number("min_labels", required=False)
    start = serializers.ChoiceField(choices=Start.choices, default=Start.BASE)


class RetrainingDecisionIn(serializers.Serializer[Any]):
    """seen: from the proposal as you read it."""

    seen = serializers.CharField(max_length=64)
    reason = serializers.CharField(max_length=REASON_MAX, allow_blank=True, default="")


class RetrainingReasonIn(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(max_length=REASON_MAX)


class RetrainingVerdictOut(serializers.Serializer[Any]):
    """Whether a proposal is possible now, with all reasons for and against."""

    possible = serializers.BooleanField()
    reasons_for = ReasonOut(many=True)
    reasons_against = ReasonOut(many=True)


class TriggerIn(serializers.Serializer[Any]):
    """One kind of trigger; numbers that are left out keep their value."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    enabled = serializers.BooleanField()
    threshold = serializers.FloatField(help_text="PSI, share of accuracy, labels or days, by kind")
    cooldown_days = number("cooldown_days", required=False)
    min_labels = number("min_labels", required=False)
    window_days = number("window_days", required=False)
    queue_items = number("queue_items", required=False)
    overlap = number("overlap", required=False)
    budget = number("budget", required=False)
    start = serializers.ChoiceField(choices=Start.choices, required=False)
    seen = serializers.CharField(
        max_length=64, required=False, help_text="from the list; 409 if someone changed them since"
    )


class TriggerOut(RowOut[Trigger]):
    """A trigger's settings, and the result of its last check."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    start = serializers.ChoiceField(choices=Start.choices)

    class Meta:
        model = Trigger
        fields = [
            "uuid",
            "kind",
            "enabled",
            "threshold",
            "cooldown_days",
            "min_labels",
            "window_days",
            "queue_items",
            "overlap",
            "budget",
            "start",
            "author",
            "set_at",
            "verdict",
        ]


class TriggersOut(serializers.Serializer[Any]):
    """Triggers of an endpoint that have been set."""

    results = TriggerOut(many=True)
    seen = serializers.CharField()


@operation(
    "GET",
    "retraining_list",
    Needs("signed_in"),
    takes=RetrainingFilterIn,
    gives=page_out(RetrainingProposalOut, proposal_queries.PAGE, "proposals"),
)
def proposals(request: Request, given: dict[str, Any]) -> object:
    """List proposals, newest first."""
    return proposal_queries.page_of(request.user, **given)


@operation(
    "POST", "retraining_propose", Needs("signed_in"), takes=ProposeIn, gives=RetrainingProposalOut, status=201
)
def propose(request: Request, given: dict[str, Any]) -> object:
    """Propose a retraining."""
    endpoint = policy.visible_to(request.user, Endpoint, SEE).filter(uuid=given.pop("endpoint")).first()
    if endpoint is None:
        raise Refused(
            "Endpoint not found.", fields={"endpoint": ["Give the uuid of an endpoint you can see."]}
        )
    return actions.propose(endpoint_id=endpoint.uuid, actor=request.user, **given)


@operation("GET", "retraining_read", Needs(SEE, Proposal), gives=RetrainingProposalDetailOut)
def one_proposal(request: Request, uuid: UUID) -> Response:
    """Get a proposal with the digest that a decision is bound to."""
    return Response(shown(request.user, uuid))


@operation(
    "POST",
    "retraining_approve",
    Needs("retraining.decide", Proposal, SEE),
    takes=RetrainingDecisionIn,
    gives=RetrainingProposalDetailOut,
    scope=None,
)
def approve(request: Request, uuid: UUID, given: dict[str, Any]) -> Response:
    """Approve: the proposal continues up to a promotion request."""
    actions.approve(proposal_id=uuid, actor=request.user, **given)
    return Response(shown(request.user, uuid))


@operation(
    "POST",
    "retraining_decline",
    Needs("retraining.decide", Proposal, SEE),
    takes=RetrainingDecisionIn,
    gives=RetrainingProposalDetailOut,
    scope=None,
)
def decline(request: Request, uuid: UUID, given: dict[str, Any]) -> Response:
    """Decline with a reason."""
    actions.decline(proposal_id=uuid, actor=request.user, **given)
    return Response(shown(request.user, uuid))


@operation(
    "POST",
    "retraining_collect",
    Needs("traffic.read_texts", Proposal, SEE),
    gives=RetrainingProposalDetailOut,
)
def collect(request: Request, uuid: UUID) -> Response:
    """Copy the texts into the dataset in your name, if no one responsible for the proposal can read them."""
    actions.collect_texts(proposal_id=uuid, actor=request.user)
    return Response(shown(request.user, uuid))


@operation(
    "POST",
    "retraining_withdraw",
    Needs("retraining.propose", Proposal, SEE),
    takes=RetrainingReasonIn,
    gives=RetrainingProposalDetailOut,
)
def withdraw(request: Request, uuid: UUID, given: dict[str, Any]) -> Response:
    """Withdraw: stops its training and withdraws its open promotion."""
    actions.withdraw(proposal_id=uuid, actor=request.user, **given)
    return Response(shown(request.user, uuid))


@operation(
    "POST",
    "retraining_retry",
    Needs("retraining.decide", Proposal, SEE),
    gives=RetrainingProposalDetailOut,
    scope=None,
)
def retry(request: Request, uuid: UUID) -> Response:
    """Retry the failed step."""
    actions.retry(proposal_id=uuid, actor=request.user)
    return Response(shown(request.user, uuid))


@operation(
    "POST",
    "retraining_override",
    Needs("retraining.decide", Proposal, SEE),
    takes=RetrainingReasonIn,
    gives=RetrainingProposalDetailOut,
    scope=None,
)
def override(request: Request, uuid: UUID, given: dict[str, Any]) -> Response:
    """Request promotion although the new model isn't better."""
    actions.override(proposal_id=uuid, actor=request.user, **given)
    return Response(shown(request.user, uuid))


@operation("GET", "retraining_consider", Needs(SEE, Endpoint), gives=RetrainingVerdictOut)
def consider(request: Request, uuid: UUID) -> Response:
    """Evaluate the reasons now. Changes nothing."""
    endpoint = Endpoint.objects.select_related("model__project").get(uuid=uuid)
    found = weigh(endpoint, {name: limit.default for name, limit in LIMITS.items()}, timezone.now())
    reasons = found.as_json()
    return Response(
        {"possible": found.yes, "reasons_for": reasons["for"], "reasons_against": reasons["against"]}
    )


@operation("GET", "retraining_triggers", Needs(SEE, Endpoint), gives=TriggersOut)
def triggers(request: Request, uuid: UUID) -> Response:
    """List triggers that have been set."""
    return Response(triggers_of(Endpoint.objects.get(uuid=uuid)))


@operation(
    "PUT",
    "retraining_set_trigger",
    Needs("retraining.manage", Endpoint, SEE),
    takes=TriggerIn,
    gives=TriggersOut,
)
def set_trigger(request: Request, uuid: UUID, given: dict[str, Any]) -> Response:
    """Set a trigger."""
    actions.set_trigger(endpoint_id=uuid, actor=request.user, **given)
    return Response(triggers_of(Endpoint.objects.get(uuid=uuid)))


def triggers_of(endpoint: Endpoint) -> dict[str, Any]:
    """The triggers of an endpoint with what a change is bound to."""
    rows = endpoint.triggers.select_related("author").order_by("kind")
    return {"results": TriggerOut(rows, many=True).data, "seen": trigger_queries.settings_seen(endpoint)}


def shown(user: Any, uuid: UUID) -> dict[str, Any]:
    """A proposal as it is now."""
    proposal = proposal_queries.full(user, uuid)
    return RetrainingProposalOut(proposal).data | {
        "seen": proposal_queries.seen_digest(proposal, proposal.endpoint.alias)
    }


urlpatterns = [
    path("retraining/", methods(proposals, propose), name="api-retraining"),
    path("retraining/<uuid:uuid>/", one_proposal, name="api-retraining-proposal"),
    path("retraining/<uuid:uuid>/approve/", approve, name="api-retraining-approve"),
    path("retraining/<uuid:uuid>/decline/", decline, name="api-retraining-decline"),
    path("retraining/<uuid:uuid>/collect/", collect, name="api-retraining-collect"),
    path("retraining/<uuid:uuid>/withdraw/", withdraw, name="api-retraining-withdraw"),
    path("retraining/<uuid:uuid>/retry/", retry, name="api-retraining-retry"),
    path("retraining/<uuid:uuid>/override/", override, name="api-retraining-override"),
    path("endpoints/<uuid:uuid>/retraining/consider/", consider, name="api-retraining-consider"),
    path(
        "endpoints/<uuid:uuid>/retraining/triggers/",
        methods(triggers, set_trigger),
        name="api-retraining-triggers",
    ),
]
