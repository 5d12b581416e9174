"""The stretch of time that an address names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from registry.ground.access.rest import Request

SINCE, UNTIL = OpenApiParameter("since", datetime), OpenApiParameter("until", datetime)


def window(request: Request, length: timedelta) -> tuple[datetime, datetime]:
    """[since, until) as the address gives it. Raises ValidationError; a stretch of so long up to now where it
    gives nothing.
    """
    until = moment(request, "until") or timezone.now()
    since = moment(request, "since") or until - length
    if since >= until:
        raise serializers.ValidationError({"since": ["The start is after the end."]})
    return since, until


def moment(request: Request, name: str) -> datetime | None:
    """A time with its zone, from the address."""
    text = request.query_params.get(name, "")
    if not text:
        return None
    try:
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 2000 <= found.year <= 2900:
        raise serializers.ValidationError({name: ["Use a time with its zone, such as 2026-11-25T10:00:00Z."]})
    return found.astimezone(UTC)
