"""Promotions over REST. Programs may request, withdraw, and comment; only people who are signed in approve
and reject, never a token.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from lifecycle.ui import paging
from lifecycle.ui.addresses import key_in
from registry.catalog.models import Endpoint, ModelVersion
from registry.ground.access import policy
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import (
    IS_NUMBER,
    IS_UUID,
    Filters,
    Request,
    RowOut,
    methods,
    operation,
    page_out,
)
from registry.promotions import actions, fates, plans, queries
from registry.promotions.models import PromotionRequest
from registry.promotions.plans import (
    ALPHAS,
    MAX_ALPHA,
    MAX_MARGIN,
    MAX_RATIO,
    MAX_SHARE,
    MAX_WARM_UP,
    MIN_ALPHA,
    RATE_RATIOS,
)
from registry.promotions.rules import REASON_MAX, Status

SEE = "promotions.view"
FILTERS: Filters = {"project": ("endpoint__model__project__uuid", IS_UUID), "number": ("number", IS_NUMBER)}

DEFAULT = plans.Plan()


class PlanIn(serializers.Serializer[Any]):
    """A rollout's rule. Shares are out of 10,000; margin and rise are from 0 to 1."""

    steps = serializers.ListField(
        child=serializers.IntegerField(),
        default=list(DEFAULT.steps),
        help_text=f"rising, ending at 10,000; the one before at most {MAX_SHARE:,}",
    )
    min_requests = serializers.IntegerField(
        default=DEFAULT.min_requests, help_text="canary requests, counting one per sticky key and minute"
    )
    min_minutes = serializers.IntegerField(default=DEFAULT.min_minutes, help_text="at each step")
    margin = serializers.FloatField(
        default=DEFAULT.margin,
        help_text=f"for the upper bound of the error-rate increase; at most {MAX_MARGIN:g}",
    )
    wrong_margin = serializers.FloatField(
        default=None,
        allow_null=True,
        help_text=(
            f"likewise for wrong predictions, among those with feedback; at most {MAX_MARGIN:g}; null: no"
            " bound"
        ),
    )
    shadow_disagreement = serializers.FloatField(
        default=None,
        allow_null=True,
        help_text=(
            "upper bound of the share of the version's shadow predictions that differ from what clients got; "
            f"at most {plans.MAX_DISAGREEMENT:g}; null: no bound"
        ),
    )
    rise = serializers.FloatField(
        default=DEFAULT.rise, help_text="error-rate increase to detect with 80 % power"
    )
    max_hours = serializers.IntegerField(
        default=DEFAULT.max_hours, help_text="maximum per step; then it's on hold"
    )
    automatic = serializers.BooleanField(default=True, help_text="false: someone confirms each step")
    warm_up = serializers.IntegerField(
        default=DEFAULT.warm_up,
        help_text=f"first canary requests, which don't count; at most {MAX_WARM_UP:,}",
    )
    alphas = serializers.DictField(
        child=serializers.FloatField(),
        default=dict(ALPHAS),
        help_text=(
            f"errors, slow, wrong: chance of a false rollback; each at least {MIN_ALPHA:g}, at most"
            f" {MAX_ALPHA:g} in total"
        ),
    )
    rate_ratios = serializers.DictField(
        child=serializers.FloatField(),
        default=dict(RATE_RATIOS),
        help_text=(
            f"errors, slow, wrong: largest harmless multiple of the stable version's rate, 1 to {MAX_RATIO:g}"
        ),
    )
    tau = serializers.FloatField(
        default=DEFAULT.tau, help_text="size of difference the test is most sensitive to"
    )


class PromotionPlanIn(PlanIn):
    """How the version gets traffic. kind canary: the rule's fields; kind share: one fixed share out of
    10,000, changed manually.
    """

    kind = serializers.ChoiceField(choices=plans.Kind.choices)
    share = serializers.IntegerField(
        required=False, min_value=1, max_value=MAX_SHARE, help_text="out of 10,000, for kind share"
    )

    def to_internal_value(self, data: Any) -> Any:
        """The plan. A field of another kind is refused: it would have no effect."""
        given = super().to_internal_value(data)
        fits = {
            plans.Kind.AT_ONCE: set(),
            plans.Kind.SHARE: {"share"},
            plans.Kind.CANARY: set(PlanIn().fields),
        }[given["kind"]]
        if strange := sorted(set(data) & set(self.fields) - fits - {"kind"}):
            raise serializers.ValidationError(
                {name: [f"A plan of kind {given['kind']} has no {name}."] for name in strange}
            )
        return given


