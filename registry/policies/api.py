"""Policies over REST."""

from __future__ import annotations

from uuid import UUID

from django.urls import path
from rest_framework import serializers

from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, RowOut, operation
from registry.policies import queries
from registry.policies.models import Policy


class PolicyOut(RowOut[Policy]):
    """One published version of a policy."""

    text = serializers.CharField(help_text="YAML")

    class Meta:
        model = Policy
        fields = ["uuid", "name", "version", "digest", "text", "published_at"]


@operation("GET", "policies_list", Needs("signed_in"), gives=PolicyOut(many=True))
def policies(request: Request) -> object:
    """List policy versions by name, newest first."""
    return queries.visible_to(request.user)


@operation("GET", "policies_read", Needs("signed_in"), gives=PolicyOut)
def one_policy(request: Request, uuid: UUID) -> object:
    """Get a policy version's text and digest."""
    return queries.get_visible(request.user, uuid)


urlpatterns = [
    path("policies/", policies, name="api-policies"),
    path("policies/<uuid:uuid>/", one_policy, name="api-policy"),
]
