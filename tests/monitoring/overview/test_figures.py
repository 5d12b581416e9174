"""The figures of the dashboard are those of the rollups, to the digit; what was not measured is shown as
such.
"""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.urls import reverse
from django.utils import timezone

from lifecycle.runtime.statistics.intervals import Interval, newcombe
from monitoring.alerts.models import Objective
from monitoring.alerts.page import listing
from monitoring.drift.models import DriftReport
from monitoring.drift.queries import standing
from monitoring.overview.page.figures import Lift
from monitoring.traffic import histogram
from monitoring.traffic import page as traffic
from monitoring.traffic.models import Kpi, MinuteRollup
from registry.promotions import actions as promotions
from registry.promotions.models import PromotionRequest
from tests.support import registry
from tests.support.outcomes import day_of
from tests.support.people import PASSWORD


def figure(shown, label):
    return next((each.value, each.sub) for each in shown["figures"] if each.label == label)


def test_without_traffic_nothing_is_called_good(live_endpoint, lee, dashboard):
    shown = dashboard(lee)
    row = shown["rows"][0]

    assert (row.health.kind, row.health.word) == ("half", "no traffic")
    assert (row.right, row.psi, row.p95_ms, row.cost, row.requests) == (None, None, None, None, 0)
    assert [
        figure(shown, label)[0]
        for label in ("Available", "Correct (from feedback)", "Engine spend", "Median approval time")
    ][:3] == [None] * 3
    assert (shown["kpi"], shown["lifts"], shown["budgets"], shown["cost"], shown["lede"]) == (
        None,
        [],
        [],
        None,
        [],
    )


def test_the_strip_adds_up_what_clients_asked_and_leaves_the_shadow_out(day, lee, dashboard, settings):
    settings.PRICE_PER_CORE_HOUR = 0.36
    day(
        1,
        requests=100,
        errors=2,
        shed=8,
        refused=10,
        answers=80,
        right=15,
        wrong=5,
        overrides=2,
        cpu_us=400_000,
        timed=80,
    )
    day(2, arm="canary", requests=10, answers=10, cpu_us=50_000, timed=10)
    day(1, arm="shadow", requests=1_000, errors=1_000)

    shown = dashboard(lee)

    assert figure(shown, "Requests") == ("110", "90 texts answered")
    # 2 of 92 that were meant to be answered
    assert figure(shown, "Available") == ("97.83\u00a0%", "2 failed, 8 rejected due to overload")
    assert figure(shown, "Correct (from feedback)") == (
        "75.0\u00a0%",
        "of 20 predictions with feedback; 2 overridden",
    )
    assert shown["rows"][0].cost == pytest.approx(0.5)
    right = shown["rows"][0].right
    assert (right.value, round(right.low, 3), round(right.high, 3), right.senders) == (
        0.75,
        0.531,
        0.888,
        None,
    )


def test_what_no_server_could_take_was_not_available(day, lee, dashboard):
    day(1, requests=90, answers=90, lost_milli=10_000)

    assert figure(dashboard(lee), "Available")[0] == "90.00\u00a0%"


def test_a_share_of_little_feedback_is_not_shown(day, lee, dashboard):
    day(1, requests=19, answers=19, right=19)

    row = dashboard(lee)["rows"][0]

    assert (row.right, row.with_feedback) == (None, 19)


@pytest.mark.parametrize(("right", "shown"), [(19, None), (20, "100.0\u00a0%")])
def test_one_minimum_shows_what_people_called_correct(day, lee, dashboard, live_endpoint, right, shown):
    day(1, requests=right, answers=right, right=right)

    found, page = dashboard(lee), traffic.panels(live_endpoint, "7d", full=False)
    assert [figure(each, "Correct (from feedback)")[0] for each in (found, page)] == [shown, shown]
    row = found["rows"][0]
    assert [row.right and row.right.value, *filter(None, row.weekly)] == ([1.0, 1.0] if shown else [None])


