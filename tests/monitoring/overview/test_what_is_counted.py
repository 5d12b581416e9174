"""What the dashboard counts of a period is what it calls it: runs by what made them, rollbacks alone, times
and prices in one unit.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import timezone

from monitoring.overview import charts
from monitoring.retraining.models import Proposal, Trigger
from registry.catalog.models import Alias
from registry.endpoints import actions
from registry.endpoints.models import Deployment
from registry.promotions.models import PromotionRequest, Verdict
from tests.monitoring.overview.test_figures import figure
from tests.support import endpoints, registry

DAYS = timedelta(days=1)


def proposed(endpoint, run, number, **more):
    """A retraining of which this run came."""
    live, now = endpoint.alias.version, timezone.now()
    return Proposal.objects.create(
        endpoint=endpoint,
        run=run,
        number=number,
        state="done",
        live=live,
        live_moves=1,
        dataset=live.run.snapshot.dataset,
        window_start=now - DAYS,
        window_end=now,
        min_labels=1,
        queue_items=1,
        overlap=1,
        **more,
    )


@pytest.mark.parametrize("kinds", [(), (None,), ("drift", "quality", "schedule", None)])
def test_only_what_a_proposal_led_to_is_no_run_by_hand(live_endpoint, mia, lee, dashboard, kinds):
    """None: a person proposed it."""
    snapshot = live_endpoint.alias.version.run.snapshot
    for number, kind in enumerate(kinds, 1):
        trigger = kind and Trigger.objects.create(endpoint=live_endpoint, kind=kind, threshold=1, author=lee)
        proposed(live_endpoint, registry.make_trained_run(snapshot, mia), number, trigger=trigger)

    chart = dashboard(lee)["runs"]

    after_drift = sum(kind in ("drift", "quality") for kind in kinds)
    assert chart.rows[-1][1:] == [1, len(kinds) - after_drift, after_drift]
    drawn = {bar["name"]: bar["y"][-1] for bar in chart.figure["data"]}
    assert drawn == {name: n for name, n in zip(chart.head[1:], chart.rows[-1][1:], strict=True) if n}


def test_what_goes_live_by_an_approval_is_no_rollback_though_it_was_live_before(
    live_endpoint, project, omar, lee, dashboard
):
    endpoint, second = live_endpoint, endpoints.with_approval(live_endpoint)
    newer = actions.deploy(request_id=second.uuid, actor=omar).version
    assert dashboard(lee)["rollbacks"].versions == 0

    moves = Alias.objects.get(endpoint=endpoint).moves
    actions.roll_back(endpoint_id=endpoint.uuid, actor=omar, reason="Worse.", typed="1.0.0", seen_moves=moves)
    assert dashboard(lee)["rollbacks"].versions == 1

    endpoints.deploy(project, endpoint, newer)
    assert (Deployment.objects.count(), dashboard(lee)["rollbacks"].versions) == (4, 1)


def test_an_approval_that_took_seconds_is_shown_in_seconds(live_endpoint, lee, dashboard):
    request = PromotionRequest.objects.get()
    last = Verdict.objects.filter(request=request).latest("created_at")
    PromotionRequest.objects.filter(pk=request.pk).update(created_at=last.created_at - timedelta(seconds=12))

    assert figure(dashboard(lee), "Median approval time") == (
        "12\N{NO-BREAK SPACE}s",
        "of 1 approved request",
    )


def test_a_cost_is_per_million_in_words_on_the_axis_and_in_the_table():
    weeks = [date(2026, 6, day) for day in (1, 8, 15)]

    chart = charts.cost(weeks, [2.0, None, 3.0], "EUR")

    assert (chart.lead, chart.caption) == (
        "3.00 EUR per million,",
        "50\N{NO-BREAK SPACE}% more than 3 weeks ago.",
    )
    assert chart.figure["layout"]["yaxis"]["title"]["text"] == chart.head[1] == "EUR per million"
    assert chart.figure["data"][0]["y"] == [2.0, None, 3.0]
    assert [row[1] for row in chart.rows] == [2.0, "", 3.0]
