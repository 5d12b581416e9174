"""Permissions, scope, and query counts of the dashboard, and its empty states."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from monitoring.alerts.models import Alert
from registry.ground.access.roles import Role
from tests.support import endpoints
from tests.support.people import make_person, make_project

URL = "/dashboard/"


def test_an_empty_project_sees_what_will_be_here(project, lee, client_for):
    answer = client_for(lee).get(URL)

    assert answer.context["rows"] == []
    assert answer.content.decode().count('class="empty"') == 1


def test_someone_elsewhere_sees_nothing_of_it(live_endpoint, client_for):
    stranger = make_person("zoe", project=make_project("Elsewhere", "elsewhere"), role=Role.LEAD)

    assert live_endpoint.slug not in client_for(stranger).get(URL).content.decode()
    assert client_for(stranger).get("/api/v1/dashboard/").json()["models"] == []


def test_the_page_shows_not_measured_where_it_is_not(live_endpoint, lee, client_for):
    answer = client_for(lee).get(URL)

    text = answer.content.decode()
    assert text.count('class="st off"') + text.count('<dd class="none">') >= 5
    assert "PRICE_PER_CORE_HOUR" in text
    (health,) = (each.health for each in answer.context["rows"])
    assert health.kind == "half"  # no traffic comes before what is partly measured
    assert f'<span class="st half">{health.word}</span>' in text


def test_a_page_and_a_ticket_are_first_among_what_needs_attention(live_endpoint, project, lee, dashboard):
    now = timezone.now()
    for severity, title in (("ticket", "Drift of words"), ("page", "Availability burns")):
        Alert.objects.create(
            fingerprint=title,
            project=project,
            endpoint=live_endpoint,
            group="g",
            source="objective",
            severity=severity,
            title=title,
            text="Look at it.",
            first_at=now,
            last_at=now,
        )

    shown = dashboard(lee)

    assert [(note.kind, note.fact) for note in shown["notes"]] == [
        ("bad", "Availability burns"),
        ("warn", "Drift of words"),
    ]
    assert shown["rows"][0].health.word == "alert open"


def test_an_old_page_does_not_vanish_behind_newer_tickets(live_endpoint, project, lee, dashboard):
    now = timezone.now()
    for at in range(60):
        Alert.objects.create(
            fingerprint=str(at),
            project=project,
            endpoint=live_endpoint,
            group="g",
            source="objective",
            severity="ticket" if at else "page",
            title=f"Alert {at}",
            text="Look.",
            first_at=now,
            last_at=now,
        )

    shown = dashboard(lee)

    assert [note.fact for note in shown["notes"][:2]] == ["Alert 0", "Alert 59"]
    assert [(each.value, each.sub) for each in shown["figures"] if each.label == "Open pages"] == [
        ("1", "59 tickets")
    ]
    assert shown["rows"][0].health.why == "1 open alert with severity page."


def test_what_drifts_together_is_one_note(live_endpoint, project, lee, dashboard):
    now = timezone.now()
    for monitor in ("confidence", "length", "oov"):
        Alert.objects.create(
            fingerprint=monitor,
            project=project,
            endpoint=live_endpoint,
            group="g",
            source="drift",
            key={"monitor": monitor},
            severity="ticket",
            title=f"{monitor} drifts",
            text="Look.",
            url="/drift/",
            first_at=now,
            last_at=now,
        )

    notes = dashboard(lee)["notes"]

    assert [(note.fact, note.url) for note in notes] == [("inbox/support-inbox-prod is drifting", "/drift/")]
    assert notes[0].text.startswith("Confidence, length and unknown words stay above their limits")


def test_one_endpoint_and_many_take_the_same_statements(live_endpoint, day, lee, dashboard):
    day(1, requests=5, answers=5)

    def statements():
        with CaptureQueriesContext(
            connection,
        ) as found:
            dashboard(lee)
        return len(found)

    before = statements()
    for at in range(4):
        day(1, endpoint=endpoints.copied(live_endpoint, f"other-{at}"), requests=5, answers=5)

    assert statements() == before
    assert len(dashboard(lee)["rows"]) == 5


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("?weeks=4&project=&kpi=", 200),
        ("?weeks=oops", 400),
        ("?project=oops", 400),
        ("?kpi=oops&weeks=26", 400),
    ],
)
def test_an_address_that_asks_for_what_is_not_there_shows_nothing(
    live_endpoint, lee, client_for, address, status
):
    assert client_for(lee).get(URL + address).status_code == status


def test_the_api_gives_the_figures_of_the_page(live_endpoint, day, lee, client_for):
    day(1, requests=100, errors=1, answers=99, right=30, wrong=10)

    data = client_for(lee).get("/api/v1/dashboard/?weeks=4").json()

    model = data["models"][0]
    assert (
        model["endpoint"],
        model["version"],
        model["requests"],
        model["right"],
        model["with_feedback"],
    ) == (
        "inbox/support-inbox-prod",
        "1.0.0",
        100,
        0.75,
        40,
    )
    assert (model["psi"], model["drift"], model["cost"]) == (None, None, None)
    assert (data["weeks"], data["governance"]["requested"], data["governance"]["votes"]) == (4, 1, 2)


def test_the_api_refuses_a_visitor(client, db):
    assert client.get("/api/v1/dashboard/").status_code == 401
