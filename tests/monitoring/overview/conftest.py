"""An endpoint with a day of counts in its rollups, and the dashboard as someone sees it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from monitoring.overview import page
from monitoring.traffic.models import MinuteRollup


@pytest.fixture
def day(live_endpoint):
    """Counts of one day, so many days ago, in the rollup that pages read."""

    def make(back: int = 1, endpoint=live_endpoint, arm="stable", **counts):
        start = datetime.combine(timezone.now().date() - timedelta(days=back), datetime.min.time(), UTC)
        return MinuteRollup.objects.create(
            endpoint=endpoint, version=endpoint.alias.version, arm=arm, start=start, **counts
        )

    return make


@pytest.fixture
def dashboard():
    def show(user, **given):
        return page.dashboard(user, given, timezone.now())

    return show
