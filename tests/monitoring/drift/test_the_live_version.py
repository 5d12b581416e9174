"""After a rollback the pages, the panel, the list and the API are about the version that is live; an address
may name an older report.
"""

import pytest
from django.urls import reverse

from monitoring.drift import actions, page, queries
from monitoring.drift.models import DriftReport, Episode, TextCheck
from registry.endpoints.actions import roll_back
from registry.endpoints.queries.deployments import live_deployment
from tests.monitoring.drift.conftest import ONE_SIDED, day
from tests.support import endpoints


@pytest.fixture
def rolled_back(project, live_endpoint, mia, ravi, lee, gita, omar):
    """1.1.0 was live and drifted; 1.0.0 is live again and has no window yet."""
    found = endpoints.deployed_endpoint(project, versions=2, slug="second")
    left = found.alias.version
    report = DriftReport.objects.create(
        endpoint=found,
        version=left,
        window_start=day(4).start,
        window_end=day(4).end,
        rows=600,
        state="drift",
        why="It drifted.",
    )
    Episode.objects.create(
        endpoint=found, version=left, monitor="label", value=0.3, limit=0.1, opened_at=day(4).end
    )
    roll_back(
        endpoint_id=found.uuid, actor=omar, reason="It drifts.", typed="1.0.0", seen_moves=found.alias.moves
    )
    found.refresh_from_db()
    return report


def test_what_the_version_before_left_is_not_shown_as_todays(rolled_back, omar):
    found = rolled_back.endpoint
    assert live_deployment(found).version_id != rolled_back.version_id

    shown, panel = page.endpoint(omar, found, {}), page.panel(found)

    assert [(each["report"], each["open"], each["word"]) for each in (shown, panel)] == [
        (None, [], "Not measured")
    ] * 2
    assert [row.pk for row, _ in shown["reports"]] == [rolled_back.pk]
    standing = queries.standing([found])[found.pk]
    assert (standing.report, standing.open, queries.open_count(omar)) == (None, [], 0)


def test_a_report_that_the_address_names_is_shown(rolled_back, omar):
    shown = page.endpoint(omar, rolled_back.endpoint, {"report": str(rolled_back.uuid)})

    assert (shown["report"], shown["word"]) == (rolled_back, "Drift: predicted label")


def test_the_api_is_about_the_live_version_too(client_for, rolled_back, omar):
    found = client_for(omar).get(reverse("api-drift", args=[rolled_back.endpoint.uuid])).json()

    assert (found["report"], found["open"], [each["version"] for each in found["episodes"]]) == (
        None,
        [],
        [str(rolled_back.version.uuid)],
    )


def test_counts_as_evaluated_do_not_represent_texts_over_their_limit(traffic, omar):
    report = traffic.measure(2)
    assert (report.state, page.endpoint(omar, traffic.endpoint, {})["word"]) == ("ok", "No drift")
    words = report.results["label"] | {
        "mark": "watch",
        "unit": "AUC",
        "senders": None,
        "design_effect": None,
        "value": 0.7,
        "limit": 0.55,
        "ratio": 4.0,
    }
    TextCheck.objects.create(
        endpoint=report.endpoint,
        version=report.version,
        window_start=day(2).start,
        window_end=day(2).end,
        rows=60,
        reference_rows=60,
        state="watch",
        results={"words": words},
        worst="words",
        ratio=4.0,
    )

    assert page.endpoint(omar, traffic.endpoint, {})["word"] == "Watch"
    assert page.panel(traffic.endpoint)["word"] == "Watch"


@pytest.mark.parametrize("labels", [None, ONE_SIDED])
def test_no_result_over_its_limit_reads_as_evaluated(traffic, labels):
    for number in range(2, 8):
        traffic.measure(number, labels if number % 2 else None, right=20, wrong=90)
    actions.measure(traffic.endpoint, traffic.endpoint.alias.version, day(7), requested=True)

    for report in DriftReport.objects.all():
        over = [
            each
            for each in report.results.values()
            if each["value"] is not None and each["value"] > each["limit"]
        ]
        assert "ok" not in {each["mark"] for each in over}
        assert report.state != "ok" or not over
