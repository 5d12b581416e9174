"""The dashboard over REST: the figures of the page. Null where nothing was measured."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from monitoring.overview import page, rules
from monitoring.traffic.api.series import ShareOfSendersOut
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import operation


class ModelHealthOut(serializers.Serializer[Any]):
    """One endpoint. right: share of correct predictions among those with feedback; estimate: accuracy
    expected from confidence.

    right and p95_ms: of 30 days.
    """

    endpoint = serializers.CharField(source="endpoint.full_name")
    uuid = serializers.UUIDField(source="endpoint.uuid")
    version = serializers.CharField(source="live.version.semver", default=None, allow_null=True)
    canary = serializers.CharField(help_text="its version; empty without one")
    health = serializers.CharField(source="health.word")
    why = serializers.CharField(source="health.why")
    right = serializers.FloatField(source="right.value", allow_null=True)
    right_interval = ShareOfSendersOut(source="right", allow_null=True)
    with_feedback = serializers.IntegerField(help_text="predictions with feedback in 30 days")
    estimate = serializers.FloatField(allow_null=True)
    psi = serializers.FloatField(allow_null=True, help_text="the largest of the newest drift report")
    drift = serializers.CharField(
        allow_null=True, help_text="its state: ok, watch, drift, insufficient, failed"
    )
    p95_ms = serializers.FloatField(allow_null=True)
    requests = serializers.IntegerField()
    cost = serializers.FloatField(allow_null=True, help_text="per 1 M predictions, inference CPU time only")


class DashboardDifferenceOut(serializers.Serializer[Any]):
    """Model minus hold-out, with a 95 % interval that is valid at any time and simultaneous with the
    endpoint's other KPIs.
    """

    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class LiftOut(serializers.Serializer[Any]):
    """A KPI compared with its hold-out. mismatch: the group sizes don't match the hold-out share."""

    kpi = serializers.UUIDField(source="comparison.kpi.uuid")
    name = serializers.CharField(source="comparison.kpi.name")
    endpoint = serializers.CharField(source="comparison.kpi.endpoint.full_name")
    n = serializers.IntegerField(source="comparison.n", help_text="cases of both sides")
    difference = DashboardDifferenceOut(source="comparison.difference", allow_null=True)
    mismatch = serializers.BooleanField(source="comparison.mismatch")
    reading = serializers.CharField(
        source="comparison.reading",
        help_text="better, worse, no clear difference, not enough data, not measured, sample ratio off",
    )


class BudgetOut(serializers.Serializer[Any]):
    """What is left of an error budget: 1 is all of it, below 0 is overspent."""

    endpoint = serializers.CharField(source="objective.endpoint.full_name")
    objective = serializers.CharField(source="objective.kind")
    left = serializers.FloatField(allow_null=True)
    days = serializers.FloatField(allow_null=True, help_text="until it is spent, at the last day's rate")


class NoteOut(serializers.Serializer[Any]):
    """Something that needs attention."""

    kind = serializers.CharField(help_text="bad or warn")
    fact = serializers.CharField()
    text = serializers.CharField()
    url = serializers.CharField()


class GovernanceOut(serializers.Serializer[Any]):
    """Promotions of the period. hours: median from request to approval, of those approved in it."""

    requested = serializers.IntegerField()
    approved = serializers.IntegerField()
    rejected = serializers.IntegerField()
    voided = serializers.IntegerField()
    waiting = serializers.IntegerField()
    overdue = serializers.IntegerField()
    votes = serializers.IntegerField()
    hours = serializers.FloatField(allow_null=True)


class RollbacksOut(serializers.Serializer[Any]):
    """What was rolled back. minutes: median life of a canary that was."""

    versions = serializers.IntegerField()
    canaries = serializers.IntegerField()
    minutes = serializers.FloatField(allow_null=True)


class DashboardOut(serializers.Serializer[Any]):
    """The period begins on a Monday UTC."""

    weeks = serializers.IntegerField()
    since = serializers.DateField()
    currency = serializers.CharField()
    models = ModelHealthOut(source="rows", many=True)
    lifts = LiftOut(many=True)
    budgets = BudgetOut(many=True)
    attention = NoteOut(source="notes", many=True)
    governance = GovernanceOut(source="throughput")
    rollbacks = RollbacksOut()


@operation(
    "GET",
    "dashboard_read",
    Needs("signed_in"),
    gives=DashboardOut,
    parameters=[
        OpenApiParameter("weeks", int, enum=rules.WEEKS, default=page.DEFAULT_WEEKS),
        OpenApiParameter("project", UUID),
    ],
)
def dashboard(request: Request) -> object:
    """Get the figures of endpoints whose dashboard you can see."""
    return page.dashboard(request.user, request.query_params.dict(), timezone.now())


urlpatterns = [path("dashboard/", dashboard, name="api-dashboard")]
