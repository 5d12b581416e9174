"""Endpoints over REST: the same actions and refusals as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.runtime.refusals import Refused
from registry.catalog.api import EndpointOut
from registry.catalog.models import Endpoint
from registry.endpoints import actions, rules
from registry.endpoints.models import Deployment, EndpointToken, Fault
from registry.endpoints.queries import deployments as deployment_queries
from registry.endpoints.queries import faults, listing, published, reports, rollback
from registry.ground.access import policy
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import RowOut, operation, page_out
from registry.promotions import plans

SEE = "endpoints.view"


class ServerOut(serializers.Serializer[Any]):
    """An inference server's last report."""

    name = serializers.CharField()
    epoch = serializers.IntegerField()
    at = serializers.DateTimeField(allow_null=True)
    problem = serializers.CharField()


class FaultOut(RowOut[Fault]):
    """A fault injected for a drill."""

    share = serializers.IntegerField(help_text="out of 10,000")

    class Meta:
        model = Fault
        fields = [
            "uuid",
            "deployment",
            "kind",
            "share",
            "delay_ms",
            "reason",
            "until",
            "injected_at",
            "injected_by",
            "lifted_at",
        ]


class ArmOut(serializers.Serializer[Any]):
    """A deployment running in an arm. closed: a server's guard stopped sending it traffic."""

    deployment = serializers.UUIDField()
    arm = serializers.CharField()
    share = serializers.IntegerField(help_text="out of 10,000; for a shadow, of the requests copied to it")
    version = serializers.UUIDField()
    semver = serializers.CharField()
    closed = serializers.BooleanField()
    fault = FaultOut(allow_null=True)


class EndpointPageOut(EndpointOut):
    """An endpoint with its rollback target, pending approval, and server status."""

    rollback_to = serializers.CharField(allow_null=True, help_text="the version to type to roll back")
    waiting = serializers.UUIDField(allow_null=True, help_text="the approved request ready to deploy")
    published_epoch = serializers.IntegerField()
    servers = ServerOut(many=True)
    arms = ArmOut(many=True, help_text="what's running now")


class DeploymentOut(RowOut[Deployment]):
    """A period in which a version served."""

    semver = serializers.CharField(source="version.semver")
    share = serializers.IntegerField(help_text="out of 10,000")
    epoch = serializers.IntegerField()

    class Meta:
        model = Deployment
        fields = [
            "uuid",
            "endpoint",
            "version",
            "semver",
            "arm",
            "share",
            "cause",
            "approval",
            "reason",
            "epoch",
            "started_at",
            "started_by",
            "ended_at",
            "ended_by",
            "end_reason",
        ]


class DeployIn(serializers.Serializer[Any]):
    """The approval to use. share: the approved plan's, to make sure that it's the one you expect."""

    request = serializers.UUIDField()
    share = serializers.IntegerField(
        required=False, min_value=1, max_value=rules.ALL, help_text="out of 10,000; must match the plan"
    )


class ShareIn(serializers.Serializer[Any]):
    """The canary's new share; at 10,000 it goes live. reason: required to widen. seen_moves: the endpoint's
    moves when you last read it.

    Widen, pause, or abort a canary that a rollout controls through the rollout.
    """

    share = serializers.IntegerField(min_value=1, max_value=rules.ALL, help_text="out of 10,000")
    reason = serializers.CharField(max_length=rules.REASON_MAX, default="", allow_blank=True)
    seen_moves = serializers.IntegerField(required=False, min_value=0)


class StopIn(serializers.Serializer[Any]):
    """A reason."""

    reason = serializers.CharField(max_length=rules.REASON_MAX)


class ShadowIn(serializers.Serializer[Any]):
    """Which version gets copies, and of what share of requests."""

    version = serializers.UUIDField()
    share = serializers.IntegerField(
        default=rules.ALL, min_value=1, max_value=rules.ALL, help_text="out of 10,000"
    )


class StopShadowIn(serializers.Serializer[Any]):
    """An optional reason."""

    reason = serializers.CharField(max_length=rules.REASON_MAX, default="", allow_blank=True)


