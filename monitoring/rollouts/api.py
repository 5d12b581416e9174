"""Rollouts over REST: the same actions and refusals as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.runtime.refusals import Refused
from monitoring.rollouts import actions, rules
from monitoring.rollouts.models import Look, Rollout
from monitoring.rollouts.queries import chart_data, evidence
from monitoring.rollouts.queries import rollouts as rollout_queries
from registry.catalog.models import Endpoint, ModelVersion
from registry.ground.access import policy
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import BEFORE, RowOut, methods, operation, page_out, read
from registry.promotions.api import PlanIn
from registry.promotions.models import PromotionRequest

SEE = "rollouts.view"


class StartIn(serializers.Serializer[Any]):
    """The approval to use."""

    request = serializers.UUIDField()


class ForecastIn(PlanIn):
    """A plan, and optionally the version, so that the forecast includes its shadow results."""

    version = serializers.UUIDField(required=False)


class SeenIn(serializers.Serializer[Any]):
    """seen: the rollout's `moves` as you read it; 409 if it changed since."""

    seen = serializers.IntegerField(min_value=0)


class WidenIn(SeenIn):
    """reason: required unless the rule would widen too."""

    reason = serializers.CharField(max_length=rules.REASON_MAX, allow_blank=True, default="")


class AbortIn(SeenIn):
    """The reason, and the version that gets all traffic."""

    reason = serializers.CharField(max_length=rules.REASON_MAX)
    typed = serializers.CharField(max_length=40)


class SideOut(serializers.Serializer[Any]):
    """Counts of one arm. units: one per sticky key and minute; the rest: units with at least one such
    request.
    """

    requests = serializers.IntegerField()
    units = serializers.IntegerField()
    errors = serializers.IntegerField()
    slow = serializers.IntegerField()
    wrong = serializers.IntegerField()


class ConditionOut(serializers.Serializer[Any]):
    """One line of the rule. word: holds, open, close, fails, not measured; stops: it rolls the canary
    back.
    """

    title = serializers.CharField()
    now = serializers.CharField()
    word = serializers.CharField()
    stops = serializers.BooleanField()


class RolloutOut(RowOut[Rollout]):
    """A rollout."""

    semver = serializers.CharField(source="version.semver")
    baseline_semver = serializers.CharField(source="baseline.semver", help_text="type this version to abort")
    plan = PlanIn(source="rule")
    state = serializers.ChoiceField(choices=rules.State.choices)
    share = serializers.IntegerField(help_text="of 10,000")
    moves = serializers.IntegerField(help_text="send it as `seen`")
    reason = serializers.CharField(help_text="why it's on hold or ended")
    ended_by = serializers.UUIDField(
        source="ended_by.uuid", default=None, allow_null=True, help_text="null: the rule or a server's guard"
    )

    class Meta:
        model = Rollout
        fields = [
            "uuid",
            "endpoint",
            "version",
            "semver",
            "baseline",
            "baseline_semver",
            "request",
            "plan",
            "state",
            "share",
            "moves",
            "step_started_at",
            "reason",
            "started_at",
            "started_by",
            "ended_at",
            "ended_by",
        ]


class RolloutDetailOut(RolloutOut):
    """A rollout with the rule's current decision."""

    decision = serializers.ChoiceField(choices=rules.Kind.choices)
    why = serializers.CharField()
    next_share = serializers.IntegerField()
    canary = SideOut()
    stable = SideOut()
    e_values = serializers.DictField(
        child=serializers.FloatField(), help_text="natural logarithms, keys: errors, slow, wrong"
    )
    conditions = ConditionOut(many=True)


class LookOut(RowOut[Look]):
    """A check of the rule and its decision. Counts are of the step, evidence is of the whole rollout."""

    share = serializers.IntegerField(source="segment.share")
    canary = SideOut(source="counts.canary")
    stable = SideOut(source="counts.stable")
    e_values = serializers.DictField(
        source="log_e", child=serializers.FloatField(), help_text="natural logarithms"
    )
    difference = serializers.FloatField(
        allow_null=True, help_text="null: fewer than 100 requests or 30 sticky keys on an arm"
    )

    class Meta:
        model = Look
        fields = [
            "at",
            "share",
            "canary",
            "stable",
            "e_values",
            "difference",
            "low",
            "high",
            "decision",
            "why",
        ]


class RolloutFilterIn(serializers.Serializer[Any]):
    """Which rollouts."""

    endpoint = serializers.UUIDField(required=False)
    state = serializers.ChoiceField(choices=rules.State.choices, required=False)
    before = serializers.IntegerField(required=False, min_value=1)


class StepForecastOut(serializers.Serializer[Any]):
    """One step. needed: canary requests until it can widen with 80 % power, if the canary is as good; null:
    never.
    """

    share = serializers.IntegerField()
    per_hour = serializers.FloatField()
    needed = serializers.IntegerField(allow_null=True)
    hours = serializers.FloatField(allow_null=True)


class ForecastOut(serializers.Serializer[Any]):
    """Forecast for a plan at current traffic. problem: why it can't start; empty if it can.

    caution: a warning that doesn't prevent the start; empty if there is none.
    """

    requests_per_hour = serializers.FloatField(source="traffic.per_hour")
    customers = serializers.IntegerField(
        source="traffic.customers", help_text="sticky keys of the last day, in its last 10,000 predictions"
    )
    error_share = serializers.FloatField(source="traffic.error_share")
    steps = StepForecastOut(many=True)
    hours = serializers.FloatField(
        allow_null=True, help_text="hours to all traffic with 80 % power, if the canary is as good"
    )
    detect_requests = serializers.IntegerField(
        allow_null=True, help_text="canary requests to detect the stated rise with 80 % power"
    )
    detect_hours = serializers.FloatField(allow_null=True)
    problem = serializers.CharField()
    caution = serializers.CharField()


