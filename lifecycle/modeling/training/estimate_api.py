"""Ten steps of a run over REST: the same action and permission as the page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import Http404
from django.urls import path
from rest_framework import serializers

from lifecycle.ground.compute.price import price_of
from lifecycle.modeling.training import actions, queries
from lifecycle.modeling.training.api import StrategyField
from lifecycle.modeling.training.models import Estimate, Run
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, operation


class RunEstimateIn(serializers.Serializer[Estimate]):
    """As for `POST /runs/`: options are fields of the engine's spec in place of those that are suggested."""

    dataset_version = serializers.UUIDField()
    base = serializers.UUIDField()
    strategy = StrategyField()
    options = serializers.DictField(required=False, default=dict)


class RunFiguresOut(serializers.Serializer[object]):
    """What the whole run takes, at most where it has patience. shortest, longest: its seconds at the quickest
    and slowest pace measured.
    """

    steps = serializers.IntegerField()
    evaluations = serializers.IntegerField()
    step_seconds = serializers.FloatField()
    prepare_seconds = serializers.FloatField()
    train_seconds = serializers.FloatField()
    evaluation_seconds = serializers.FloatField()
    artifact_seconds = serializers.FloatField()
    seconds = serializers.FloatField()
    shortest = serializers.FloatField()
    longest = serializers.FloatField()
    cpu_seconds = serializers.FloatField()
    peak_memory_mb = serializers.FloatField()
    disk_bytes = serializers.IntegerField()
    artifact_bytes = serializers.IntegerField()


class RunEstimateOut(serializers.Serializer[Any]):
    """Ten steps that were tried. figures and profile: null until they are measured; error: why they could not
    be. price: of the whole run in currency, null where the installation has no price of a core-hour.
    """

    uuid = serializers.UUIDField()
    dataset_version = serializers.UUIDField(source="snapshot.uuid")
    base = serializers.UUIDField(source="base.uuid")
    strategy = serializers.ChoiceField(choices=Run.Strategy.choices)
    spec = serializers.DictField()
    spec_digest = serializers.CharField()
    job = serializers.UUIDField(source="job.uuid", default=None, allow_null=True)
    figures = RunFiguresOut(allow_null=True)
    profile = serializers.DictField(allow_null=True)
    error = serializers.DictField(allow_null=True)
    price = serializers.SerializerMethodField()
    currency = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_price(self, found: Estimate) -> float | None:
        """At PRICE_PER_CORE_HOUR."""
        return price_of(found.figures["cpu_seconds"]) if found.figures else None

    def get_currency(self, found: Estimate) -> str:
        """Of the price."""
        return str(settings.CURRENCY)


@operation("POST", "estimates_try", Needs("signed_in"), takes=RunEstimateIn, gives=RunEstimateOut, status=201)
def estimates(request: Request, given: dict[str, Any]) -> object:
    """Try ten steps of a run. While those of the same spec wait or run, they are returned; no run is
    started.
    """
    snapshot = queries.launchable(request.user).filter(uuid=given.pop("dataset_version")).first()
    base = queries.bases(request.user).filter(uuid=given.pop("base")).first()
    if snapshot is None or base is None:
        raise Http404("Dataset version or base model not found.")
    return actions.estimate(snapshot=snapshot, base=base, actor=request.user, **given)


@operation("GET", "estimates_read", Needs("training.view", Estimate), gives=RunEstimateOut)
def one_estimate(request: Request, uuid: UUID) -> object:
    """What they took, and what the whole run takes."""
    return queries.get_estimate(request.user, uuid)


@operation(
    "POST", "estimates_cancel", Needs("training.launch", Estimate, see="training.view"), gives=RunEstimateOut
)
def cancel_estimate(request: Request, uuid: UUID) -> object:
    """Have them end, at once where they wait."""
    actions.cancel_estimate(estimate_id=uuid, actor=request.user)
    return queries.get_estimate(request.user, uuid)


urlpatterns = [
    path("estimates/", estimates, name="api-estimates"),
    path("estimates/<uuid:uuid>/", one_estimate, name="api-estimate"),
    path("estimates/<uuid:uuid>/cancel/", cancel_estimate, name="api-estimate-cancel"),
]