class FaultIn(serializers.Serializer[Any]):
    """A drill's fault. delay_ms: for kind slow."""

    kind = serializers.ChoiceField(Fault.Kind.choices)
    share = serializers.IntegerField(
        min_value=1, max_value=rules.ALL, help_text="out of 10,000 of the deployment's requests"
    )
    delay_ms = serializers.IntegerField(default=1_000, min_value=1, max_value=rules.MAX_DELAY_MS)
    minutes = serializers.IntegerField(default=60, min_value=1, max_value=rules.MAX_DRILL_MINUTES)
    reason = serializers.CharField(max_length=rules.REASON_MAX, default="", allow_blank=True)


class RollBackIn(serializers.Serializer[Any]):
    """The reason, the version that goes live, and the endpoint's moves when you last read it."""

    reason = serializers.CharField(max_length=rules.REASON_MAX)
    typed = serializers.CharField(max_length=40)
    seen_moves = serializers.IntegerField(min_value=0)


class WhenIn(serializers.Serializer[Any]):
    """Which part of the history to return."""

    as_of = serializers.DateTimeField(required=False)
    before = serializers.IntegerField(required=False, min_value=1)


@operation("GET", "endpoints_list", Needs("signed_in"), gives=EndpointOut(many=True))
def endpoints(request: Request) -> object:
    """List endpoints by name."""
    return listing.visible(request.user)


@operation("GET", "endpoints_read", Needs(SEE, Endpoint), gives=EndpointPageOut)
def one_endpoint(request: Request, uuid: UUID) -> Response:
    """Get what's live, its rollback target, and server status."""
    endpoint = policy.get_visible(request.user, listing.visible(request.user), SEE, uuid=uuid)
    target, waiting = rollback.rollback_target(endpoint), listing.waiting(endpoint)
    more = {
        "rollback_to": target.semver if target else None,
        "waiting": str(waiting.uuid) if waiting else None,
        "published_epoch": published.routes_row().published_epoch,
        "servers": ServerOut(reports.server_states_for(endpoint), many=True).data,
        "arms": ArmOut(arms(endpoint), many=True).data,
    }
    return Response(EndpointOut(endpoint).data | more)