@operation(
    "GET",
    "rollouts_list",
    Needs("signed_in"),
    takes=RolloutFilterIn,
    gives=page_out(RolloutOut, rollout_queries.PAGE, "rollouts"),
)
def rollouts(request: Request, given: dict[str, Any]) -> object:
    """List, newest first."""
    return rollout_queries.page_of(request.user, **given)


@operation("POST", "rollouts_start", Needs("signed_in"), takes=StartIn, gives=RolloutOut, status=201)
def start(request: Request, given: dict[str, Any]) -> object:
    """Start a rollout by the approved plan: the version gets its first share of traffic."""
    visible = policy.visible_to(request.user, PromotionRequest, "promotions.view")
    if not visible.filter(uuid=given["request"]).exists():
        raise Refused("Approval not found.", fields={"request": ["Give the uuid of an approved request."]})
    return actions.start(request_id=given["request"], actor=request.user)


@operation(
    "POST", "rollouts_forecast", Needs("rollouts.start", Endpoint, SEE), takes=ForecastIn, gives=ForecastOut
)
def forecast(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Forecast the time to a decision at the endpoint's current traffic. Changes nothing."""
    endpoint = Endpoint.objects.get(uuid=uuid)
    version = (
        ModelVersion.objects.filter(model=endpoint.model_id, uuid=given["version"]).first()
        if "version" in given
        else None
    )
    if "version" in given and version is None:
        raise Refused(
            "Version not found.", fields={"version": ["Give the uuid of a version of the endpoint's model."]}
        )
    plan = {name: value for name, value in given.items() if name != "version"}
    return rules.forecast(
        rules.Plan(**plan | {"steps": tuple(plan["steps"])}),
        evidence.present_traffic(endpoint, timezone.now(), version),
    )


@operation("GET", "rollouts_read", Needs(SEE, Rollout), gives=RolloutDetailOut)
def one_rollout(request: Request, uuid: UUID) -> Response:
    """Get a rollout and the rule's current decision."""
    return Response(shown(rollout_queries.visible(request.user).get(uuid=uuid)))


@operation(
    "GET",
    "rollouts_looks",
    Needs(SEE, Rollout),
    gives=page_out(LookOut, rollout_queries.PAGE, "checks"),
    parameters=[BEFORE],
)
def looks(request: Request, uuid: UUID) -> object:
    """List, newest first."""
    before = read(RolloutFilterIn, request.query_params).get("before")
    return chart_data.page_of_looks(rollout_queries.visible(request.user).get(uuid=uuid), before)


@operation("POST", "rollouts_pause", Needs("rollouts.steer", Rollout, SEE), takes=SeenIn, gives=RolloutOut)
def pause(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Pause widening; the canary is still rolled back if it fails."""
    return actions.pause(rollout_id=uuid, actor=request.user, **given)


@operation("POST", "rollouts_resume", Needs("rollouts.steer", Rollout, SEE), takes=SeenIn, gives=RolloutOut)
def resume(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Let the rule widen again."""
    return actions.resume(rollout_id=uuid, actor=request.user, **given)


@operation("POST", "rollouts_widen", Needs("rollouts.steer", Rollout, SEE), takes=WidenIn, gives=RolloutOut)
def widen(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Widen to the next step now."""
    return actions.widen(rollout_id=uuid, actor=request.user, **given)


@operation("POST", "rollouts_abort", Needs("rollouts.abort", Rollout, SEE), takes=AbortIn, gives=RolloutOut)
def abort(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Abort: all traffic goes back to the baseline."""
    return actions.abort(rollout_id=uuid, actor=request.user, **given)


def shown(rollout: Rollout) -> dict[str, Any]:
    """A rollout with the rule's answer at this moment; at its end where it has ended."""
    found, plan = evidence.evidence(rollout, rollout.ended_at or timezone.now()), rollout.rule
    decision = rules.decide(plan, found)
    more = {
        "decision": decision.kind,
        "why": decision.why,
        "next_share": plan.next_share(rollout.share),
        "e_values": dict(found.log_e),
        "canary": SideOut(found.counts.canary).data,
        "stable": SideOut(found.counts.stable).data,
        "conditions": ConditionOut(rules.conditions(plan, found), many=True).data,
    }
    return RolloutOut(rollout).data | more


urlpatterns = [
    path("rollouts/", methods(rollouts, start), name="api-rollouts"),
    path("rollouts/<uuid:uuid>/", one_rollout, name="api-rollout"),
    path("rollouts/<uuid:uuid>/looks/", looks, name="api-rollout-looks"),
    path("rollouts/<uuid:uuid>/pause/", pause, name="api-rollout-pause"),
    path("rollouts/<uuid:uuid>/resume/", resume, name="api-rollout-resume"),
    path("rollouts/<uuid:uuid>/widen/", widen, name="api-rollout-widen"),
    path("rollouts/<uuid:uuid>/abort/", abort, name="api-rollout-abort"),
    path("endpoints/<uuid:uuid>/rollouts/forecast/", forecast, name="api-rollout-forecast"),
]
