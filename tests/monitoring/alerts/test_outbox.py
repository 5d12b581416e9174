"""What other rooms say happened, and which of it becomes an alert."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from lifecycle.ground.notices import outbox
from monitoring.alerts import actions
from monitoring.alerts.actions import reading
from monitoring.alerts.actions.raising import raise_alert
from monitoring.alerts.models import Alert, Objective
from monitoring.alerts.page import detail
from registry.endpoints.actions import check_problems
from registry.endpoints.models import Deployment
from tests.monitoring.alerts.conftest import NOON
from tests.support import endpoints
from tests.support.endpoints import now, write_status
from tests.support.people import make_project


@pytest.fixture
def happened(live_endpoint, project):
    def append(topic, **payload):
        with transaction.atomic():
            outbox.append(topic, project=project, **payload)
        return actions.read_outbox(NOON)

    return append


@pytest.fixture
def drifted(live_endpoint, happened):
    def drift_event(topic="drift.opened", monitor="confidence", value=0.31, limit=0.2, **more):
        version = str(live_endpoint.alias.version.uuid)
        facts = {"monitor": monitor, "value": value, "limit": limit, "episode": "e1"} | more
        return happened(topic, endpoint=str(live_endpoint.uuid), version=version, **facts)

    return drift_event


def test_drift_is_a_ticket_that_its_end_resolves(drifted, live_endpoint):
    assert drifted() == 1
    alert = Alert.objects.get()
    assert (alert.severity, alert.title, alert.value) == (
        "ticket",
        "inbox/support-inbox-prod: drift in confidence",
        0.31,
    )
    assert alert.text.startswith("Confidence: PSI 0.310, limit PSI 0.200; above its limit.")
    drifted(monitor="length")

    drifted("drift.closed")

    assert [(each.title, each.state) for each in Alert.objects.order_by("id")] == [
        ("inbox/support-inbox-prod: drift in confidence", "resolved"),
        ("inbox/support-inbox-prod: drift in length", "firing"),
    ]


def test_each_window_updates_what_an_open_monitor_measures(drifted, live_endpoint, omar, client_for):
    drifted(monitor="label")

    drifted("drift.measured", monitor="label", value=1.858, limit=0.325)

    alert = Alert.objects.get()
    assert (alert.value, alert.count) == (1.858, 2)
    assert alert.text.startswith("Predicted label: PSI 1.858, limit PSI 0.325; above its limit.")
    assert [(each.label, each.value) for each in detail.alert(omar, alert)["figures"]][3] == (
        "Predicted label",
        "PSI 1.858",
    )
    drifted("drift.measured", monitor="label", value=0.05, limit=0.325)
    assert "back within its limit" in Alert.objects.get().text


def test_a_window_opens_no_alert_that_a_person_has_resolved(drifted, omar):
    drifted()
    actions.resolve(alert_id=Alert.objects.get().uuid, actor=omar, reason="A new product.", seen="firing")

    drifted("drift.measured")

    assert [(each.state, each.count) for each in Alert.objects.all()] == [("resolved", 1)]


def test_a_fall_of_accuracy_is_in_points_as_on_the_page_of_drift(drifted, live_endpoint):
    Objective.objects.create(endpoint=live_endpoint, kind="quality", target=0.85, is_on=True)

    drifted(monitor="accuracy", value=0.165, limit=0.086, accuracy=0.742)

    alert = Alert.objects.get()
    assert detail.measure_of(alert) == ("Accuracy", "down 16.5 points")
    assert alert.text.startswith(
        "Accuracy is below the objective of 85\u00a0% correct predictions. Accuracy: down 16.5 points, limit"
        " 8.6 points; above its limit."
    )


def test_a_ticket_about_drift_ends_when_its_version_is_not_live_any_more(drifted, live_endpoint):
    drifted()
    Deployment.objects.filter(endpoint=live_endpoint).update(ended_at=NOON)

    actions.read_outbox(NOON)

    alert = Alert.objects.get()
    assert (alert.state, alert.resolution) == ("resolved", "Its version is no longer live.")


def test_more_open_tickets_need_no_more_statements(drifted, live_endpoint, project):
    deployment = live_endpoint.deployments.get(ended_at=None)
    for source, key in (
        ("drift", {"monitor": "confidence", "version": str(live_endpoint.alias.version.uuid)}),
        ("load", {}),
    ):
        fields = {
            "source": source,
            "severity": "ticket",
            "title": "One of many",
            "text": "",
            "url": "/",
            "now": NOON,
        }
        raise_alert(endpoint=live_endpoint, key=key | {"deployment": str(deployment.uuid)}, **fields)
    with CaptureQueriesContext(connection) as few:
        assert reading.end_left(NOON) == 0

    for at in range(8):
        other = endpoints.copied(live_endpoint, f"more-{at}")
        raise_alert(
            endpoint=other,
            key={"monitor": "length", "version": str(live_endpoint.alias.version.uuid)},
            **(fields | {"source": "drift"}),
        )
        raise_alert(
            endpoint=other, key={"deployment": str(other.deployments.get(ended_at=None).uuid)}, **fields
        )
    with CaptureQueriesContext(connection) as many:
        assert reading.end_left(NOON) == 0

    assert (len(few), len(many)) == (3, 3)
    assert Alert.objects.exclude(state="resolved").count() == 18


def test_a_ticket_about_drift_ends_with_the_reason_that_its_episode_ended_with(
    drifted, live_endpoint, happened
):
    drifted()
    facts = {
        "endpoint": str(live_endpoint.uuid),
        "version": str(live_endpoint.alias.version.uuid),
        "monitor": "confidence",
    }

    happened("drift.closed", **facts, value=0.1, limit=0.2, reason="1.1.0 answers in its place.")

    assert Alert.objects.get().resolution == "1.1.0 answers in its place."


@pytest.mark.parametrize(
    ("monitor", "accuracy", "target", "is_on", "severity"),
    [
        ("accuracy", 0.89, 0.9, True, "page"),
        ("accuracy", 0.91, 0.9, True, "ticket"),
        ("accuracy", 0.89, 0.9, False, "ticket"),
        ("accuracy", 0.89, None, True, "ticket"),
        ("label", None, 0.9, True, "ticket"),
    ],
)
def test_accuracy_below_the_objective_of_quality_is_a_page(
    live_endpoint, happened, monitor, accuracy, target, is_on, severity
):
    if target:
        Objective.objects.create(endpoint=live_endpoint, kind="quality", target=target, is_on=is_on)
    version = str(live_endpoint.alias.version.uuid)

    happened(
        "drift.opened",
        endpoint=str(live_endpoint.uuid),
        version=version,
        monitor=monitor,
        value=0.06,
        limit=0.02,
        accuracy=accuracy,
    )

    assert Alert.objects.get().severity == severity


@pytest.mark.postgres
def test_what_was_read_is_not_read_again(drifted):
    drifted()

    assert actions.read_outbox(NOON) == 0
    assert Alert.objects.get().count == 1


@pytest.mark.postgres
def test_a_server_that_cannot_follow_the_routes_is_a_page_in_every_project_that_serves(
    happened, live_endpoint, project
):
    happened("endpoints.server_problem", server="a", problem="The signature does not fit.", epoch=7)

    alert = Alert.objects.get()
    assert (alert.severity, alert.project, alert.endpoint) == ("page", project, None)
    assert alert.title == "Inference server a can't apply the current config"
    assert alert.text == "The signature does not fit. It stays on config v7; traffic changes don't reach it."
    happened("endpoints.server_problem", server="b", problem="", epoch=8)
    assert Alert.objects.get().is_open
    happened("endpoints.server_problem", server="a", problem="", epoch=8)
    assert Alert.objects.get().resolution == "The server reports no problems."


def test_the_page_about_a_server_stays_when_the_server_dies_and_ends_when_it_runs_again_without_it(
    live_endpoint,
):
    def look(problem, at):
        write_status(name="a", problem=problem, at=at)
        check_problems()
        actions.read_outbox(NOON)
        return list(Alert.objects.values_list("state", flat=True))

    assert look("The signature does not fit.", now()) == ["firing"]

    assert look("The signature does not fit.", "2026-01-01T00:00:00+00:00") == ["firing"]
    assert look("The signature does not fit.", now()) == ["firing"]
    assert look("", now()) == ["resolved"]


@pytest.mark.postgres
def test_a_version_that_a_server_refuses_is_a_page_until_its_deployment_ends(happened, live_endpoint):
    live = live_endpoint.deployments.get()
    given = {
        "endpoint": str(live_endpoint.uuid),
        "deployment": str(live.uuid),
        "version": str(live.version.uuid),
        "arm": "stable",
    }

    happened("endpoints.load_refused", quarantined=True, **given)

    alert = Alert.objects.get()
    assert (alert.severity, alert.title) == (
        "page",
        "inbox/support-inbox-prod: a server refused to load 1.0.0",
    )
    assert "It's damaged and in quarantine." in alert.text
    assert actions.read_outbox(NOON) == 0
    assert Alert.objects.get().is_open
    Deployment.objects.filter(pk=live.pk).update(ended_at=NOON, ended_by=live.started_by, end_reason="x")
    actions.read_outbox(NOON)
    assert Alert.objects.get().resolution == "The deployment ended."


@pytest.mark.postgres
def test_a_version_that_all_servers_load_again_is_no_alert_any_more(happened, live_endpoint):
    live = live_endpoint.deployments.get()
    about = {
        "endpoint": str(live_endpoint.uuid),
        "deployment": str(live.uuid),
        "version": str(live.version.uuid),
    }
    happened("endpoints.load_recovered", **about)
    happened("endpoints.load_refused", quarantined=False, arm="stable", **about)

    happened("endpoints.load_recovered", **about)

    alert = Alert.objects.get()
    assert (alert.state, alert.resolution) == ("resolved", "All servers have loaded the version.")


def test_a_row_that_cannot_be_read_keeps_no_other_and_no_evaluation_from_running(
    happened, live_endpoint, monkeypatch, caplog
):
    monkeypatch.setitem(reading.HANDLERS, "drift.opened", lambda *_: 1 / 0)
    with transaction.atomic():
        outbox.append("drift.opened", monitor="length")

    assert (
        happened("endpoints.server_problem", server="a", problem="The signature does not fit.", epoch=7) == 2
    )

    assert Alert.objects.get().title == "Inference server a can't apply the current config"
    assert "topic=drift.opened" in caplog.text
    assert actions.read_outbox(NOON) == 0


def test_a_row_comes_again_when_the_database_failed(happened, live_endpoint, monkeypatch):
    def away(*_):
        raise OperationalError("the server closed the connection")

    with monkeypatch.context() as patch:
        patch.setitem(reading.HANDLERS, "endpoints.server_problem", away)
        with pytest.raises(OperationalError):
            happened("endpoints.server_problem", server="a", problem="The signature does not fit.", epoch=7)
    assert not Alert.objects.exists()

    assert actions.read_outbox(NOON) == 1
    assert Alert.objects.get().source == "server"


def test_what_a_server_reports_of_an_endpoint_is_for_its_project_alone(
    happened, live_endpoint, project, monkeypatch
):
    other = make_project("other", "Other")
    monkeypatch.setattr(reading, "serving_projects", lambda: [project, other])

    happened(
        "endpoints.server_problem",
        server="a",
        problem="Endpoint inbox/support-inbox-prod: two stable arms.",
        epoch=7,
    )

    assert list(Alert.objects.order_by("project_id").values_list("project__slug", "text")) == [
        (
            "inbox",
            (
                "Endpoint inbox/support-inbox-prod: two stable arms. It stays on config v7; traffic changes"
                " don't reach it."
            ),
        ),
        (
            "other",
            (
                "It rejected the config because of an endpoint in another project. It stays on config v7;"
                " traffic changes don't reach it."
            ),
        ),
    ]


@pytest.mark.parametrize(
    ("by", "severity"), [(None, "ticket"), ("9d2c7a86-7f28-4f8c-9c0e-0b0b6c5f2a11", "digest")]
)
def test_a_canary_that_was_stopped_is_a_ticket_unless_a_person_did_it(happened, live_endpoint, by, severity):
    live = live_endpoint.deployments.get()

    happened(
        "endpoints.canary_stopped",
        endpoint=str(live_endpoint.uuid),
        deployment=str(live.uuid),
        version=str(live.version.uuid),
        by=by,
    )

    assert (Alert.objects.get().severity, Alert.objects.get().title) == (
        severity,
        "inbox/support-inbox-prod: the canary 1.0.0 was rolled back",
    )


@pytest.mark.parametrize(("by", "alerts"), [(None, 0), ("9d2c7a86-7f28-4f8c-9c0e-0b0b6c5f2a11", 1)])
def test_a_canary_that_a_rollout_rolled_back_is_an_alert_of_the_rollout_alone(
    happened, live_endpoint, by, alerts
):
    live = live_endpoint.deployments.get()

    happened(
        "endpoints.canary_stopped",
        endpoint=str(live_endpoint.uuid),
        deployment=str(live.uuid),
        by=by,
        steered=True,
    )

    assert Alert.objects.count() == alerts


@pytest.mark.parametrize(
    "payload",
    [{}, {"endpoint": "nothing", "deployment": None}, {"endpoint": "00000000-0000-0000-0000-000000000001"}],
)
@pytest.mark.parametrize(
    "topic",
    ["drift.opened", "drift.measured", "drift.closed", "endpoints.load_refused", "endpoints.canary_stopped"],
)
def test_a_payload_about_nothing_is_passed_over(happened, topic, payload):
    assert happened(topic, **payload) == 1
    assert Alert.objects.count() == 0
