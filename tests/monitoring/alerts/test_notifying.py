"""Whom to notify and when: pages at once, tickets together, the rest once a day; what is suppressed is logged
with the reason.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lifecycle.ground.notices.models import Channel, Delivery, Notice
from lifecycle.runtime.refusals import Conflict
from monitoring.alerts import actions
from monitoring.alerts.actions import notifying
from monitoring.alerts.models import Alert, Check, Silence
from monitoring.alerts.rules.state import is_flapping
from registry.ground.ledger.models import Event
from tests.monitoring.alerts.conftest import NOON
from tests.support.unchanged import refused

SECOND, MIN, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def channel(project):
    return Channel.objects.create(
        project=project,
        kind="webhook",
        name="Pager",
        address="https://example.org/x",
        wants=["page", "ticket"],
    )


def notices():
    return sorted(Notice.objects.values_list("user__username", flat=True))


def held():
    return list(Check.objects.filter(state="suppressed").order_by("id").values_list("why", flat=True))


def test_a_page_notifies_on_call_the_lead_and_the_channel_at_once(raised, channel):
    alert = raised("page", value=16.0)

    assert actions.notify_due(NOON) == 1

    assert notices() == ["lee", "omar"]
    assert {notice.text for notice in Notice.objects.all()} == {"Page: Errors burn"}
    sent = Delivery.objects.get()
    assert (sent.subject, sent.url) == ("Page: Errors burn", f"/alerts/{alert.uuid}/")
    assert sent.text == "Errors burn\n14 of 100 requests failed."
    assert sent.data["event"] == "alert.firing"
    assert json.loads(json.dumps(sent.data))["alerts"][0] == {
        "uuid": str(alert.uuid),
        "fingerprint": alert.fingerprint,
        "severity": "page",
        "state": "firing",
        "source": "drill",
        "title": "Errors burn",
        "endpoint": "inbox/support-inbox-prod",
        "value": 16.0,
        "first_at": "2026-11-24T12:00:00+00:00",
        "count": 1,
    }
    assert Alert.objects.get().notified_at == NOON


def test_notifying_takes_the_same_statements_for_one_group_and_for_many(raised):
    def statements():
        with CaptureQueriesContext(connection) as found:
            actions.notify_due(NOON)
        return len(found)

    groups = [raised("ticket", key=str(at)) for at in range(4)]
    Alert.objects.exclude(pk=groups[0].pk).update(state="acknowledged")
    one = statements()

    for alert in groups:
        Alert.objects.filter(pk=alert.pk).update(group=str(alert.pk), state="firing")

    assert statements() == one


def test_it_notifies_once_and_again_after_four_hours_until_someone_acknowledges(raised, channel, omar):
    alert = raised("page")
    for at in (NOON, NOON + MIN, NOON + 4 * HOUR - SECOND):
        actions.notify_due(at)
    assert Delivery.objects.count() == 1

    actions.notify_due(NOON + 4 * HOUR)
    assert Delivery.objects.count() == 2
    actions.acknowledge(alert_id=alert.uuid, actor=omar, seen="firing")
    actions.notify_due(NOON + 9 * HOUR)
    assert Delivery.objects.count() == 2


def test_tickets_wait_half_a_minute_for_each_other_and_are_one_message(raised, channel):
    raised("ticket", key="a", title="First")
    raised("ticket", key="b", title="Second")

    assert actions.notify_due(NOON + 29 * SECOND) == 0
    assert actions.notify_due(NOON + 30 * SECOND) == 2

    sent = Delivery.objects.get()
    assert (sent.subject, sent.url) == ("Ticket: 2 alerts: First", "/alerts/")
    assert sent.text == "First\n14 of 100 requests failed.\n\nSecond\n14 of 100 requests failed."


def test_each_channel_gets_once_what_it_takes_where_a_page_opens_as_a_ticket_of_its_group_falls_due(
    raised, channel, project, monkeypatch
):
    for wants in (["page"], ["ticket"], ["digest"]):
        Channel.objects.create(
            project=project, kind="webhook", name=wants[0], address="https://example.org/x", wants=wants
        )
    ticket, inhibit = raised("ticket", key="t", title="Slow", at=NOON - MIN), notifying.inhibit

    def and_a_page_opens():
        inhibit()
        raised("page", key="p", title="Down")

    monkeypatch.setattr(notifying, "inhibit", and_a_page_opens)
    assert actions.notify_due(NOON) == 2
    actions.notify_due(NOON + MIN)

    page, sent = Alert.objects.get(severity="page"), Delivery.objects.select_related("channel")
    assert {
        (each.channel.name, each.subject, each.url): [row["uuid"] for row in each.data["alerts"]]
        for each in sent
    } == {
        ("Pager", "Page: 2 alerts: Down", "/alerts/"): [str(page.uuid), str(ticket.uuid)],
        ("page", "Page: Down", f"/alerts/{page.uuid}/"): [str(page.uuid)],
        ("ticket", "Ticket: Slow", f"/alerts/{ticket.uuid}/"): [str(ticket.uuid)],
    }
    assert len(sent) == 3
    assert set(Notice.objects.values_list("text", flat=True)) == {"Page: 2 alerts: Down"}


def test_the_next_ticket_of_a_group_waits_five_minutes_after_its_last_message(raised, channel):
    raised("ticket", key="a")
    actions.notify_due(NOON + MIN)
    raised("ticket", key="b", at=NOON + MIN)

    assert actions.notify_due(NOON + 2 * MIN) == 0
    assert actions.notify_due(NOON + 6 * MIN) == 1


def test_a_page_inhibits_the_tickets_of_its_endpoint_until_it_is_over(raised, channel, omar):
    page = raised("page", key="p")
    ticket = raised("ticket", key="t")

    actions.notify_due(NOON + MIN)
    assert Delivery.objects.count() == 1
    assert held() == ["inhibited"]
    assert Alert.objects.get(pk=ticket.pk).inhibited_by == page
    actions.resolve(alert_id=page.uuid, actor=omar, reason="x", seen="firing")
    actions.notify_due(NOON + 10 * MIN)

    assert Alert.objects.get(pk=ticket.pk).inhibited_by is None
    assert Alert.objects.get(pk=ticket.pk).notified_at == NOON + 10 * MIN


def silence(endpoint, project, actor, now, until=HOUR, **more):
    """As the action does it, at a moment of the test."""
    return Silence.objects.create(
        project=project, endpoint=endpoint, until=now + until, reason="Load test", author=actor, **more
    )


def test_a_silenced_page_is_shown_and_logged_and_notifies_when_the_silence_ends(
    raised, channel, live_endpoint, project, omar
):
    silence(live_endpoint, project, omar, NOON)
    alert = raised("page")

    actions.notify_due(NOON)
    assert (Delivery.objects.count(), notices(), held()) == (0, [], ["silenced"])
    assert Check.objects.get().message == "Silenced by Omar until 24 Nov 13:00 UTC."
    actions.notify_due(NOON + HOUR)

    assert Alert.objects.get(pk=alert.pk).notified_at == NOON + HOUR


def test_a_silence_of_one_rule_lets_others_through(raised, live_endpoint, project, omar):
    silence(None, project, omar, NOON, source="drift")
    raised("page", key="a")
    raised("page", key="b", source="drift")

    actions.notify_due(NOON)

    assert list(Alert.objects.filter(notified_at=None).values_list("source", flat=True)) == ["drift"]


def test_an_alert_that_opened_three_times_within_the_hour_is_suppressed_unless_it_stays(
    raised, channel, live_endpoint
):
    for at in (0, 10):
        raised("page", at=NOON + at * MIN)
        actions.notify_due(NOON + at * MIN)
        actions.resolve_alert(
            source="drill", key={"n": "a"}, endpoint=live_endpoint, text="Over.", now=NOON + (at + 5) * MIN
        )
    third = raised("page", at=NOON + 20 * MIN)

    actions.notify_due(NOON + 21 * MIN)
    assert held() == ["flapping"]
    assert Alert.objects.get(pk=third.pk).notified_at is None
    actions.notify_due(NOON + 30 * MIN)

    assert Alert.objects.get(pk=third.pk).notified_at == NOON + 30 * MIN
    assert is_flapping(2, NOON, NOON) is False


def test_a_channel_that_was_notified_gets_the_end(raised, channel, live_endpoint):
    raised("page")
    actions.notify_due(NOON)
    actions.resolve_alert(
        source="drill", key={"n": "a"}, endpoint=live_endpoint, text="It is over.", now=NOON + MIN
    )

    for _ in range(2):
        actions.notify_due(NOON + 2 * MIN)

    end = Delivery.objects.order_by("-id").first()
    assert (end.subject, end.text, end.data["event"]) == (
        "Resolved: Errors burn",
        "It is over.",
        "alert.resolved",
    )
    assert Delivery.objects.count() == 2


@pytest.mark.postgres
def test_the_owner_of_an_objective_is_notified_of_its_ticket(live_endpoint, mia, omar, objective):
    actions.set_objective(
        endpoint_id=live_endpoint.uuid,
        kind="availability",
        target=0.99,
        window_days=30,
        threshold_ms=None,
        actor=omar,
        seen=1,
        owner=mia,
    )
    actions.raise_alert(
        endpoint=live_endpoint,
        source="objective",
        key={"objective": "availability", "severity": "ticket"},
        severity="ticket",
        title="T",
        text="x",
        url="/",
        now=NOON,
    )

    actions.notify_due(NOON + MIN)

    assert notices() == ["lee", "mia", "omar"]


@pytest.mark.postgres
def test_the_digest_is_one_message_a_day_from_eight_on(raised, project, channel):
    Channel.objects.filter(pk=channel.pk).update(wants=["digest"])
    morning = NOON + timedelta(hours=20)
    raised("digest", key="d", title="A canary was stopped by Lee")
    raised("ticket", key="t", title="Length drifts")
    raised("page", key="late", title="Later", at=morning + HOUR)

    assert actions.digest(morning - SECOND) == 0 or morning.hour != 8
    assert actions.digest(morning) == 1
    assert actions.digest(morning + HOUR) == 0

    sent = Delivery.objects.get()
    assert (sent.key, sent.subject) == ("digest:2026-11-25", "Digest: 2 raised, 2 open")
    assert (
        sent.text
        == "Open now\n- Ticket: Length drifts (firing)\n- Page: Later (firing)\n\nRaised since the last"
        " digest\n- Digest: A canary was stopped by Lee (firing)\n- Ticket: Length drifts"
        " (firing)\n\nNothing was suppressed."
    )
    assert notices() == ["lee", "omar"]
    read = Alert.objects.get(severity="digest")
    assert (read.resolution, read.notified_at is None) == ("Included in the digest.", False)
    assert [event.object_id for event in Event.objects.filter(verb="alerts.resolved")] == [str(read.uuid)]


def test_a_digest_alert_never_notifies_alone(raised, channel):
    raised("digest")

    assert actions.notify_due(NOON + HOUR) == 0
    assert Notice.objects.count() == 0


@pytest.mark.postgres
@pytest.mark.parametrize("until", [8 * 24 * HOUR, -MIN])
def test_a_silence_lasts_up_to_seven_days(live_endpoint, project, omar, until):
    from django.utils import timezone

    with refused("until"):
        actions.silence(
            project=project, endpoint=live_endpoint, until=timezone.now() + until, reason="x", actor=omar
        )


@pytest.mark.postgres
def test_a_silence_needs_a_reason_and_ends_once(live_endpoint, project, omar):
    from django.utils import timezone

    with refused("reason"):
        actions.silence(project=project, endpoint=None, until=timezone.now() + HOUR, reason="  ", actor=omar)
    made = actions.silence(
        project=project, endpoint=None, until=timezone.now() + HOUR, reason="Load test", actor=omar
    )
    actions.end_silence(silence_id=made.uuid, actor=omar)

    with refused(by=Conflict):
        actions.end_silence(silence_id=made.uuid, actor=omar)
    assert Silence.objects.get().ended_by == omar