def test_the_last_thirty_days_are_the_same_on_the_dashboard_and_on_the_page_of_traffic(
    day, lee, dashboard, live_endpoint
):
    since = traffic.panels(live_endpoint, "30d", full=False)["total"].since
    for at, requests in ((since - timedelta(minutes=1), 500), (since, 7)):
        MinuteRollup.objects.create(
            endpoint=live_endpoint,
            version=live_endpoint.alias.version,
            arm="stable",
            start=at,
            requests=requests,
            answers=requests,
        )

    assert (
        dashboard(lee)["rows"][0].requests
        == traffic.panels(live_endpoint, "30d", full=False)["total"].requests
        == 7
    )


def test_few_failures_of_many_are_not_shown_as_none(day, lee, dashboard, live_endpoint):
    day(1, requests=1_000_000, errors=30, answers=999_970)

    assert figure(dashboard(lee), "Available") == ("99.997\u00a0%", "30 failed, 0 rejected due to overload")
    assert figure(traffic.panels(live_endpoint, "7d", full=False), "Errors") == (
        "0.003\u00a0%",
        "30 requests",
    )


def test_the_time_to_an_approval_is_that_of_approved_requests_alone(
    project, live_endpoint, mia, ravi, lee, dashboard
):
    before = dashboard(lee)["throughput"]
    version = registry.make_version(
        project,
        mia,
        ravi,
        model=live_endpoint.model,
        snapshot=live_endpoint.alias.version.run.snapshot,
        semver="3.0.0",
    )
    request = registry.asked_request(version, live_endpoint, mia)
    PromotionRequest.objects.filter(pk=request.pk).update(created_at=timezone.now() - timedelta(days=10))
    promotions.reject(
        request_id=request.uuid, actor=lee, reason="No.", password=PASSWORD, seen=request.subject_digest
    )

    found = dashboard(lee)
    assert (found["throughput"].hours, found["throughput"].timed, found["throughput"].rejected) == (
        before.hours,
        1,
        1,
    )
    assert figure(found, "Median approval time")[1] == "of 1 approved request"


def test_the_p95_comes_from_the_added_histograms(day, lee, dashboard):
    latency = {str(histogram.bucket(5.0)): 90, str(histogram.bucket(100.0)): 10}
    day(1, requests=100, answers=100, latency=latency)

    assert dashboard(lee)["rows"][0].p95_ms == pytest.approx(100.0, rel=0.1)


def test_what_lies_before_the_period_does_not_count(day, lee, dashboard):
    day(40, requests=7, answers=7)
    day(1, requests=3, answers=3)

    assert figure(dashboard(lee, weeks="4"), "Requests")[0] == "3"
    assert figure(dashboard(lee, weeks="13"), "Requests")[0] == "10"
    assert dashboard(lee)["weeks"] == 13


@pytest.fixture
def drift(live_endpoint):
    """A report of a window that ended so many hours ago."""

    def make(hours, state, *, version=None, **more):
        end = timezone.now() - timedelta(hours=hours)
        given = {
            "endpoint": live_endpoint,
            "version": version or live_endpoint.alias.version,
            "rows": 100,
            "why": "x",
        } | more
        return DriftReport.objects.create(
            window_start=end - timedelta(hours=1), window_end=end, state=state, bins={"label": []}, **given
        )

    return make


def test_drift_is_that_of_the_newest_scheduled_window_of_the_version_that_is_live(
    live_endpoint, drift, project, mia, ravi, lee, dashboard
):
    replaced = registry.make_version(
        project,
        mia,
        ravi,
        model=live_endpoint.model,
        snapshot=live_endpoint.alias.version.run.snapshot,
        semver="0.9.0",
    )
    newest = drift(2, "drift")
    drift(3, "ok")
    drift(1, "ok", requested=True)
    drift(1, "ok", version=replaced)

    assert dashboard(lee)["rows"][0].drift == "drift"
    found = standing([live_endpoint])[live_endpoint.pk].report
    assert (found, found.get_deferred_fields()) == (newest, {"bins"})


def test_drift_of_more_than_sixty_days_ago_is_none(drift, lee, dashboard):
    drift(61 * 24, "drift")

    assert dashboard(lee)["rows"][0].drift is None


