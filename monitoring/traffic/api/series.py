"""The figures of an endpoint over time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from monitoring.traffic import queries
from monitoring.traffic.api.window import SINCE, UNTIL, window
from monitoring.traffic.rules import HOUR, MINUTE
from registry.catalog.models import Endpoint, ModelVersion
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, operation

SEE = "traffic.view"
ARMS = ("stable", "canary", "shadow")
MOST_POINTS = 1500


class ShareOfSendersOut(serializers.Serializer[Any]):
    """A share with its 95 % interval, 0 to 1, of `rows` rows. senders: lower bound; null: rows are treated as
    independent.
    """

    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    rows = serializers.IntegerField()
    senders = serializers.IntegerField(allow_null=True)


class TrafficFiguresOut(serializers.Serializer[Any]):
    """Figures of a period. Shares 0 to 1; null: not measured. requests = successful + errors + refused +
    shed.

    lost: further requests that no server could take, estimated by probes.
    """

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    requests = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]
    refused = serializers.IntegerField()
    shed = serializers.IntegerField()
    lost = serializers.IntegerField()
    predictions = serializers.IntegerField(source="answers")
    error_share = serializers.FloatField(allow_null=True)
    availability = serializers.FloatField(allow_null=True)
    p50_ms = serializers.FloatField(allow_null=True)
    p95_ms = serializers.FloatField(allow_null=True)
    p99_ms = serializers.FloatField(allow_null=True)
    mean_confidence = serializers.FloatField(allow_null=True)
    mean_oov = serializers.FloatField(allow_null=True)
    right = serializers.IntegerField()
    wrong = serializers.IntegerField()
    right_interval = ShareOfSendersOut(
        allow_null=True, help_text="correct predictions among those with feedback; null: fewer than 20"
    )
    agree_interval = ShareOfSendersOut(
        allow_null=True, help_text="for a shadow (arm=shadow): predictions with the client's label"
    )
    overrides = serializers.IntegerField()
    mean_words = serializers.FloatField(allow_null=True, help_text="of written answers")
    manner = serializers.DictField(
        child=ShareOfSendersOut(),
        help_text="of written answers: refusals, repetition, and empty_answers, each a mean from 0 to 1",
    )
    cpu_ms = serializers.FloatField()
    cost_per_million = serializers.FloatField(allow_null=True)
    labels = serializers.DictField(child=serializers.IntegerField())


class SeriesOut(serializers.Serializer[Any]):
    """The figures of a window as a whole and by step. currency: of cost_per_million."""

    total = TrafficFiguresOut()
    points = TrafficFiguresOut(many=True)
    currency = serializers.CharField()


@operation(
    "GET",
    "endpoints_series",
    Needs(SEE, Endpoint),
    gives=SeriesOut,
    parameters=[
        SINCE,
        UNTIL,
        OpenApiParameter("step", int, description="In seconds, whole minutes; default 3600."),
        OpenApiParameter("version", UUID),
        OpenApiParameter("arm", str, enum=ARMS),
    ],
)
def series(request: Request, uuid: UUID) -> object:
    """Figures by step, up to 1,500 steps; default: the last 24 hours. Without arm: what clients got,
    excluding shadows.
    """
    endpoint = Endpoint.objects.get(uuid=uuid)
    since, until = window(request, HOUR * 24)
    step = timedelta(seconds=number(request, "step", 3600))
    if step < MINUTE or step % MINUTE or (until - since) / step > MOST_POINTS:
        raise serializers.ValidationError(
            {"step": [f"Use whole minutes, in seconds, for at most {MOST_POINTS:,} points."]}
        )
    version = version_of(request, endpoint)
    arm = request.query_params.get("arm") or None
    if arm not in (None, *ARMS):
        raise serializers.ValidationError({"arm": [f"Choose one of {', '.join(ARMS)}."]})
    points = queries.series(endpoint, since, until, step, version, arm)
    return {
        "total": queries.whole(points),
        "points": [point.counts for point in points],
        "currency": settings.CURRENCY,
    }


def number(request: Request, name: str, default: int) -> int:
    """A whole number from the address, 1 to ten million."""
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 8):
        raise serializers.ValidationError({name: ["Enter a whole number."]})
    return int(text)


def version_of(request: Request, endpoint: Endpoint) -> ModelVersion | None:
    """The version that the address names, of the endpoint's model; None for none."""
    text = request.query_params.get("version", "")
    if not text:
        return None
    try:
        return ModelVersion.objects.get(model=endpoint.model_id, uuid=UUID(text))
    except (ValueError, ModelVersion.DoesNotExist) as error:
        raise serializers.ValidationError(
            {"version": ["Give the uuid of a version of the endpoint's model."]}
        ) from error
