"""Endpoints over REST: the same actions and refusals as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.refusals import Refused
from registry.access import policy
from registry.access.decorators import Needs
from registry.access.rest import View
from registry.catalog.api import EndpointOut
from registry.catalog.models import Endpoint
from registry.endpoints import actions, queries
from registry.endpoints.models import Deployment

SEE = "endpoints.view"


class ServerOut(serializers.Serializer[Any]):
    """What an inference server wrote about itself."""

    name = serializers.CharField()
    epoch = serializers.IntegerField()
    at = serializers.DateTimeField(allow_null=True)
    problem = serializers.CharField()


class EndpointPageOut(EndpointOut):
    """An endpoint with what it can go back to, what waits, and how far the servers are."""

    rollback_to = serializers.CharField(allow_null=True, help_text="the version to type")
    waiting = serializers.UUIDField(allow_null=True, help_text="the approved request that can be deployed")
    published_epoch = serializers.IntegerField()
    servers = ServerOut(many=True)


class DeploymentOut(serializers.Serializer[Deployment]):
    """An interval in which a version served."""

    uuid = serializers.UUIDField()
    endpoint = serializers.UUIDField(source="endpoint.uuid")
    version = serializers.UUIDField(source="version.uuid")
    semver = serializers.CharField(source="version.semver")
    arm = serializers.CharField()
    share = serializers.IntegerField(help_text="of 10,000")
    cause = serializers.CharField()
    approval = serializers.UUIDField(source="approval.uuid", default=None, allow_null=True)
    reason = serializers.CharField()
    epoch = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    started_by = serializers.UUIDField(source="started_by.uuid", default=None, allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_by = serializers.UUIDField(source="ended_by.uuid", default=None, allow_null=True)
    end_reason = serializers.CharField()


class DeploymentPageOut(serializers.Serializer[Any]):
    """Up to 20 intervals, newest first. before: give it as ?before= to get the next page; null on the last."""

    results = DeploymentOut(many=True)
    before = serializers.IntegerField(allow_null=True)


class DeployIn(serializers.Serializer[Any]):
    """The approval to use."""

    request = serializers.UUIDField()


class RollBackIn(serializers.Serializer[Any]):
    """Why, the version that becomes live, and the endpoint's moves when you looked."""

    reason = serializers.CharField(max_length=500)
    typed = serializers.CharField(max_length=40)
    seen_moves = serializers.IntegerField(min_value=0)


class WhenIn(serializers.Serializer[Any]):
    """Which part of the history."""

    as_of = serializers.DateTimeField(required=False)
    before = serializers.IntegerField(required=False, min_value=1)


class Endpoints(View):
    """The endpoints that you may see."""

    needs = {"GET": Needs("signed_in")}

    @extend_schema(operation_id="endpoints_list", responses=EndpointOut(many=True))
    def get(self, request: Request) -> Response:
        """By name; they are few."""
        return Response(EndpointOut(queries.visible(request.user), many=True).data)


class OneEndpoint(View):
    """One endpoint."""

    needs = {"GET": Needs(SEE, Endpoint)}

    @extend_schema(operation_id="endpoints_read", responses=EndpointPageOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """What is live, what it can go back to, how far the servers are."""
        endpoint = policy.get_visible(request.user, queries.visible(request.user), SEE, uuid=uuid)
        target, waiting = queries.rollback_target(endpoint), queries.waiting(endpoint)
        more = {
            "rollback_to": target.semver if target else None,
            "waiting": str(waiting.uuid) if waiting else None,
            "published_epoch": queries.routes_row().published_epoch,
            "servers": ServerOut(queries.server_states(), many=True).data,
        }
        return Response(EndpointOut(endpoint).data | more)


class Deploy(View):
    """Deploying."""

    needs = {"POST": Needs("endpoints.deploy", Endpoint, SEE)}

    @extend_schema(operation_id="endpoints_deploy", request=DeployIn, responses={201: DeploymentOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Make the version of an approved request live."""
        wanted = read(DeployIn, request.data)["request"]
        if not queries.approvals(uuid).filter(uuid=wanted).exists():
            raise Refused(
                "There is no such approval for this endpoint.", fields={"request": ["Give an approved request of this endpoint."]}
            )
        made = actions.deploy(request_id=wanted, actor=request.user)
        return Response(DeploymentOut(made).data, status=201)


class RollBack(View):
    """Rolling back."""

    needs = {"POST": Needs("endpoints.roll_back", Endpoint, SEE)}

    @extend_schema(operation_id="endpoints_roll_back", request=RollBackIn, responses={201: DeploymentOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Make the last live version live again."""
        made = actions.roll_back(endpoint_id=uuid, actor=request.user, **read(RollBackIn, request.data))
        return Response(DeploymentOut(made).data, status=201)


class Deployments(View):
    """The history of an endpoint."""

    needs = {"GET": Needs(SEE, Endpoint)}

    @extend_schema(
        operation_id="endpoints_deployments", responses=DeploymentPageOut,
        parameters=[OpenApiParameter("as_of", OpenApiTypes.DATETIME), OpenApiParameter("before", int)],
    )  # fmt: skip
    def get(self, request: Request, uuid: UUID) -> Response:
        """Newest first; with as_of the one interval that holds the moment."""
        given = read(WhenIn, request.query_params)
        endpoint = Endpoint.objects.get(uuid=uuid)
        if "as_of" in given:
            was = queries.live_at(endpoint, given["as_of"])
            return Response({"results": DeploymentOut([was] if was else [], many=True).data, "before": None})
        rows, before = queries.page_of_deployments(endpoint, given.get("before"))
        return Response({"results": DeploymentOut(rows, many=True).data, "before": before})


def read(shape: type[serializers.Serializer[Any]], data: Any) -> dict[str, Any]:
    """What was sent, by shape. Raises ValidationError."""
    form = shape(data=data)
    form.is_valid(raise_exception=True)
    given: dict[str, Any] = form.validated_data
    return given


urlpatterns = [
    path("endpoints/", Endpoints.as_view(), name="api-endpoints"),
    path("endpoints/<uuid:uuid>/", OneEndpoint.as_view(), name="api-endpoint"),
    path("endpoints/<uuid:uuid>/deploy/", Deploy.as_view(), name="api-endpoint-deploy"),
    path("endpoints/<uuid:uuid>/roll_back/", RollBack.as_view(), name="api-endpoint-roll-back"),
    path("endpoints/<uuid:uuid>/deployments/", Deployments.as_view(), name="api-endpoint-deployments"),
]
