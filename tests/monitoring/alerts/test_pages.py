"""The pages of alerts: what is open first, one alert with what to do, budgets and burn rows, silences,
channels, and who may do what.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from lifecycle.ground.notices.models import Channel, Delivery
from monitoring.alerts import actions, queries
from monitoring.alerts.models import Alert, Objective, Silence

HTMX = {"HX-Request": "true"}


def url(name, *args):
    return reverse(f"alerts:{name}", args=args)


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def burning(objective, traffic, now):
    """An objective that burns, evaluated."""
    traffic(2, 80, 1000, now=now)
    actions.evaluate(now)
    actions.notify_due(now)
    return Alert.objects.get(severity="page")


def test_an_empty_list_shows_what_to_do(client_for, omar, live_endpoint):
    answer = client_for(omar).get(url("list"))

    page = answer.content.decode()
    assert (answer.context["open"], answer.context["rows"]) == ([], [])
    assert f'<a class="btn" href="{url("endpoint", live_endpoint.uuid)}"' in page
    assert 'data-watch="never"' in page
    actions.beat(timezone.now())
    assert "data-watch" not in client_for(omar).get(url("list")).content.decode()


def test_open_alerts_come_first_then_what_is_over(client_for, omar, raised, now):
    old = raised("ticket", at=now, key="old", title="Old ticket")
    actions.resolve(alert_id=old.uuid, actor=omar, reason="A client was broken", seen="firing")
    raised("ticket", at=now, key="t", title="A ticket")
    raised("page", at=now, key="p", title="A page")

    page = client_for(omar).get(url("list")).content.decode()

    assert page.index("A page") < page.index("A ticket") < page.index("Old ticket")
    assert "A client was broken" in page


def test_an_old_page_does_not_vanish_behind_newer_tickets(omar, raised, live_endpoint, monkeypatch):
    monkeypatch.setattr(queries, "COUNT_MAX", 2)
    monkeypatch.setattr(queries, "PAGE", 2)
    page, _, newest = raised("page", key="a"), raised("ticket", key="b"), raised("ticket", key="c")

    assert queries.open_alerts(omar) == [page, newest]
    assert queries.open_of(live_endpoint) == [page, newest]


def test_what_is_over_is_filtered_and_paged_by_key(client_for, omar, raised, live_endpoint, now, monkeypatch):
    monkeypatch.setattr("monitoring.alerts.queries.PAGE", 2)
    for at in range(3):
        made = raised("ticket", at=now, key=at, title=f"Number {at}")
        actions.resolve(alert_id=made.uuid, actor=omar, reason="x", seen="firing")
    client = client_for(omar)

    first = client.get(url("list"), {"severity": "ticket"}).content.decode()
    key = Alert.objects.get(title="Number 1").pk
    assert "Number 2" in first
    assert "Number 0" not in first
    assert f"?severity=ticket&amp;before={key}" in first
    second = client.get(url("list"), {"severity": "ticket", "before": key}).content.decode()
    assert ("Number 0" in second, "Number 2" in second) == (True, False)
    none = client.get(url("list"), {"severity": "page"})
    assert (none.context["rows"], none.context["filtered"]) == ([], True)
    assert "Number " not in none.content.decode()
    fragment = client.get(url("list"), headers=HTMX).content.decode()
    assert fragment.lstrip().startswith('<div id="alerts"')


def test_the_list_takes_the_same_number_of_statements_however_much_burns(
    client_for, omar, raised, objective, now, django_assert_max_num_queries, django_assert_num_queries
):
    client = client_for(omar)
    client.get(url("list"))

    def ask(limit):
        with django_assert_max_num_queries(limit) as found:
            client.get(url("list"), headers=HTMX)
        return len(found)

    few = ask(30)
    for at in range(20):
        raised("ticket", at=now, key=at)
    assert ask(30) == few


def test_an_alert_shows_what_happens_what_to_do_and_what_was_measured(client_for, omar, burning):
    answer = client_for(omar).get(url("detail", burning.uuid))

    page = answer.content.decode()
    assert "16.0" in burning.title
    assert f"<h1>{burning.title}</h1>" in page
    assert 'data-step="1"' in page
    assert f'href="{reverse("endpoints:detail", args=[burning.endpoint.uuid])}"' in page
    assert re.findall(r'data-state="(\w+)"', page) == ["firing"]
    assert [line.event.verb for line in answer.context["events"]][-1] == "alerts.fired"
    assert answer.context["why_not"] == ""
    assert answer.context["why_not_resolve"] in page
    assert 'commandfor="resolve"' not in page


@pytest.mark.postgres
def test_an_alert_is_acknowledged_and_a_stale_page_changes_nothing(client_for, omar, lee, raised, now):
    alert = raised("page", at=now)

    answer = client_for(omar).post(url("acknowledge", alert.uuid), {"seen": "firing"})
    assert (answer.status_code, answer["Location"]) == (302, url("detail", alert.uuid))
    again = client_for(lee).post(url("acknowledge", alert.uuid), {"seen": "firing"})

    assert again.status_code == 409
    assert Alert.objects.get(pk=alert.pk).acknowledged_by == omar


def test_an_alert_is_resolved_with_a_reason(client_for, omar, raised, now):
    alert = raised("page", at=now)
    client = client_for(omar)

    assert client.post(url("resolve", alert.uuid), {"seen": "firing", "reason": " "}).status_code == 422
    assert (
        client.post(
            url("resolve", alert.uuid), {"seen": "firing", "reason": "A client was broken"}
        ).status_code
        == 302
    )

    done = Alert.objects.get(pk=alert.pk)
    assert (done.state, done.resolution, done.resolved_by) == ("resolved", "A client was broken", omar)


@pytest.mark.postgres
def test_what_still_burns_is_not_resolved_by_hand(client_for, omar, burning):
    answer = client_for(omar).post(url("resolve", burning.uuid), {"seen": "firing", "reason": "I wish"})

    assert answer.status_code == 422
    assert Alert.objects.get(pk=burning.pk).is_open


@pytest.mark.parametrize("person", ["mia", "gita", "ana"])
def test_who_may_only_look_sees_buttons_that_show_why_not(client_for, person, request, raised, now):
    client, alert = client_for(request.getfixturevalue(person)), raised("page", at=now)

    page = client.get(url("detail", alert.uuid)).content.decode()
    assert 'commandfor="resolve"' not in page
    assert page.count('aria-disabled="true"') == page.count("aria-description=") == 2
    allowed = client_for(request.getfixturevalue("omar")).get(url("detail", alert.uuid)).content.decode()
    assert ('commandfor="resolve"' in allowed, "aria-disabled" in allowed) == (True, False)
    assert client.post(url("acknowledge", alert.uuid), {"seen": "firing"}).status_code == 403
    assert Alert.objects.get(pk=alert.pk).state == "firing"


def test_the_endpoint_page_shows_budgets_burn_rows_and_proposals(client_for, omar, live_endpoint, burning):
    answer = client_for(omar).get(url("endpoint", live_endpoint.uuid))

    page = answer.content.decode()
    assert re.findall(r'id="(\w+)" data-state="(\w+)"', page) == [
        ("availability", "on"),
        ("latency", "unset"),
        ("quality", "unset"),
    ]
    assert "99.5\u00a0%" in page
    assert "1,500\u00a0%" in page
    assert "1\u00a0h / 5\u00a0min" in page
    assert 'id="budget-availability-figure"' in page
    latency = {each.kind: each for each in answer.context["held"]}["latency"]
    assert latency.proposal.threshold_ms == 500.0
    assert latency.proposal.why in page


def test_the_endpoint_page_takes_a_constant_number_of_statements(
    client_for, omar, live_endpoint, traffic, now, django_assert_max_num_queries
):
    for kind, target, slow in (
        ("availability", 0.995, None),
        ("latency", 0.99, 100.0),
        ("quality", 0.9, None),
    ):
        actions.set_objective(
            endpoint_id=live_endpoint.uuid,
            kind=kind,
            target=target,
            window_days=30,
            threshold_ms=slow,
            actor=omar,
            seen=0,
        )
    client = client_for(omar)

    def ask():
        with django_assert_max_num_queries(40) as found:
            client.get(url("endpoint", live_endpoint.uuid), headers=HTMX)
        return len(found)

    traffic(60, 1, 100, now=now)
    few = ask()
    for minute in range(50):
        traffic(minute, 1, 100, now=now)
    assert ask() == few


def form(seen, **more):
    return {
        "availability-target": "99.9",
        "availability-window_days": "28",
        "availability-seen": str(seen),
    } | more


def test_an_objective_is_set_on_the_page(client_for, omar, live_endpoint):
    answer = client_for(omar).post(url("set_objective", live_endpoint.uuid, "availability"), form(0))

    assert (answer.status_code, answer["Location"]) == (302, url("endpoint", live_endpoint.uuid))
    made = Objective.objects.get()
    assert (made.target, made.window_days, made.revision) == (0.999, 28, 1)
    off = client_for(omar).post(url("switch_objective", made.uuid), {"seen": "1"})
    assert off.status_code == 302
    assert Objective.objects.get().is_on is False


@pytest.mark.postgres
def test_an_objective_that_does_not_fit_comes_back_with_what_is_wrong(client_for, omar, live_endpoint):
    given = form(0, **{"availability-target": "100"})

    plain = client_for(omar).post(url("set_objective", live_endpoint.uuid, "availability"), given)
    fragment = client_for(omar).post(
        url("set_objective", live_endpoint.uuid, "availability"), given, headers=HTMX
    )

    assert (plain.status_code, fragment.status_code) == (422, 422)
    refused = {each.kind: each.form for each in plain.context["held"]}["availability"]
    assert list(refused.errors) == ["target"]
    assert 'id="id_availability-target_error"' in plain.content.decode()
    assert fragment.content.decode().lstrip().startswith('<div id="objectives"')
    assert Objective.objects.count() == 0


def test_a_stale_form_of_an_objective_answers_409(client_for, lee, live_endpoint, objective):
    answer = client_for(lee).post(url("set_objective", live_endpoint.uuid, "availability"), form(0))

    assert answer.status_code == 409
    assert Objective.objects.get().target == 0.995


def test_the_panel_is_a_part_of_the_endpoints_page(client_for, mia, live_endpoint, burning):
    client = client_for(mia)

    fragment = client.get(url("panel", live_endpoint.uuid), headers=HTMX).content.decode()
    assert fragment.lstrip().startswith('<section class="panel w12" id="alerts-panel">')
    assert f'href="{url("detail", burning.uuid)}">{burning.title}</a>' in fragment
    assert "<h1>" in client.get(url("panel", live_endpoint.uuid)).content.decode()


@pytest.mark.postgres
def test_an_endpoint_is_silenced_and_notifies_again(client_for, omar, mia, live_endpoint):
    given = {
        "where": f"endpoint:{live_endpoint.uuid}",
        "source": "",
        "hours": "168",
        "reason": "Planned load test",
    }

    assert client_for(mia).post(url("silences"), given).status_code == 422
    assert Silence.objects.count() == 0
    assert client_for(omar).post(url("silences"), given).status_code == 302
    made = Silence.objects.get()
    assert "Planned load test" in client_for(mia).get(url("silences")).content.decode()
    assert made.until - made.created_at <= timedelta(days=7)
    assert client_for(omar).post(url("end_silence", made.uuid)).status_code == 302
    assert client_for(omar).post(url("end_silence", made.uuid)).status_code == 409


@pytest.mark.postgres
def test_a_webhooks_secret_is_shown_once(client_for, omar, project, settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    given = {
        "project": str(project.uuid),
        "kind": "webhook",
        "name": "Pager",
        "address": "http://127.0.0.1:9/x",
        "wants": ["page"],
    }
    client = client_for(omar)

    made = client.post(url("channels"), given)

    assert made.status_code == 200
    assert "whsec_" in made.content.decode()
    assert "whsec_" not in client.get(url("channels")).content.decode()
    assert "127.0.0.1" in client.get(url("channels")).content.decode()
    channel = Channel.objects.get()
    again = client.post(url("new_secret", channel.uuid), {"seen": "1"})
    assert "whsec_" in again.content.decode()
    assert client.post(url("new_secret", channel.uuid), {"seen": "1"}).status_code == 409


@pytest.mark.parametrize("seen", ["", "x", "9" * 5000, "2"])
def test_a_secret_is_not_replaced_by_a_form_that_saw_another(client_for, omar, project, seen):
    channel = Channel.objects.create(
        project=project, kind="webhook", name="Duty", address="https://hooks.example.org/", wants=["page"]
    )

    answer = client_for(omar).post(url("new_secret", channel.uuid), {"seen": seen})

    assert answer.status_code == 409
    assert Channel.objects.get().serial == 1


@pytest.mark.postgres
def test_a_channel_into_the_inside_is_refused_beside_its_field(client_for, omar, project):
    given = {
        "project": str(project.uuid),
        "kind": "webhook",
        "name": "Pager",
        "address": "http://127.0.0.1:9/x",
        "wants": ["page"],
    }

    answer = client_for(omar).post(url("channels"), given)

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["address"]
    assert 'id="id_address_error"' in answer.content.decode()
    assert Channel.objects.count() == 0


@pytest.mark.postgres
def test_a_channel_is_tested_and_switched_off(client_for, omar, mia, project):
    channel = Channel.objects.create(
        project=project, kind="webhook", name="Pager", address="https://example.org/x", wants=["page"]
    )
    client = client_for(omar)

    assert client.post(url("test_channel", channel.uuid), {"once": "1"}).status_code == 302
    assert client_for(mia).post(url("test_channel", channel.uuid), {"once": "2"}).status_code == 403
    assert Delivery.objects.get().subject == "Test of Pager"
    assert client.post(url("switch_channel", channel.uuid), {}).status_code == 302
    assert Channel.objects.get().is_on is False


@pytest.mark.postgres
def test_a_word_of_the_form_with_nul_sends_a_test_all_the_same(client_for, omar, project):
    channel = Channel.objects.create(
        project=project, kind="webhook", name="Pager", address="https://example.org/x", wants=["page"]
    )

    assert client_for(omar).post(url("test_channel", channel.uuid), {"once": "a\0b"}).status_code == 302
    assert Delivery.objects.get().key == "test:a b"


def test_a_double_click_sends_one_test_and_is_not_refused(client_for, omar, project):
    channel = Channel.objects.create(
        project=project, kind="webhook", name="Pager", address="https://example.org/x", wants=["page"]
    )
    client = client_for(omar)
    pages = [client.get(url("channels")).content.decode() for _ in range(2)]
    once, other = (re.search(r'name="once" value="([^"]+)"', page)[1] for page in pages)
    assert once != other

    assert [client.post(url("test_channel", channel.uuid), {"once": once}).status_code for _ in range(2)] == [
        302,
        302,
    ]
    assert Delivery.objects.get().key == f"test:{once}"
    assert client.post(url("test_channel", channel.uuid), {"once": other}).status_code == 409


def test_what_was_suppressed_is_listed_with_why(client_for, gita, objective, traffic, now):
    traffic(2, 1, 1, now=now)
    actions.evaluate(now)

    answer = client_for(gita).get(url("suppressed"))
    page = answer.content.decode()
    assert set(re.findall(r'data-why="(\w+)"', page)) == {"few"}
    assert [line["check"].message.partition(" requests")[0] for line in answer.context["lines"]] == ["1 of 1"]
    assert answer.context["lines"][0]["check"].message in page
    none = client_for(gita).get(url("suppressed"), {"why": "silenced"})
    assert (none.context["lines"], none.context["filtered"]) == ([], True)
    assert "data-why" not in none.content.decode()


def test_a_stranger_sees_nothing(client_for, otto, omar, burning, live_endpoint):
    client = client_for(otto)
    mine = client_for(omar).get(url("list")).content.decode()
    assert (str(burning.uuid) in mine, burning.title in mine) == (True, True)

    page = client.get(url("list")).content.decode()
    assert (str(burning.uuid) in page, burning.title in page) == (False, False)
    for page in (
        url("detail", burning.uuid),
        url("endpoint", live_endpoint.uuid),
        url("panel", live_endpoint.uuid),
    ):
        assert client.get(page).status_code == 404


def test_the_navigation_counts_what_burns(client_for, omar, otto, burning):
    from monitoring.alerts import queries

    assert queries.burning(omar) == 2
    assert queries.burning(otto) == 0