class RequestIn(serializers.Serializer[Any]):
    """A new request."""

    version = serializers.UUIDField()
    endpoint = serializers.UUIDField()
    note = serializers.CharField(max_length=REASON_MAX, allow_blank=True, default="")
    plan = PromotionPlanIn(
        default=lambda: dict(plans.AT_ONCE),
        help_text="default: all traffic at once; part of what is approved",
    )


class GateOut(serializers.Serializer[Any]):
    """One gate's result."""

    gate = serializers.CharField()
    title = serializers.CharField()
    status = serializers.CharField()
    blocking = serializers.BooleanField()
    value = serializers.CharField()
    threshold = serializers.CharField()
    evidence = serializers.CharField()
    source = serializers.CharField()


class PromotionVerdictOut(serializers.Serializer[Any]):
    """One reviewer's decision."""

    step = serializers.CharField()
    reviewer = serializers.UUIDField(source="reviewer.uuid")
    approves = serializers.BooleanField()
    reason = serializers.CharField()
    subject_digest = serializers.CharField()
    created_at = serializers.DateTimeField()


class FateOut(serializers.Serializer[fates.Fate]):
    """What happened to the version after deployment."""

    word = serializers.CharField(help_text="Live, Canary, Rolled back, Aborted, Replaced, Ended")
    text = serializers.CharField(help_text="why, in a sentence")
    at = serializers.DateTimeField(help_text="start of this state")
    by = serializers.UUIDField(
        source="by.uuid", default=None, allow_null=True, help_text="who ended it; null: the system"
    )
    serves = serializers.BooleanField(help_text="whether it's still getting traffic")
    deployed_by = serializers.UUIDField(source="deployed_by.uuid", default=None, allow_null=True)


class RequestOut(RowOut[PromotionRequest]):
    """A promotion request with its evidence."""

    project = serializers.UUIDField(source="endpoint.model.project.uuid")
    status = serializers.ChoiceField(choices=Status.choices)
    plan = serializers.JSONField(help_text="how the version gets traffic; part of what is approved")
    comparison = serializers.JSONField(
        allow_null=True,
        help_text=(
            "with the live version; in measures and worst, difference, low and high are signed so that"
            " positive is better for this version, whatever the score, as the live gate reads them; pages"
            " show this version minus the live one. clusters: how many groups of near duplicates the rows"
            " come in, each of which the gate takes as one; absent where there are none. evenness: how many"
            " labels the rows have, and how many rows the rarest of them, by which the gate takes macro-F1"
        ),
    )
    gates = serializers.SerializerMethodField()
    fate = serializers.SerializerMethodField()
    verdicts = PromotionVerdictOut(many=True)

    class Meta:
        model = PromotionRequest
        fields = [
            "uuid", "project", "number", "status", "version", "endpoint", "policy", "baseline", "requester",
            "note", "plan", "reason", "subject", "subject_digest", "comparison", "gates", "fate", "verdicts",
            "created_at", "checked_at", "due_at", "expires_at", "closed_at",
        ]  # fmt: skip

    @extend_schema_field(GateOut(many=True))
    def get_gates(self, request: PromotionRequest) -> list[dict[str, Any]]:
        """The results of the newest check."""
        rows = request.gates.filter(check_number=request.checks).order_by("pk")
        return list(GateOut(rows, many=True).data)

    @extend_schema_field(FateOut(allow_null=True))
    def get_fate(self, request: PromotionRequest) -> Any:
        """What happened to the version; null if it wasn't deployed."""
        found = fates.of(request)
        return FateOut(found).data if found else None


class PromotionLineOut(RowOut[PromotionRequest]):
    """A request in a list."""

    project = serializers.UUIDField(source="endpoint.model.project.uuid")
    status = serializers.ChoiceField(choices=Status.choices)

    class Meta:
        model = PromotionRequest
        fields = ["uuid", "project", "number", "status", "version", "endpoint", "created_at", "due_at"]


class DecisionIn(serializers.Serializer[Any]):
    """A decision. seen: the subject digest the reviewer saw. code: from the authenticator app, if the person
    has one.
    """

    reason = serializers.CharField(max_length=REASON_MAX)
    password = serializers.CharField(max_length=4096, trim_whitespace=False, write_only=True)
    code = serializers.CharField(max_length=20, allow_blank=True, default="", write_only=True)
    seen = serializers.CharField(max_length=64)


class WithdrawIn(serializers.Serializer[Any]):
    """A reason."""

    reason = serializers.CharField(max_length=REASON_MAX)


class PromotionCommentIn(serializers.Serializer[Any]):
    """A comment."""

    text = serializers.CharField(max_length=REASON_MAX)


class PromotionCommentOut(serializers.Serializer[Any]):
    """A comment."""

    uuid = serializers.UUIDField()
    author = serializers.UUIDField(source="author.uuid")
    text = serializers.CharField()
    created_at = serializers.DateTimeField()


