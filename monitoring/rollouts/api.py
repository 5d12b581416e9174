"""Rollouts over REST: the same actions and refusals as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.refusals import Refused
from monitoring.rollouts import actions, queries, rules
from monitoring.rollouts.models import Look, Rollout
from registry.access import policy
from registry.access.decorators import Needs
from registry.access.rest import View, read
from registry.catalog.models import Endpoint, ModelVersion
from registry.promotions.api import PlanIn
from registry.promotions.models import PromotionRequest

SEE = "rollouts.view"


class StartIn(PlanIn):
    """The approval to use. The plan is the approved one; give it only for a request from before requests named a plan."""

    request = serializers.UUIDField()


class ForecastIn(PlanIn):
    """A plan, and optionally the version, so that the forecast includes its shadow results."""

    version = serializers.UUIDField(required=False)


class SeenIn(serializers.Serializer[Any]):
    """seen: the rollout's `moves` as you read it; 409 if it changed since."""

    seen = serializers.IntegerField(min_value=0)


class WidenIn(SeenIn):
    """reason: required unless the rule would widen too."""

    reason = serializers.CharField(max_length=500, allow_blank=True, default="")


class AbortIn(SeenIn):
    """The reason, and the version that gets all traffic."""

    reason = serializers.CharField(max_length=500)
    typed = serializers.CharField(max_length=40)


class SideOut(serializers.Serializer[Any]):
    """Counts of one arm. units: one per sticky key and minute; the rest: units with at least one such request."""

    requests = serializers.IntegerField()
    units = serializers.IntegerField()
    errors = serializers.IntegerField()
    slow = serializers.IntegerField()
    wrong = serializers.IntegerField()


class ConditionOut(serializers.Serializer[Any]):
    """One line of the rule. word: holds, open, close, fails, not measured; stops: it rolls the canary back."""

    title = serializers.CharField()
    now = serializers.CharField()
    word = serializers.CharField()
    stops = serializers.BooleanField()


class RolloutOut(serializers.Serializer[Rollout]):
    """A rollout."""

    uuid = serializers.UUIDField()
    endpoint = serializers.UUIDField(source="endpoint.uuid")
    version = serializers.UUIDField(source="version.uuid")
    semver = serializers.CharField(source="version.semver")
    baseline = serializers.UUIDField(source="baseline.uuid")
    baseline_semver = serializers.CharField(source="baseline.semver", help_text="type this version to abort")
    request = serializers.UUIDField(source="request.uuid")
    plan = PlanIn(source="rule")
    state = serializers.ChoiceField(choices=rules.State.choices)
    share = serializers.IntegerField(help_text="of 10,000")
    moves = serializers.IntegerField(help_text="send it as `seen`")
    step_started_at = serializers.DateTimeField()
    reason = serializers.CharField(help_text="why it's on hold or ended")
    started_at = serializers.DateTimeField()
    started_by = serializers.UUIDField(source="started_by.uuid")
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_by = serializers.UUIDField(source="ended_by.uuid", default=None, allow_null=True, help_text="null: the rule or a server's guard")


class RolloutDetailOut(RolloutOut):
    """A rollout with the rule's current decision."""

    decision = serializers.ChoiceField(choices=rules.Kind.choices)
    why = serializers.CharField()
    next_share = serializers.IntegerField()
    canary = SideOut()
    stable = SideOut()
    e_values = serializers.DictField(child=serializers.FloatField(), help_text="natural logarithms, keys: errors, slow, wrong")
    conditions = ConditionOut(many=True)


class RolloutPageOut(serializers.Serializer[Any]):
    """Up to 20 rollouts, newest first. before: send it as ?before= for the next page; null on the last."""

    results = RolloutOut(many=True)
    before = serializers.IntegerField(allow_null=True)


