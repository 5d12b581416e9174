"""Alerts open once, are counted, grow more urgent and end; each end is in the audit log."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitoring.alerts import actions
from monitoring.alerts.models import Alert, Check
from monitoring.alerts.rules.state import Severity, State
from registry.audit.queries import payload_of
from registry.ground.ledger.models import Event
from tests.monitoring.alerts.conftest import NOON


def test_the_same_source_and_key_is_the_same_alert(raised, live_endpoint, project):
    first = raised()
    again = raised(at=NOON + timedelta(minutes=1), value=14.5)
    other = raised(key="b")

    assert (again.pk, again.count, again.first_at, again.last_at) == (
        first.pk,
        2,
        NOON,
        NOON + timedelta(minutes=1),
    )
    assert again.value == 14.5
    assert other.pk != first.pk
    assert len(first.fingerprint) == 64
    assert first.project == project
    live = live_endpoint.deployments.get()
    assert (first.deployment, first.group) == (live, f"{live_endpoint.uuid}:{str(live.uuid)[:8]}")
    assert [event.verb for event in Event.objects.filter(verb="alerts.fired")] == ["alerts.fired"] * 2


def test_an_open_alert_only_grows_more_urgent(raised, omar):
    made = raised("ticket")
    Alert.objects.filter(pk=made.pk).update(
        state=State.ACKNOWLEDGED, acknowledged_by=omar, acknowledged_at=NOON, notified_at=NOON
    )

    lesser = raised("digest")
    assert (lesser.severity, lesser.state) == (Severity.TICKET, State.ACKNOWLEDGED)
    assert not Event.objects.filter(verb="alerts.escalated").exists()

    more = raised("page")
    assert (more.severity, more.state, more.notified_at, more.acknowledged_by) == (
        Severity.PAGE,
        State.FIRING,
        None,
        None,
    )
    event = Event.objects.get(verb="alerts.escalated")
    data = payload_of(event)["payload"]
    assert (event.object_id, data["old"], data["severity"], data["acknowledged_by"]) == (
        str(made.uuid),
        "ticket",
        "page",
        str(omar.uuid),
    )


def test_what_is_over_is_closed_and_what_comes_back_is_a_new_alert(raised, live_endpoint):
    first = raised()

    ended = actions.resolve_alert(
        source="drill", key={"n": "a"}, endpoint=live_endpoint, text="It is over.", now=NOON
    )
    nothing = actions.resolve_alert(
        source="drill", key={"n": "a"}, endpoint=live_endpoint, text="It is over.", now=NOON
    )
    second = raised()

    assert (ended.pk, ended.state, ended.resolution) == (first.pk, State.RESOLVED, "It is over.")
    assert nothing is None
    assert second.pk != first.pk
    assert Event.objects.filter(verb="alerts.resolved").count() == 1


def test_what_ended_before_anyone_was_notified_is_noise_avoided(raised, live_endpoint):
    raised()
    actions.resolve_alert(
        source="drill", key={"n": "a"}, endpoint=live_endpoint, text="It is over.", now=NOON
    )

    check = Check.objects.get()
    assert (check.state, check.why, check.message) == (
        "suppressed",
        "overtaken",
        "It ended before anyone was notified.",
    )


def test_an_alert_of_no_endpoint_belongs_to_a_project(project, db):
    made = actions.raise_alert(
        endpoint=None,
        project=project,
        source="drill",
        key={},
        severity="page",
        title="T",
        text="x",
        url="",
        now=NOON,
    )
    assert (made.project, made.endpoint, made.group) == (project, None, f"{project.uuid}:")

    with pytest.raises(ValueError, match="An alert belongs to an endpoint or to a project."):
        actions.raise_alert(
            endpoint=None, source="drill", key={}, severity="page", title="T", text="x", url=""
        )
    assert Alert.objects.count() == 1


@pytest.mark.postgres
def test_equal_answers_of_five_minutes_are_one_line_of_the_log(live_endpoint):
    for minute in (0, 1, 4, 5):
        at = NOON + timedelta(minutes=minute)
        actions.note_suppressed(endpoint=live_endpoint, source="drift", why="few", text="40 rows.", now=at)
    actions.note_suppressed(
        endpoint=live_endpoint, source="drift", why="few", text="41 rows.", now=NOON + timedelta(minutes=5)
    )

    assert list(Check.objects.order_by("id").values_list("times", "message")) == [
        (3, "40 rows."),
        (1, "40 rows."),
        (1, "41 rows."),
    ]
