"""Endpoints over REST: the same actions and refusals as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.refusals import Refused
from registry.access import policy
from registry.access.decorators import Needs
from registry.access.rest import View, page_out, paged, read
from registry.catalog.api import EndpointOut
from registry.catalog.models import Endpoint
from registry.endpoints import actions, queries, rules
from registry.endpoints.models import Deployment, EndpointToken, Fault

SEE = "endpoints.view"


class ServerOut(serializers.Serializer[Any]):
    """An inference server's last report."""

    name = serializers.CharField()
    epoch = serializers.IntegerField()
    at = serializers.DateTimeField(allow_null=True)
    problem = serializers.CharField()


class FaultOut(serializers.Serializer[Fault]):
    """A fault injected for a drill."""

    uuid = serializers.UUIDField()
    deployment = serializers.UUIDField(source="deployment.uuid")
    kind = serializers.CharField()
    share = serializers.IntegerField(help_text="out of 10,000")
    delay_ms = serializers.IntegerField()
    reason = serializers.CharField()
    until = serializers.DateTimeField()
    planted_at = serializers.DateTimeField()
    planted_by = serializers.UUIDField(source="planted_by.uuid")
    lifted_at = serializers.DateTimeField(allow_null=True)


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


class DeploymentOut(serializers.Serializer[Deployment]):
    """A period in which a version served."""

    uuid = serializers.UUIDField()
    endpoint = serializers.UUIDField(source="endpoint.uuid")
    version = serializers.UUIDField(source="version.uuid")
    semver = serializers.CharField(source="version.semver")
    arm = serializers.CharField()
    share = serializers.IntegerField(help_text="out of 10,000")
    cause = serializers.CharField()
    approval = serializers.UUIDField(source="approval.uuid", default=None, allow_null=True)
    reason = serializers.CharField()
    epoch = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    started_by = serializers.UUIDField(source="started_by.uuid", default=None, allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_by = serializers.UUIDField(source="ended_by.uuid", default=None, allow_null=True)
    end_reason = serializers.CharField()


class DeployIn(serializers.Serializer[Any]):
    """The approval to use. share: below 10,000 starts a canary next to the live version."""

    request = serializers.UUIDField()
    share = serializers.IntegerField(
        default=rules.ALL, min_value=1, max_value=rules.ALL, help_text="out of 10,000; must match the approved plan, if the request has one"
    )


class ShareIn(serializers.Serializer[Any]):
    """The canary's new share; at 10,000 it goes live. reason: required to widen. seen_moves: the endpoint's moves when you last read it.

    Widen, pause, or abort a canary that a rollout controls through the rollout.
    """

    share = serializers.IntegerField(min_value=1, max_value=rules.ALL, help_text="out of 10,000")
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)
    seen_moves = serializers.IntegerField(required=False, min_value=0)


class StopIn(serializers.Serializer[Any]):
    """A reason."""

    reason = serializers.CharField(max_length=500)


class ShadowIn(serializers.Serializer[Any]):
    """Which version gets copies, and of what share of requests."""

    version = serializers.UUIDField()
    share = serializers.IntegerField(default=rules.ALL, min_value=1, max_value=rules.ALL, help_text="out of 10,000")


class StopShadowIn(serializers.Serializer[Any]):
    """An optional reason."""

    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class FaultIn(serializers.Serializer[Any]):
    """A drill's fault. delay_ms: for kind slow."""

    kind = serializers.ChoiceField(Fault.Kind.choices)
    share = serializers.IntegerField(min_value=1, max_value=rules.ALL, help_text="out of 10,000 of the deployment's requests")
    delay_ms = serializers.IntegerField(default=1_000, min_value=1, max_value=rules.MAX_DELAY_MS)
    minutes = serializers.IntegerField(default=60, min_value=1, max_value=rules.MAX_DRILL_MINUTES)
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class RollBackIn(serializers.Serializer[Any]):
    """The reason, the version that goes live, and the endpoint's moves when you last read it."""

    reason = serializers.CharField(max_length=500)
    typed = serializers.CharField(max_length=40)
    seen_moves = serializers.IntegerField(min_value=0)


class WhenIn(serializers.Serializer[Any]):
    """Which part of the history to return."""

    as_of = serializers.DateTimeField(required=False)
    before = serializers.IntegerField(required=False, min_value=1)


class Endpoints(View):
    """Endpoints you can see."""

    needs = {"GET": Needs("signed_in")}

    @extend_schema(operation_id="endpoints_list", responses=EndpointOut(many=True))
    def get(self, request: Request) -> Response:
        """List endpoints by name."""
        return Response(EndpointOut(queries.visible(request.user), many=True).data)


