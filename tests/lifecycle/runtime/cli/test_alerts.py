"""Alerts are listed, acknowledged, resolved, and silenced, by a prefix of their id."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from monitoring.alerts import actions
from monitoring.alerts.models import Alert, Objective, Silence
from monitoring.alerts.page.budget import line_of

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def endpoint(live_endpoint):
    return live_endpoint


@pytest.fixture
def raised(endpoint):
    """Returns a function that raises an alert of a drill rule; the same key gives the same alert."""

    def make(key: str = "a", severity: str = "page", title: str = "Errors burn") -> Alert:
        return actions.raise_alert(
            endpoint=endpoint,
            source="drill",
            key={"n": key},
            severity=severity,
            title=title,
            text="14 of 100 requests failed.",
            url=f"/endpoints/{endpoint.uuid}/",
            now=NOON,
        )

    return make


def start(row) -> str:
    return str(row.uuid)[:8]


def test_the_open_ones_are_listed_and_check_is_1(as_person, omar, raised):
    first, second = raised("a"), raised("b", severity="ticket", title="Texts drift")
    actions.resolve(alert_id=second.uuid, actor=omar, reason="A known campaign.", seen="firing")
    command = as_person(omar)

    result = command("alerts", "list", "--check")

    assert result.code == 1
    assert [line.split() for line in result.out.splitlines()] == [
        ["ALERT", "SEVERITY", "STATE", "SINCE", "OCCURRENCES", "TITLE"],
        [start(first), "page", "firing", "2026-11-24", "12:00", "1", "Errors", "burn"],
    ]
    assert [row["uuid"] for row in command("alerts", "list", "--json").json] == [str(first.uuid)]
    assert len(command("alerts", "list", "--all", "--json").json) == 2
    assert command("alerts", "list", "--severity", "ticket").out == "No open alerts.\n"


def test_without_alerts_check_is_0(as_person, omar, endpoint):
    result = as_person(omar)("alerts", "list", "--check")

    assert (result.code, result.out) == (0, "No open alerts.\n")


def test_one_is_shown_by_a_prefix_of_its_id(as_person, omar, endpoint, raised, site):
    alert = raised()

    result = as_person(omar)("alerts", "show", start(alert))

    assert result.code == 0
    assert result.out.splitlines() == [
        "Alert        Errors burn",
        "State        page, firing",
        "Occurrences  1",
        "Since        2026-11-24 12:00",
        "Last         2026-11-24 12:00",
        "Notified     no one",
        f"Act on       {site}/endpoints/{endpoint.uuid}/",
        f"Page         {site}/alerts/{alert.uuid}/",
        "",
        "14 of 100 requests failed.",
    ]


def test_acknowledging_and_resolving_one(as_person, omar, raised):
    alert, command = raised(), as_person(omar)

    taken = command("alerts", "ack", start(alert))
    alert.refresh_from_db()
    assert (taken.code, taken.out) == (0, "You own this alert: Errors burn\n")
    assert (alert.state, alert.acknowledged_by) == ("acknowledged", omar)

    again = command("alerts", "ack", start(alert))
    assert (again.code, again.out) == (1, "")

    ended = command("alerts", "resolve", start(alert), "--reason", "A bad host was taken out.")
    alert.refresh_from_db()
    assert (ended.code, ended.out) == (0, "Resolved: Errors burn\n")
    assert (alert.state, alert.resolution) == ("resolved", "A bad host was taken out.")


def test_acknowledging_without_the_role_names_the_role(as_person, mia, raised):
    alert = raised()

    result = as_person(mia)("alerts", "ack", start(alert))

    alert.refresh_from_db()
    assert (result.code, result.err) == (1, "Only an ML lead or an on-call can do this.\n")
    assert alert.state == "firing"


def test_an_unknown_or_too_short_id_is_refused(as_person, omar, raised):
    raised()
    command = as_person(omar)

    assert (
        command("alerts", "ack", "ab").err == "'ab' is too short. Give at least four letters of the uuid.\n"
    )
    assert command("alerts", "ack", "zzzzzzzz").err.startswith(
        "There is no open alert zzzzzzzz, or you don't have access."
    )


def test_a_silence_of_an_endpoint_starts_and_ends(as_person, omar, endpoint):
    command = as_person(omar)

    result = command(
        "silences",
        "create",
        "--endpoint",
        endpoint.slug,
        "--for",
        "2h",
        "--reason",
        "Load test.",
        "--rule",
        "drift",
    )

    made = Silence.objects.get()
    assert result.code == 0, result.err
    assert result.out.splitlines() == [
        f"No notifications about inbox/support-inbox-prod until {made.until:%Y-%m-%d %H:%M} UTC.",
        f"End it: lifecycle silences end {made.uuid}",
    ]
    assert abs(made.until - datetime.now(UTC) - timedelta(hours=2)) < timedelta(minutes=2)
    assert (made.source, made.reason) == ("drift", "Load test.")
    assert command("silences", "list").out.splitlines()[1].split()[:4] == [
        str(made.uuid),
        "inbox/support-inbox-prod",
        "inbox",
        "drift",
    ]

    assert command("silences", "end", start(made)).out == "Alerts notify again.\n"
    made.refresh_from_db()
    assert made.ended_at
    assert command("silences", "list").out == "No active silences.\n"


def test_a_whole_project_is_silenced_by_its_slug(as_person, omar, endpoint, project):
    result = as_person(omar)("silences", "create", "--project", "inbox", "--for", "1d", "--reason", "Move.")

    assert result.out.startswith("No notifications about inbox until ")
    assert (Silence.objects.get().project, Silence.objects.get().endpoint) == (project, None)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--for", "2h", "--reason", "x"], 2),
        (["--endpoint", "{slug}", "--for", "0h", "--reason", "x"], 2),
        (["--endpoint", "{slug}", "--for", "two", "--reason", "x"], 2),
        (["--endpoint", "{slug}", "--for", "2h"], 2),
        (["--endpoint", "{slug}", "--for", "8d", "--reason", "x"], 1),
    ],
)
def test_an_invalid_silence_silences_nothing(as_person, omar, endpoint, words, code):
    result = as_person(omar)("silences", "create", *(word.format(slug=endpoint.slug) for word in words))

    assert (result.code, result.out) == (code, "")
    assert result.err
    assert not Silence.objects.exists()


def test_objectives_show_not_measured_before_the_first_measurement(as_person, omar, endpoint):
    command = as_person(omar)
    assert (
        command("objectives", "list", endpoint.slug).out
        == "inbox/support-inbox-prod has no objectives yet. Set them on its page.\n"
    )

    actions.set_objective(
        endpoint_id=endpoint.uuid,
        kind="availability",
        target=0.995,
        window_days=30,
        threshold_ms=None,
        actor=omar,
        seen=0,
    )
    result = command("objectives", "list", endpoint.slug)

    assert result.out.splitlines()[1].split() == [
        "availability",
        "99.50",
        "%",
        "30",
        "not",
        "measured",
        "not",
        "measured",
        "–",
        "–",
    ]


@pytest.mark.parametrize(
    ("left", "days", "words"),
    [
        (-1.85, 0.0, "overspent by 185\u00a0%"),
        (0.0004, 0.004, "0.04\u00a0% left, 0.004 days at the current rate"),
    ],
)
def test_a_budget_reads_as_on_the_pages(as_person, omar, endpoint, left, days, words):
    budget = {"bad": 57, "total": 1000, "allowed": 20.0, "left": left, "burn": 3.0, "days_left": days}
    row = Objective.objects.create(
        endpoint=endpoint, kind="quality", target=0.98, reading={"budget": budget}, read_at=timezone.now()
    )

    result = as_person(omar)("objectives", "list", endpoint.slug)

    assert (words.replace("\u00a0", " ") in result.out, line_of(row).text) == (True, words)