@operation(
    "POST",
    "endpoints_deploy",
    Needs("endpoints.deploy", Endpoint, SEE),
    takes=DeployIn,
    gives=DeploymentOut,
    status=201,
)
def deploy(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Deploy an approved request by its plan: live, or as a manual canary next to the live version."""
    wanted = listing.approvals(uuid).filter(uuid=given["request"]).first()
    if wanted is None:
        raise Refused(
            "This endpoint has no such approval.",
            fields={"request": ["Pass an approved request for this endpoint."]},
        )
    if given.get("share", plans.share_of(wanted.plan)) != plans.share_of(wanted.plan):
        raise plans.different_plan(wanted.plan)
    return actions.deploy(request_id=wanted.uuid, actor=request.user)


@operation(
    "POST",
    "endpoints_roll_back",
    Needs("endpoints.roll_back", Endpoint, SEE),
    takes=RollBackIn,
    gives=DeploymentOut,
    status=201,
)
def roll_back(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Roll back to the previous live version."""
    return actions.roll_back(endpoint_id=uuid, actor=request.user, **given)


@operation(
    "POST",
    "endpoints_set_share",
    Needs("endpoints.set_share", Deployment, SEE),
    takes=ShareIn,
    gives=DeploymentOut,
    status=201,
)
def set_share(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Change a running canary's share. Returns the new deployment."""
    return actions.set_share(
        deployment_id=uuid,
        share=given["share"],
        actor=request.user,
        reason=given["reason"],
        seen=given.get("seen_moves"),
    )


@operation(
    "POST",
    "endpoints_stop_canary",
    Needs("endpoints.set_share", Deployment, SEE),
    takes=StopIn,
    gives=DeploymentOut,
)
def stop_canary(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Stop a canary; all traffic returns to the live version."""
    return actions.stop_canary(deployment_id=uuid, actor=request.user, **given)


@operation(
    "POST",
    "endpoints_start_shadow",
    Needs("endpoints.shadow", Endpoint, SEE),
    takes=ShadowIn,
    gives=DeploymentOut,
    status=201,
)
def start_shadow(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Start a shadow: a version that gets copies of requests, only for comparison."""
    return actions.start_shadow(
        endpoint_id=uuid, version_id=given["version"], share=given["share"], actor=request.user
    )


@operation(
    "POST",
    "endpoints_stop_shadow",
    Needs("endpoints.shadow", Deployment, SEE),
    takes=StopShadowIn,
    gives=DeploymentOut,
)
def stop_shadow(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Stop a shadow."""
    return actions.stop_shadow(deployment_id=uuid, actor=request.user, **given)


@operation(
    "POST",
    "endpoints_inject_fault",
    Needs("endpoints.inject_fault", Deployment, SEE),
    takes=FaultIn,
    gives=FaultOut,
    status=201,
)
def inject_fault(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Inject a fault: a share of a deployment's requests fail or slow down for a while, on servers with
    drills enabled.
    """
    return actions.inject_fault(deployment_id=uuid, actor=request.user, **given)


@operation("POST", "endpoints_remove_fault", Needs("endpoints.inject_fault", Deployment, SEE), gives=FaultOut)
def remove_fault(request: Request, uuid: UUID) -> object:
    """Remove a deployment's fault."""
    return actions.remove_fault(deployment_id=uuid, actor=request.user)


@operation(
    "GET",
    "endpoints_deployments",
    Needs(SEE, Endpoint),
    takes=WhenIn,
    gives=page_out(DeploymentOut, deployment_queries.PAGE, "intervals"),
)
def deployments(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """List deployments, newest first; with as_of, the one live at that time."""
    endpoint = Endpoint.objects.get(uuid=uuid)
    if "as_of" in given:
        was = deployment_queries.live_at(endpoint, given["as_of"])
        return [was] if was else [], None
    return deployment_queries.page_of_deployments(endpoint, given.get("before"))


def arms(endpoint: Endpoint) -> list[dict[str, Any]]:
    """What's running on an endpoint, the live version first."""
    injected = {fault.deployment_id: fault for fault in faults.faults_on(endpoint)}
    return [
        {
            "deployment": row.uuid,
            "arm": row.arm,
            "share": share,
            "version": row.version.uuid,
            "semver": row.version.semver,
            "closed": reports.guard_of(row) is not None,
            "fault": injected.get(row.pk),
        }
        for row, share in deployment_queries.arms_of(endpoint)
    ]


class EndpointTokenOut(RowOut[EndpointToken]):
    """An endpoint token, never its secret. name: the service account."""

    class Meta:
        model = EndpointToken
        fields = ["uuid", "name", "created_at", "created_by", "expires_at"]


@operation(
    "GET",
    "endpoints_tokens",
    Needs("endpoints.manage_tokens", Endpoint, SEE),
    gives=EndpointTokenOut(many=True),
)
def tokens(request: Request, uuid: UUID) -> object:
    """List active tokens, newest first."""
    return published.live_tokens(Endpoint.objects.get(uuid=uuid))


@operation(
    "DELETE",
    "endpoints_revoke_token",
    Needs("endpoints.manage_tokens", EndpointToken, SEE),
    gives=None,
    status=204,
)
def revoke_token(request: Request, uuid: UUID) -> Response:
    """Revoke a token; servers apply it within a second."""
    actions.revoke_token(token_id=uuid, actor=request.user)
    return Response(status=204)


urlpatterns = [
    path("endpoints/", endpoints, name="api-endpoints"),
    path("endpoints/<uuid:uuid>/", one_endpoint, name="api-endpoint"),
    path("endpoints/<uuid:uuid>/deploy/", deploy, name="api-endpoint-deploy"),
    path("endpoints/<uuid:uuid>/roll-back/", roll_back, name="api-endpoint-roll-back"),
    path("endpoints/<uuid:uuid>/shadow/", start_shadow, name="api-endpoint-start-shadow"),
    path("endpoints/<uuid:uuid>/tokens/", tokens, name="api-endpoint-tokens"),
    path("endpoint-tokens/<uuid:uuid>/", revoke_token, name="api-endpoint-token"),
    path("deployments/<uuid:uuid>/share/", set_share, name="api-deployment-share"),
    path("deployments/<uuid:uuid>/stop-canary/", stop_canary, name="api-deployment-stop-canary"),
    path("deployments/<uuid:uuid>/stop-shadow/", stop_shadow, name="api-deployment-stop-shadow"),
    path("deployments/<uuid:uuid>/inject-fault/", inject_fault, name="api-deployment-inject-fault"),
    path("deployments/<uuid:uuid>/remove-fault/", remove_fault, name="api-deployment-remove-fault"),
    path("endpoints/<uuid:uuid>/deployments/", deployments, name="api-endpoint-deployments"),
]
