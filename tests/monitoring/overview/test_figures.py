"""The figures of the dashboard are those of the rollups, to the digit; what was not measured is said to be so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from monitoring.drift.models import DriftReport
from monitoring.drift.queries import standing
from monitoring.traffic import histogram
from monitoring.traffic.models import Kpi, OutcomeDay
from tests.support import registry


def figure(shown, label):
    return next((each.value, each.sub) for each in shown["figures"] if each.label == label)


def test_without_traffic_nothing_is_called_good(live_endpoint, lee, dashboard):
    shown = dashboard(lee)
    row = shown["rows"][0]

    assert (row.health.kind, row.health.word) == ("half", "no traffic")
    assert (row.right, row.psi, row.p95_ms, row.cost, row.requests) == (None, None, None, None, 0)
    assert [figure(shown, label)[0] for label in ("Available", "Correct (from feedback)", "Engine spend", "Median approval time")][:3] == [
        None
    ] * 3
    assert (shown["kpi"], shown["lifts"], shown["budgets"], shown["cost"], shown["lede"]) == (None, [], [], None, [])


def test_the_strip_adds_up_what_clients_asked_and_leaves_the_shadow_out(day, lee, dashboard, settings):
    settings.PRICE_PER_CORE_HOUR = 0.36
    day(1, requests=100, errors=2, shed=8, refused=10, answers=80, right=15, wrong=5, overrides=2, cpu_us=400_000, timed=80)
    day(2, arm="canary", requests=10, answers=10, cpu_us=50_000, timed=10)
    day(1, arm="shadow", requests=1_000, errors=1_000)

    shown = dashboard(lee)

    assert figure(shown, "Requests") == ("110", "90 texts answered")
    assert figure(shown, "Available") == ("97.83\u00a0%", "2 failed, 8 turned away")  # 2 of 92 that were meant to be answered
    assert figure(shown, "Correct (from feedback)") == ("75.0\u00a0%", "of 20 predictions with feedback; 2 overridden")
    assert shown["rows"][0].cost == pytest.approx(0.5)
    assert shown["rows"][0].right == 0.75
    assert [round(value, 3) for value in shown["rows"][0].interval] == [0.531, 0.888]


def test_what_no_server_could_take_was_not_available(day, lee, dashboard):
    day(1, requests=90, answers=90, lost_milli=10_000)

    assert figure(dashboard(lee), "Available")[0] == "90.00\u00a0%"


def test_a_share_of_few_words_is_not_told(day, lee, dashboard):
    day(1, requests=19, answers=19, right=19)

    row = dashboard(lee)["rows"][0]

    assert (row.right, row.called) == (None, 19)


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
        given = {"endpoint": live_endpoint, "version": version or live_endpoint.alias.version, "rows": 100, "why": "x"} | more
        return DriftReport.objects.create(window_start=end - timedelta(hours=1), window_end=end, state=state, bins={"label": []}, **given)

    return make


def test_drift_is_that_of_the_newest_window_which_nobody_asked_for_of_the_version_that_is_live(
    live_endpoint, drift, project, mia, ravi, lee, dashboard
):
    replaced = registry.make_version(
        project, mia, ravi, model=live_endpoint.model, snapshot=live_endpoint.alias.version.run.snapshot, semver="0.9.0"
    )  # fmt: skip
    newest = drift(2, "drift")
    drift(3, "ok")
    drift(1, "ok", asked=True)
    drift(1, "ok", version=replaced)

    assert dashboard(lee)["rows"][0].drift == "drift"
    found = standing([live_endpoint])[live_endpoint.pk].report
    assert (found, found.get_deferred_fields()) == (newest, {"bins"})


def test_drift_of_more_than_sixty_days_ago_is_none(drift, lee, dashboard):
    drift(61 * 24, "drift")

    assert dashboard(lee)["rows"][0].drift is None


@pytest.fixture
def kpi(live_endpoint, lee):
    return Kpi.objects.create(
        endpoint=live_endpoint, name="Settled at once", direction=Kpi.Direction.UP, kind=Kpi.Kind.SHARE, holdout_share=0.1, owner=lee
    )


def outcomes(kpi, arm, n, total):
    OutcomeDay.objects.create(kpi=kpi, day=timezone.now().date(), arm=arm, n=n, total=total, spread=total - total * total / n)


@pytest.mark.parametrize(
    ("model", "holdout", "reading"),
    [
        ((900, 720), (100, 55), "better"),
        ((900, 450), (100, 65), "worse"),
        ((900, 720), (100, 79), "unclear"),
        ((20, 20), (2, 1), "insufficient data"),
        ((900, 720), (300, 165), "sample ratio off"),
        ((20, 20), (20, 1), "sample ratio off"),
    ],
)
def test_lift_is_read_from_its_interval_and_never_with_a_wrong_split(kpi, lee, dashboard, model, holdout, reading):
    outcomes(kpi, "model", *model)
    outcomes(kpi, "holdout", *holdout)

    shown = dashboard(lee)

    assert [each.comparison.reading for each in shown["lifts"]] == [reading]
    told = {"better": "better than", "worse": "worse than", "unclear": "not clearly different from"}.get(reading)
    assert shown["lede"] == ([("Settled at once is ", told, " the hold-out.")] if told else [])
    assert [(each.kind, each.fact) for each in shown["notes"]] == (
        [("bad", "Settled at once: sample ratio off")] if reading == "sample ratio off" else []
    )


def test_the_difference_is_newcombes(kpi, lee, dashboard):
    outcomes(kpi, "model", 900, 720)
    outcomes(kpi, "holdout", 100, 55)

    found = dashboard(lee)["lifts"][0].comparison.difference

    assert (round(found.value, 4), round(found.low, 4), round(found.high, 4)) == (0.25, 0.1522, 0.3507)
