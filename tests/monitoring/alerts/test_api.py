"""Alerts over REST: the same actions, refusals and roles as the pages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from monitoring.alerts import actions
from monitoring.alerts.models import Alert, Objective, Silence

JSON = "application/json"
OBJECTIVE = {"kind": "latency", "target": 0.99, "threshold_ms": 100.0, "window_days": 28, "seen": 0}


def post(client, path, **body):
    return client.post(f"/api/v1/{path}", body, content_type=JSON)


@pytest.mark.postgres
def test_objectives_are_set_read_and_switched_off(client_for, omar, mia, live_endpoint, traffic):
    now = timezone.now()
    traffic(2, 0, 1000, now=now, latency={"60": 1000})
    path = f"endpoints/{live_endpoint.uuid}/objectives/"

    made = post(client_for(omar), path, **OBJECTIVE, owner=str(mia.uuid)).json()
    assert (made["kind"], made["target"], made["owner"], made["revision"], made["budget"]) == (
        "latency",
        0.99,
        str(mia.uuid),
        1,
        None,
    )
    assert post(client_for(omar), path, **OBJECTIVE).status_code == 409
    assert post(client_for(mia), path, **OBJECTIVE).status_code == 403
    refused = post(client_for(omar), path, **OBJECTIVE | {"threshold_ms": None, "seen": 1})
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["threshold_ms"])

    actions.evaluate(now)
    (read,) = client_for(mia).get(f"/api/v1/{path}").json()["results"]
    assert (read["state"], read["budget"]["left"], read["burns"]["1\u00a0h"]) == ("ok", 1.0, 0.0)
    off = post(client_for(omar), f"objectives/{made['uuid']}/switch/", is_on=False, seen=1).json()
    assert (off["is_on"], Objective.objects.get().is_on) == (False, False)


@pytest.mark.postgres
def test_alerts_are_listed_by_filter_read_taken_and_ended(client_for, omar, mia, raised, monkeypatch):
    monkeypatch.setattr("monitoring.alerts.queries.PAGE", 1)
    page, ticket = raised("page", key="p", title="A page"), raised("ticket", key="t", title="A ticket")
    client = client_for(omar)

    first = client.get("/api/v1/alerts/").json()
    assert ([row["title"] for row in first["results"]], first["before"]) == (["A ticket"], ticket.pk)
    second = client.get("/api/v1/alerts/", {"before": first["before"]}).json()
    assert ([row["title"] for row in second["results"]], second["before"]) == (["A page"], None)
    assert [row["uuid"] for row in client.get("/api/v1/alerts/", {"severity": "page"}).json()["results"]] == [
        str(page.uuid)
    ]
    assert client.get("/api/v1/alerts/", {"severity": "loud"}).status_code == 400

    path = f"alerts/{page.uuid}/"
    assert client.get(f"/api/v1/{path}").json()["checks"] == []
    assert post(client_for(mia), f"{path}acknowledge/", seen="firing").status_code == 403
    assert post(client, f"{path}acknowledge/", seen="firing").json()["acknowledged_by"] == str(omar.uuid)
    assert post(client, f"{path}resolve/", seen="firing", reason="x").status_code == 409
    assert (
        post(client, f"{path}resolve/", seen="acknowledged", reason="A client").json()["resolution"]
        == "A client"
    )
    assert Alert.objects.get(pk=page.pk).resolved_by == omar


@pytest.mark.postgres
def test_a_silence_is_made_listed_and_ended(client_for, omar, mia, otto, project, live_endpoint):
    given = {
        "endpoint": str(live_endpoint.uuid),
        "until": (timezone.now() + timedelta(hours=1)).isoformat(),
        "reason": "Load test",
    }

    assert post(client_for(mia), "silences/", **given).status_code == 403
    assert post(client_for(otto), "silences/", **given).status_code == 422
    assert post(client_for(omar), "silences/", **given | {"endpoint": None}).status_code == 400
    assert Silence.objects.count() == 0
    made = post(client_for(omar), "silences/", **given)
    assert made.status_code == 201
    assert [row["reason"] for row in client_for(mia).get("/api/v1/silences/").json()["results"]] == [
        "Load test"
    ]
    assert post(client_for(omar), f"silences/{made.json()['uuid']}/end/").json()["ended_at"]
    assert client_for(mia).get("/api/v1/silences/").json()["results"] == []


@pytest.mark.postgres
def test_a_channels_secret_is_in_the_response_that_creates_it_and_nowhere_else(client_for, omar, project):
    given = {
        "project": str(project.uuid),
        "kind": "webhook",
        "name": "Pager",
        "address": "https://example.org/token/x",
        "wants": ["page"],
    }
    client = client_for(omar)

    made = post(client, "channels/", **given).json()
    assert made["secret"].startswith("whsec_")
    (listed,) = client.get("/api/v1/channels/").json()["results"]
    assert ("secret" in listed, listed["host"]) == (False, "example.org")
    renewed = post(client, f"channels/{made['uuid']}/secret/", seen=1).json()
    assert renewed["secret"] not in ("", made["secret"])
    assert post(client, f"channels/{made['uuid']}/change/", wants=["ticket", "digest"]).json()["wants"] == [
        "digest",
        "ticket",
    ]
    assert post(client, f"channels/{made['uuid']}/test/", once="a").json()["state"] == "waiting"
    private = post(client, "channels/", **given | {"name": "Inside", "address": "http://10.0.0.1/"})
    assert (private.status_code, list(private.json()["fields"])) == (422, ["address"])


@pytest.mark.parametrize("path", ["alerts/", "alerts/suppressed/"])
def test_lists_take_a_constant_number_of_statements(
    client_for, omar, raised, live_endpoint, path, django_assert_max_num_queries
):
    client = client_for(omar)

    def ask():
        with django_assert_max_num_queries(12) as found:
            client.get(f"/api/v1/{path}")
        return len(found)

    raised("ticket", key="first")
    actions.note_suppressed(endpoint=live_endpoint, source="drift", why="few", text="0 rows.")
    few = ask()
    for at in range(15):
        raised("ticket", key=at)
        actions.note_suppressed(endpoint=live_endpoint, source="drift", why="few", text=f"{at + 1} rows.")
    assert ask() == few
