"""Policies over REST."""

from __future__ import annotations

from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View
from registry.policies import queries
from registry.policies.models import Policy


class PolicyOut(serializers.Serializer[Policy]):
    """One published version of a policy."""

    uuid = serializers.UUIDField()
    name = serializers.CharField()
    version = serializers.IntegerField()
    digest = serializers.CharField()
    text = serializers.CharField(help_text="YAML")
    published_at = serializers.DateTimeField()


class Policies(View):
    """Published policy versions."""

    needs = {"GET": Needs("signed_in")}

    @extend_schema(operation_id="policies_list", responses=PolicyOut(many=True))
    def get(self, request: Request) -> Response:
        """List policy versions by name, newest first."""
        return Response(PolicyOut(queries.visible_to(request.user), many=True).data)


class OnePolicy(View):
    """One policy version."""

    needs = {"GET": Needs("signed_in")}

    @extend_schema(operation_id="policies_read", responses=PolicyOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """Get a policy version's text and digest."""
        return Response(PolicyOut(queries.get_visible(request.user, uuid)).data)


urlpatterns = [
    path("policies/", Policies.as_view(), name="api-policies"),
    path("policies/<uuid:uuid>/", OnePolicy.as_view(), name="api-policy"),
]