class OneEndpoint(View):
    """One endpoint."""

    needs = {"GET": Needs(SEE, Endpoint)}

    @extend_schema(operation_id="endpoints_read", responses=EndpointPageOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """Get what's live, its rollback target, and server status."""
        endpoint = policy.get_visible(request.user, queries.visible(request.user), SEE, uuid=uuid)
        target, waiting = queries.rollback_target(endpoint), queries.waiting(endpoint)
        more = {
            "rollback_to": target.semver if target else None,
            "waiting": str(waiting.uuid) if waiting else None,
            "published_epoch": queries.routes_row().published_epoch,
            "servers": ServerOut(queries.server_states_for(endpoint), many=True).data,
            "arms": ArmOut(arms(endpoint), many=True).data,
        }
        return Response(EndpointOut(endpoint).data | more)


class Deploy(View):
    """Deploying."""

    needs = {"POST": Needs("endpoints.deploy", Endpoint, SEE)}

    @extend_schema(operation_id="endpoints_deploy", request=DeployIn, responses={201: DeploymentOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Deploy an approved request: live, or with a share as a canary next to the live version."""
        given = read(DeployIn, request.data)
        wanted = given["request"]
        if not queries.approvals(uuid).filter(uuid=wanted).exists():
            raise Refused("This endpoint has no such approval.", fields={"request": ["Pass an approved request for this endpoint."]})
        made = actions.deploy(request_id=wanted, actor=request.user, share=given["share"])
        return Response(DeploymentOut(made).data, status=201)


class RollBack(View):
    """Rolling back."""

    needs = {"POST": Needs("endpoints.roll_back", Endpoint, SEE)}

    @extend_schema(operation_id="endpoints_roll_back", request=RollBackIn, responses={201: DeploymentOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Roll back to the previous live version."""
        made = actions.roll_back(endpoint_id=uuid, actor=request.user, **read(RollBackIn, request.data))
        return Response(DeploymentOut(made).data, status=201)


class Share(View):
    """The share of a canary."""

    needs = {"POST": Needs("endpoints.set_share", Deployment, SEE)}

    @extend_schema(operation_id="endpoints_set_share", request=ShareIn, responses={201: DeploymentOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Change a running canary's share. Returns the new deployment."""
        given = read(ShareIn, request.data)
        made = actions.set_share(
            deployment_id=uuid, share=given["share"], actor=request.user, reason=given["reason"], seen=given.get("seen_moves")
        )
        return Response(DeploymentOut(made).data, status=201)


class StopCanary(View):
    """Stopping a canary."""

    needs = {"POST": Needs("endpoints.set_share", Deployment, SEE)}

    @extend_schema(operation_id="endpoints_stop_canary", request=StopIn, responses=DeploymentOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Stop a canary; all traffic returns to the live version."""
        made = actions.stop_canary(deployment_id=uuid, actor=request.user, **read(StopIn, request.data))
        return Response(DeploymentOut(made).data)


class StartShadow(View):
    """Starting a shadow."""

    needs = {"POST": Needs("endpoints.shadow", Endpoint, SEE)}

    @extend_schema(operation_id="endpoints_start_shadow", request=ShadowIn, responses={201: DeploymentOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Start a shadow: a version that gets copies of requests, only for comparison."""
        given = read(ShadowIn, request.data)
        made = actions.start_shadow(endpoint_id=uuid, version_id=given["version"], share=given["share"], actor=request.user)
        return Response(DeploymentOut(made).data, status=201)


class StopShadow(View):
    """Stopping a shadow."""

    needs = {"POST": Needs("endpoints.shadow", Deployment, SEE)}

    @extend_schema(operation_id="endpoints_stop_shadow", request=StopShadowIn, responses=DeploymentOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Stop a shadow."""
        made = actions.stop_shadow(deployment_id=uuid, actor=request.user, **read(StopShadowIn, request.data))
        return Response(DeploymentOut(made).data)


class PlantFault(View):
    """Injecting a fault for a drill."""

    needs = {"POST": Needs("endpoints.plant_fault", Deployment, SEE)}

    @extend_schema(operation_id="endpoints_plant_fault", request=FaultIn, responses={201: FaultOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Inject a fault: a share of a deployment's requests fail or slow down for a while, on servers with drills enabled."""
        made = actions.plant_fault(deployment_id=uuid, actor=request.user, **read(FaultIn, request.data))
        return Response(FaultOut(made).data, status=201)


class LiftFault(View):
    """Ending a drill."""

    needs = {"POST": Needs("endpoints.plant_fault", Deployment, SEE)}

    @extend_schema(operation_id="endpoints_lift_fault", request=None, responses=FaultOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Remove a deployment's fault."""
        return Response(FaultOut(actions.lift_fault(deployment_id=uuid, actor=request.user)).data)


class Deployments(View):
    """The history of an endpoint."""

    needs = {"GET": Needs(SEE, Endpoint)}

    @extend_schema(operation_id="endpoints_deployments", responses=page_out(DeploymentOut, queries.PAGE, "intervals"), parameters=[WhenIn])
    def get(self, request: Request, uuid: UUID) -> Response:
        """List deployments, newest first; with as_of, the one live at that time."""
        given = read(WhenIn, request.query_params)
        endpoint = Endpoint.objects.get(uuid=uuid)
        if "as_of" in given:
            was = queries.live_at(endpoint, given["as_of"])
            return paged(DeploymentOut, [was] if was else [], None)
        return paged(DeploymentOut, *queries.page_of_deployments(endpoint, given.get("before")))


def arms(endpoint: Endpoint) -> list[dict[str, Any]]:
    """What's running on an endpoint, the live version first."""
    planted = {fault.deployment_id: fault for fault in queries.faults_on(endpoint)}
    return [
        {
            "deployment": row.uuid, "arm": row.arm, "share": share, "version": row.version.uuid, "semver": row.version.semver,
            "closed": queries.guard_of(row) is not None, "fault": planted.get(row.pk),
        }
        for row, share in queries.arms_of(endpoint)
    ]  # fmt: skip


class EndpointTokenOut(serializers.Serializer[EndpointToken]):
    """An endpoint token, never its secret. name: the service account."""

    uuid = serializers.UUIDField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    created_by = serializers.UUIDField(source="created_by.uuid")
    expires_at = serializers.DateTimeField()


class Tokens(View):
    """An endpoint's tokens. Creating one takes a signed-in person, on the endpoint's page."""

    needs = {"GET": Needs("endpoints.manage_tokens", Endpoint, SEE)}

    @extend_schema(operation_id="endpoints_tokens", responses=EndpointTokenOut(many=True))
    def get(self, request: Request, uuid: UUID) -> Response:
        """List active tokens, newest first."""
        return Response(EndpointTokenOut(queries.live_tokens(Endpoint.objects.get(uuid=uuid)), many=True).data)


class OneToken(View):
    """One endpoint token."""

    needs = {"DELETE": Needs("endpoints.manage_tokens", EndpointToken, SEE)}

    @extend_schema(operation_id="endpoints_revoke_token", responses={204: None})
    def delete(self, request: Request, uuid: UUID) -> Response:
        """Revoke a token; servers apply it within a second."""
        actions.revoke_token(token_id=uuid, actor=request.user)
        return Response(status=204)


urlpatterns = [
    path("endpoints/", Endpoints.as_view(), name="api-endpoints"),
    path("endpoints/<uuid:uuid>/", OneEndpoint.as_view(), name="api-endpoint"),
    path("endpoints/<uuid:uuid>/deploy/", Deploy.as_view(), name="api-endpoint-deploy"),
    path("endpoints/<uuid:uuid>/roll_back/", RollBack.as_view(), name="api-endpoint-roll-back"),
    path("endpoints/<uuid:uuid>/shadow/", StartShadow.as_view(), name="api-endpoint-start-shadow"),
    path("endpoints/<uuid:uuid>/tokens/", Tokens.as_view(), name="api-endpoint-tokens"),
    path("endpoint-tokens/<uuid:uuid>/", OneToken.as_view(), name="api-endpoint-token"),
    path("deployments/<uuid:uuid>/share/", Share.as_view(), name="api-deployment-share"),
    path("deployments/<uuid:uuid>/stop_canary/", StopCanary.as_view(), name="api-deployment-stop-canary"),
    path("deployments/<uuid:uuid>/stop_shadow/", StopShadow.as_view(), name="api-deployment-stop-shadow"),
    path("deployments/<uuid:uuid>/plant_fault/", PlantFault.as_view(), name="api-deployment-plant-fault"),
    path("deployments/<uuid:uuid>/lift_fault/", LiftFault.as_view(), name="api-deployment-lift-fault"),
    path("endpoints/<uuid:uuid>/deployments/", Deployments.as_view(), name="api-endpoint-deployments"),
]