@operation(
    "GET",
    "promotions_list",
    Needs("signed_in"),
    gives=page_out(PromotionLineOut, queries.PAGE, "requests", name="RequestPageOut"),
    filters=FILTERS,
)
def promotions(request: Request, given: dict[str, Any]) -> object:
    """List promotion requests, newest first; filter by project or number."""
    rows = queries.visible(request.user).prefetch_related(None).filter(**given)
    return paging.page(rows, key_in(request.query_params), queries.PAGE)


@operation("POST", "promotions_request", Needs("signed_in"), takes=RequestIn, gives=RequestOut, status=201)
def request_promotion(request: Request, given: dict[str, Any]) -> Response:
    """Request promotion. The gates run right away, in a job."""
    version = policy.get_visible(request.user, ModelVersion, "catalog.view", uuid=given["version"])
    endpoint = policy.get_visible(request.user, Endpoint, "catalog.view", uuid=given["endpoint"])
    made = actions.request(
        version=version, endpoint=endpoint, note=given["note"], plan=given["plan"], actor=request.user
    )
    return answer(request, made.uuid, 201)


@operation("GET", "promotions_read", Needs(SEE, PromotionRequest), gives=RequestOut)
def one_promotion(request: Request, uuid: UUID) -> Response:
    """Get a request with its gates, comparison, decisions, and subject."""
    return answer(request, uuid)


@operation(
    "POST",
    "promotions_approve",
    Needs("promotions.approve", PromotionRequest, SEE),
    takes=DecisionIn,
    gives=RequestOut,
    scope=None,
)
def approve(request: Request, uuid: UUID, given: dict[str, Any]) -> Response:
    """Approve the next step. Returns 409 if the subject changed since `seen`."""
    actions.approve(request_id=uuid, actor=request.user, **given)
    return answer(request, uuid)


@operation(
    "POST",
    "promotions_reject",
    Needs("promotions.reject", PromotionRequest, SEE),
    takes=DecisionIn,
    gives=RequestOut,
    scope=None,
)
def reject(request: Request, uuid: UUID, given: dict[str, Any]) -> Response:
    """Reject a request or revoke an unused approval. The reason is required and kept."""
    actions.reject(request_id=uuid, actor=request.user, **given)
    return answer(request, uuid)


@operation(
    "POST",
    "promotions_withdraw",
    Needs("promotions.withdraw", PromotionRequest, SEE),
    takes=WithdrawIn,
    gives=RequestOut,
)
def withdraw(request: Request, uuid: UUID, given: dict[str, Any]) -> Response:
    """Withdraw your own request, or any as an ML lead."""
    actions.withdraw(request_id=uuid, actor=request.user, **given)
    return answer(request, uuid)


@operation(
    "POST",
    "promotions_check",
    Needs("promotions.request", PromotionRequest, SEE),
    gives=RequestOut,
    status=202,
)
def check(request: Request, uuid: UUID) -> Response:
    """Re-run a draft's gates, in a job."""
    actions.check_again(request_id=uuid, actor=request.user)
    return answer(request, uuid, 202)


@operation(
    "GET", "promotion_comments_list", Needs(SEE, PromotionRequest), gives=PromotionCommentOut(many=True)
)
def comments(request: Request, uuid: UUID) -> object:
    """List comments, oldest first."""
    found = PromotionRequest.objects.get(uuid=uuid)
    return found.comments.select_related("author").order_by("pk")


@operation(
    "POST",
    "promotions_comment",
    Needs("promotions.comment", PromotionRequest, SEE),
    takes=PromotionCommentIn,
    gives=PromotionCommentOut,
    status=201,
)
def comment(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Add a comment."""
    return actions.comment(request_id=uuid, actor=request.user, **given)


def answer(request: Request, uuid: UUID, status: int = 200) -> Response:
    """A request as it is now."""
    return Response(RequestOut(queries.visible(request.user).get(uuid=uuid)).data, status=status)


urlpatterns = [
    path("promotions/", methods(promotions, request_promotion), name="api-promotions"),
    path("promotions/<uuid:uuid>/", one_promotion, name="api-promotion"),
    path("promotions/<uuid:uuid>/approve/", approve, name="api-promotion-approve"),
    path("promotions/<uuid:uuid>/reject/", reject, name="api-promotion-reject"),
    path("promotions/<uuid:uuid>/withdraw/", withdraw, name="api-promotion-withdraw"),
    path("promotions/<uuid:uuid>/check/", check, name="api-promotion-check"),
    path("promotions/<uuid:uuid>/comments/", methods(comments, comment), name="api-promotion-comments"),
]