def test_a_budget_reads_the_same_on_the_dashboard_and_among_the_alerts(live_endpoint, lee, dashboard):
    spent = {"bad": 57, "total": 1000, "allowed": 20.0, "left": -1.85, "burn": 3.0, "days_left": 0.0}
    nearly = {"bad": 1, "total": 1000, "allowed": 5.0, "left": 0.004, "burn": 1.0, "days_left": 0.04}
    for kind, budget in (("quality", spent), ("availability", nearly)):
        Objective.objects.create(
            endpoint=live_endpoint, kind=kind, target=0.98, reading={"budget": budget}, read_at=timezone.now()
        )

    texts = [line.text for line in dashboard(lee)["budgets"]]
    assert texts == ["overspent by 185\u00a0%", "0.4\u00a0% left, 0.04 days at the current rate"]
    assert [line.text for line in listing.alerts(lee, {}, None)["budgets"]] == texts


def test_a_lift_that_is_better_does_not_read_as_nothing(live_endpoint, lee):
    kpi = Kpi(
        endpoint=live_endpoint, name="Time saved", unit="h", direction="up", kind="number", holdout_share=0.5
    )
    lift = Lift(SimpleNamespace(difference=Interval(0.004, 0.0001, 0.007), kpi=kpi, reading="better"))

    assert lift.difference == ("+0.004", "+0.0001", "+0.007", "h")


@pytest.fixture
def kpi(live_endpoint, lee):
    return Kpi.objects.create(
        endpoint=live_endpoint,
        name="Settled at once",
        direction=Kpi.Direction.UP,
        kind=Kpi.Kind.SHARE,
        holdout_share=0.1,
        owner=lee,
    )


def outcomes(kpi, arm, n, total):
    day_of(kpi, timezone.now().date(), arm, n, total).save()


@pytest.mark.parametrize(
    ("model", "holdout", "reading"),
    [
        ((900, 720), (100, 55), "better"),
        ((900, 450), (100, 70), "worse"),
        ((900, 720), (100, 72), "no clear difference"),
        ((20, 20), (2, 1), "not enough data"),
        ((900, 720), (300, 165), "sample ratio off"),
        ((20, 20), (20, 1), "sample ratio off"),
    ],
)
def test_lift_is_read_from_its_interval_and_never_with_a_wrong_split(
    kpi, lee, dashboard, model, holdout, reading
):
    outcomes(kpi, "model", *model)
    outcomes(kpi, "holdout", *holdout)

    shown = dashboard(lee)

    assert [each.comparison.reading for each in shown["lifts"]] == [reading]
    words = {
        "better": "better than",
        "worse": "worse than",
        "no clear difference": "not clearly different from",
    }.get(reading)
    assert shown["lede"] == ([("Settled at once is ", words, " the hold-out.")] if words else [])
    assert [(each.kind, each.fact) for each in shown["notes"]] == (
        [("bad", "Settled at once: sample ratio off")] if reading == "sample ratio off" else []
    )


def test_the_dashboard_and_the_page_of_a_figure_show_one_difference(kpi, lee, client_for):
    outcomes(kpi, "model", 900, 720)
    outcomes(kpi, "holdout", 100, 55)

    page = client_for(lee).get(reverse("traffic:kpi", args=[kpi.uuid]))
    card = next(each for each in page.context["figures"] if each.label == "Difference")
    (lift,) = (board := client_for(lee).get("/dashboard/")).context["lifts"]

    shown = lift.difference
    assert (card.value, card.unit, card.sub) == (
        shown.value,
        shown.unit,
        f"{shown.low} to {shown.high}, valid at any time",
    )
    assert shown.with_unit == "+25.0\u00a0points"
    assert all(
        each in board.content.decode()
        for each in (shown.with_unit, f"[{shown.low}, {shown.high}]", f'aria-label="{shown.text}"')
    )


def test_the_difference_is_newcombes_as_wide_as_many_looks_take(kpi, lee, dashboard):
    outcomes(kpi, "model", 900, 720)
    outcomes(kpi, "holdout", 100, 55)

    found = dashboard(lee)["lifts"][0].comparison.difference
    once = newcombe(720, 900, 55, 100)

    assert found.value == once.value
    # 3.1 standard errors in place of 1.96
    assert 1.4 < (found.high - found.low) / (once.high - once.low) < 1.8