class LookOut(serializers.Serializer[Look]):
    """A check of the rule and its decision. Counts are of the step, evidence is of the whole rollout."""

    at = serializers.DateTimeField()
    share = serializers.IntegerField(source="segment.share")
    canary = SideOut(source="counts.canary")
    stable = SideOut(source="counts.stable")
    e_values = serializers.DictField(source="log_e", child=serializers.FloatField(), help_text="natural logarithms")
    difference = serializers.FloatField(allow_null=True, help_text="null: fewer than 100 requests or 30 sticky keys on an arm")
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    decision = serializers.CharField()
    why = serializers.CharField()


class LookPageOut(serializers.Serializer[Any]):
    """Up to 20 checks, newest first. before: send it as ?before= for the next page; null on the last."""

    results = LookOut(many=True)
    before = serializers.IntegerField(allow_null=True)


class RolloutFilterIn(serializers.Serializer[Any]):
    """Which rollouts."""

    endpoint = serializers.UUIDField(required=False)
    state = serializers.ChoiceField(choices=rules.State.choices, required=False)
    before = serializers.IntegerField(required=False, min_value=1)


class StepForecastOut(serializers.Serializer[Any]):
    """One step. needed: canary requests until it can widen with 80 % power, if the canary is as good; null: never."""

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
    hours = serializers.FloatField(allow_null=True, help_text="hours to all traffic with 80 % power, if the canary is as good")
    detect_requests = serializers.IntegerField(allow_null=True, help_text="canary requests to detect the stated rise with 80 % power")
    detect_hours = serializers.FloatField(allow_null=True)
    problem = serializers.CharField()
    caution = serializers.CharField()


