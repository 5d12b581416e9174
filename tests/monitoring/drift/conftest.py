"""An endpoint on which 1.0.0 is live, evaluated on 60 rows, and traffic as its rollups would have it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from monitoring.drift import actions, queries
from monitoring.drift.rules import DAY, Span
from monitoring.traffic.models import MinuteRollup
from registry.catalog.models import Endpoint
from tests.support.endpoints import deployed_endpoint

NOW = datetime(2026, 3, 20, 12, 0, tzinfo=UTC)
EVEN = {"billing": 200, "delivery": 200, "refund": 200}
ONE_SIDED = {"billing": 380, "delivery": 110, "refund": 110}  # twice the limit
ABRUPT = {"billing": 550, "delivery": 25, "refund": 25}  # ten times


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """What is read is read at NOW: the days of March are not older than what counts."""
    monkeypatch.setattr(queries, "timezone", SimpleNamespace(now=lambda: NOW))


@pytest.fixture
def live_endpoint(project, mia, ravi, lee, gita, omar) -> Endpoint:
    """1.0.0 is live, evaluated on few rows: they leave room between what is over its limit and what is far
    over it.
    """
    return deployed_endpoint(project, test=60)


def day(number: int) -> Span:
    """A day of March."""
    start = datetime(2026, 3, 1, tzinfo=UTC) + (number - 1) * DAY
    return Span(start, start + DAY)


class Traffic:
    """Rollups of minutes, written directly."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def write(
        self,
        at: datetime,
        labels: dict[str, int] | None = None,
        *,
        version: Any = None,
        arm: str = "stable",
        **more: Any,
    ):
        """So many answers in the minute after `at`, as confident and as long as those of the evaluation
        unless given otherwise.
        """
        labels = EVEN if labels is None else labels
        n = sum(labels.values())
        fields: dict[str, Any] = {
            "requests": n,
            "answers": n,
            "labels": labels,
            "confidence": {"48": n},
            "chars": self.lengths(n),
            "oov": {},
        }
        return MinuteRollup.objects.create(
            endpoint=self.endpoint,
            version=version or self.endpoint.alias.version,
            start=at,
            arm=arm,
            **(fields | more),
        )

    def lengths(self, n: int) -> dict[str, int]:
        """n lengths spread as those of the evaluation."""
        known = actions.baseline(self.endpoint.alias.version).histograms["chars"]
        shares = {key: n * count // sum(known.values()) for key, count in known.items()}
        first = next(iter(shares))
        return shares | {first: shares[first] + n - sum(shares.values())}

    def measure(self, number: int, labels: dict[str, int] | None = None, **more: Any):
        """A day with that traffic, measured."""
        span = day(number)
        self.write(span.start + timedelta(hours=9), labels, **more)
        return actions.measure(self.endpoint, self.endpoint.alias.version, span)


@pytest.fixture
def traffic(live_endpoint) -> Traffic:
    return Traffic(live_endpoint)
