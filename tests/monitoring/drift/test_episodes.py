"""When a monitor opens and closes, and what follows from it."""

import pytest

from lifecycle.ground.notices.models import Outbox
from monitoring.drift import actions, queries
from monitoring.drift.models import Episode
from registry.ground.ledger.models import Event
from tests.monitoring.drift.conftest import EVEN, ONE_SIDED, day
from tests.support import endpoints, registry

BAD, GOOD = ONE_SIDED, EVEN


@pytest.fixture
def opened(traffic):
    for number in (2, 3, 4):
        traffic.measure(number, BAD)
    return Episode.objects.get()


def test_it_opens_with_the_third_of_five_windows_and_not_before(traffic):
    reports = [
        traffic.measure(number, labels) for number, labels in enumerate([BAD, GOOD, BAD, GOOD], start=2)
    ]
    assert [report.state for report in reports] == ["watch", "ok", "watch", "ok"]
    assert not Episode.objects.exists()

    report = traffic.measure(6, BAD)

    row = Episode.objects.get()
    assert (row.monitor, row.opened_at, row.closed_at) == ("label", day(6).end, None)
    assert row.value == pytest.approx(report.results["label"]["value"])
    assert (report.state, report.results["label"]["mark"]) == ("drift", "drift")
    assert report.why.startswith("Predicted label: PSI ")
    assert report.why.endswith("exceeded in 3 of the last 5 windows.")


def test_opening_is_published_and_in_the_audit_log(opened):
    payload = Outbox.objects.get(topic="drift.opened").payload

    assert payload == {
        "endpoint": str(opened.endpoint.uuid),
        "version": str(opened.version.uuid),
        "monitor": "label",
        "value": opened.value,
        "limit": opened.limit,
        "episode": str(opened.uuid),
    }
    event = Event.objects.get(verb="drift.opened")
    assert (event.object_id, event.actor) == (str(opened.uuid), "system")


def test_an_open_monitor_does_not_open_twice(traffic, opened):
    traffic.measure(5, BAD)

    assert Episode.objects.get() == opened
    assert Outbox.objects.filter(topic="drift.opened").count() == 1


def test_each_window_of_an_open_monitor_is_published_with_what_it_measured(traffic, opened):
    report = traffic.measure(5, GOOD)
    traffic.measure(6, {"billing": 10})

    payload = Outbox.objects.get(topic="drift.measured").payload
    assert (payload["monitor"], payload["episode"], payload["value"]) == (
        "label",
        str(opened.uuid),
        report.results["label"]["value"],
    )
    standing = queries.standing([traffic.endpoint])[traffic.endpoint.pk]
    assert standing.reading(opened) == queries.Reading(
        opened.value, opened.limit, opened.opened_at, newest=False
    )


@pytest.mark.postgres
def test_it_closes_after_three_quiet_windows(traffic, opened):
    reports = [traffic.measure(number, GOOD) for number in (5, 6)]
    assert [report.state for report in reports] == ["drift", "drift"]

    assert traffic.measure(7, GOOD).state == "ok"

    opened.refresh_from_db()
    assert opened.closed_at == day(7).end
    assert opened.end_reason == "Three windows in a row were well below the limit."
    assert Outbox.objects.get(topic="drift.closed").payload["episode"] == str(opened.uuid)
    assert Event.objects.filter(verb="drift.closed").count() == 1
    assert queries.open_episodes(traffic.endpoint) == []


def test_windows_with_too_little_data_neither_close_nor_open(traffic, opened):
    reports = [traffic.measure(number, {"billing": 10}) for number in (5, 6, 7, 8)]

    assert [report.state for report in reports] == ["insufficient"] * 4
    assert (
        reports[0].why == "10 predictions; at least 50 are needed. Still open from before: Predicted label."
    )
    assert queries.open_episodes(traffic.endpoint) == [opened]


def test_a_requested_measurement_opens_and_closes_nothing(traffic, live_endpoint):
    for number in (2, 3):
        traffic.measure(number, BAD)
    traffic.write(day(4).start, BAD)

    report = actions.measure(live_endpoint, live_endpoint.alias.version, day(4), requested=True)

    assert (report.requested, report.results["label"]["mark"]) == (True, "watch")
    assert not Episode.objects.exists()


@pytest.fixture
def newer(project, live_endpoint, ravi, mia):
    """1.1.0, which no one deployed yet."""
    snapshot = live_endpoint.alias.version.run.snapshot
    return registry.make_version(
        project, mia, ravi, model=live_endpoint.model, snapshot=snapshot, semver="1.1.0", wrong=0
    )


def test_open_episodes_end_as_soon_as_their_version_is_not_live(project, traffic, opened, newer):
    endpoints.deploy(project, traffic.endpoint, newer)

    actions.tick(day(4).end)

    opened.refresh_from_db()
    assert (opened.closed_at, opened.end_reason) == (day(4).end, "1.1.0 replaced it.")
    assert Outbox.objects.get(topic="drift.closed").payload["episode"] == str(opened.uuid)
    assert queries.open_episodes(traffic.endpoint) == []


def test_a_late_window_of_a_version_that_is_not_live_opens_and_closes_nothing(
    project, traffic, live_endpoint, newer
):
    old = live_endpoint.alias.version
    for number in (2, 3):
        traffic.measure(number, BAD)
    endpoints.deploy(project, live_endpoint, newer)
    for number in (5, 6, 7):
        traffic.write(day(number).start, BAD, version=newer)
        actions.measure(traffic.endpoint, newer, day(number))
    opened = Episode.objects.get()
    traffic.write(day(4).start, BAD, version=old)

    report = actions.measure(traffic.endpoint, old, day(4))

    assert (report.results["label"]["overs"], report.state) == (3, "watch")
    assert queries.open_episodes(traffic.endpoint) == [opened]
    assert (opened.version, opened.opened_at) == (newer, day(7).end)
    assert not Outbox.objects.filter(topic="drift.closed").exists()


def test_a_small_difference_that_is_sure_opens_nothing(traffic):
    """40 against 33 percent in 60,000 answers: no chance, and too small to matter."""
    labels = {"billing": 24000, "delivery": 18000, "refund": 18000}
    reports = [traffic.measure(number, labels) for number in (2, 3, 4)]

    found = reports[-1].results["label"]
    assert (found["value"] < found["limit"], found["mark"], reports[-1].state) == (True, "ok", "ok")
    assert not Episode.objects.exists()