class Rollouts(View):
    """Rollouts you can see."""

    needs = {"GET": Needs("signed_in"), "POST": Needs("signed_in")}

    @extend_schema(
        operation_id="rollouts_list", responses=RolloutPageOut,
        parameters=[OpenApiParameter("endpoint", UUID), OpenApiParameter("state", str), OpenApiParameter("before", int)],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """List, newest first."""
        rows, before = queries.page_of(request.user, **read(RolloutFilterIn, request.query_params))
        return Response({"results": RolloutOut(rows, many=True).data, "before": before})

    @extend_schema(operation_id="rollouts_start", request=StartIn, responses={201: RolloutOut})
    def post(self, request: Request) -> Response:
        """Start a rollout: the approved version gets its first share of traffic."""
        given = read(StartIn, request.data)
        wanted = policy.visible_to(request.user, PromotionRequest, "promotions.view").filter(uuid=given.pop("request")).first()
        if wanted is None:
            raise Refused("Approval not found.", fields={"request": ["Give the uuid of an approved request."]})
        named = set(request.data) - {"request"}  # anyone who names no part of a plan means the approved one
        made = actions.start(request_id=wanted.uuid, actor=request.user, plan=plan_of(given) if named else None)
        return Response(RolloutOut(made).data, status=201)


class Forecast(View):
    """Forecast for a plan."""

    needs = {"POST": Needs("rollouts.start", Endpoint, SEE)}

    @extend_schema(operation_id="rollouts_forecast", request=ForecastIn, responses=ForecastOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Forecast the time to a decision at the endpoint's current traffic. Changes nothing."""
        endpoint, given = Endpoint.objects.get(uuid=uuid), read(ForecastIn, request.data)
        version = ModelVersion.objects.filter(model=endpoint.model_id, uuid=given["version"]).first() if "version" in given else None
        if "version" in given and version is None:
            raise Refused("Version not found.", fields={"version": ["Give the uuid of a version of the endpoint's model."]})
        plan = plan_of({name: value for name, value in given.items() if name != "version"})
        return Response(ForecastOut(rules.forecast(plan, queries.present_traffic(endpoint, timezone.now(), version))).data)


class OneRollout(View):
    """One rollout."""

    needs = {"GET": Needs(SEE, Rollout)}

    @extend_schema(operation_id="rollouts_read", responses=RolloutDetailOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """Get a rollout and the rule's current decision."""
        return Response(shown(queries.visible(request.user).get(uuid=uuid)))


class Looks(View):
    """Checks of the rule."""

    needs = {"GET": Needs(SEE, Rollout)}

    @extend_schema(operation_id="rollouts_looks", responses=LookPageOut, parameters=[OpenApiParameter("before", int)])
    def get(self, request: Request, uuid: UUID) -> Response:
        """List, newest first."""
        rows, before = queries.page_of_looks(
            queries.visible(request.user).get(uuid=uuid), read(RolloutFilterIn, request.query_params).get("before")
        )
        return Response({"results": LookOut(rows, many=True).data, "before": before})


class Pause(View):
    """Pause a rollout."""

    needs = {"POST": Needs("rollouts.steer", Rollout, SEE)}

    @extend_schema(operation_id="rollouts_pause", request=SeenIn, responses=RolloutOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Pause widening; the canary is still rolled back if it fails."""
        return Response(RolloutOut(actions.pause(rollout_id=uuid, actor=request.user, **read(SeenIn, request.data))).data)


class Resume(View):
    """Resume a rollout."""

    needs = {"POST": Needs("rollouts.steer", Rollout, SEE)}

    @extend_schema(operation_id="rollouts_resume", request=SeenIn, responses=RolloutOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Let the rule widen again."""
        return Response(RolloutOut(actions.resume(rollout_id=uuid, actor=request.user, **read(SeenIn, request.data))).data)


class Widen(View):
    """Widen a canary manually."""

    needs = {"POST": Needs("rollouts.steer", Rollout, SEE)}

    @extend_schema(operation_id="rollouts_widen", request=WidenIn, responses=RolloutOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Widen to the next step now."""
        return Response(RolloutOut(actions.widen(rollout_id=uuid, actor=request.user, **read(WidenIn, request.data))).data)


class Abort(View):
    """Abort a rollout."""

    needs = {"POST": Needs("rollouts.abort", Rollout, SEE)}

    @extend_schema(operation_id="rollouts_abort", request=AbortIn, responses=RolloutOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Abort: all traffic goes back to the baseline."""
        return Response(RolloutOut(actions.abort(rollout_id=uuid, actor=request.user, **read(AbortIn, request.data))).data)


def shown(rollout: Rollout) -> dict[str, Any]:
    """A rollout with the rule's answer at this moment; at its end where it has ended."""
    found, plan = queries.evidence(rollout, rollout.ended_at or timezone.now()), rollout.rule
    decision = rules.decide(plan, found)
    more = {
        "decision": decision.kind, "why": decision.why, "next_share": plan.next_share(rollout.share), "e_values": dict(found.log_e),
        "canary": SideOut(found.counts.canary).data, "stable": SideOut(found.counts.stable).data,
        "conditions": ConditionOut(rules.conditions(plan, found), many=True).data,
    }  # fmt: skip
    return RolloutOut(rollout).data | more


def plan_of(given: dict[str, Any]) -> rules.Plan:
    """The plan that was sent. Raises Refused for one that cannot be carried out."""
    return rules.Plan(**given | {"steps": tuple(given["steps"])})


urlpatterns = [
    path("rollouts/", Rollouts.as_view(), name="api-rollouts"),
    path("rollouts/<uuid:uuid>/", OneRollout.as_view(), name="api-rollout"),
    path("rollouts/<uuid:uuid>/looks/", Looks.as_view(), name="api-rollout-looks"),
    path("rollouts/<uuid:uuid>/pause/", Pause.as_view(), name="api-rollout-pause"),
    path("rollouts/<uuid:uuid>/resume/", Resume.as_view(), name="api-rollout-resume"),
    path("rollouts/<uuid:uuid>/widen/", Widen.as_view(), name="api-rollout-widen"),
    path("rollouts/<uuid:uuid>/abort/", Abort.as_view(), name="api-rollout-abort"),
    path("endpoints/<uuid:uuid>/rollouts/forecast/", Forecast.as_view(), name="api-rollout-forecast"),
]
