"""An endpoint on which 1.0.0 is live, a frozen clock, a way to raise an alert on it, and traffic as its
rollups hold it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def raised(live_endpoint):
    """Raises an alert of a drill rule on the endpoint; the same key is the same alert."""
    from monitoring.alerts import actions

    def make(severity="page", at=NOON, key="a", **more):
        given = {
            "source": "drill",
            "title": "Errors burn",
            "text": "14 of 100 requests failed.",
            "url": "/endpoints/",
        } | more
        return actions.raise_alert(endpoint=live_endpoint, key={"n": key}, severity=severity, now=at, **given)

    return make


@pytest.fixture
def objective(live_endpoint, omar):
    """99.5 % of requests over 30 days, set by Omar."""
    from monitoring.alerts import actions

    return actions.set_objective(
        endpoint_id=live_endpoint.uuid,
        kind="availability",
        target=0.995,
        window_days=30,
        threshold_ms=None,
        actor=omar,
        seen=0,
    )


@pytest.fixture
def traffic(live_endpoint):
    """Puts requests into one minute: so many ago, bad of total."""
    from monitoring.traffic.models import MinuteRollup

    version = live_endpoint.alias.version

    def put(ago, bad=0, total=0, *, now=NOON, **more):
        given = {"requests": total, "errors": bad} | more
        start = now.replace(second=0, microsecond=0) - (
            ago if isinstance(ago, timedelta) else timedelta(minutes=ago)
        )
        return MinuteRollup.objects.create(
            endpoint=live_endpoint, version=version, arm="stable", start=start, **given
        )

    return put
