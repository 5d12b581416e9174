"""An endpoint on which 1.0.0 is live, a frozen clock, and a way to raise an alert on it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.support import endpoints

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def live_endpoint(project, mia, ravi, lee, gita, omar):
    return endpoints.deployed_endpoint(project)


@pytest.fixture
def raised(live_endpoint):
    """Raises an alert of a drill rule on the endpoint; the same key is the same alert."""
    from monitoring.alerts import actions

    def make(severity="page", at=NOON, key="a", **more):
        given = {"source": "drill", "title": "Errors burn", "text": "14 of 100 requests failed.", "url": "/endpoints/"} | more
        return actions.raise_alert(endpoint=live_endpoint, key={"n": key}, severity=severity, now=at, **given)

    return make
