"""The pages and the API: with and without htmx; strangers see nothing, the wrong role changes nothing."""

import json
import re

import httpx
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from registry.catalog.models import Alias
from registry.endpoints import client
from registry.endpoints.models import Deployment
from tests.support import endpoints, registry

HTMX = {"HTTP_HX_REQUEST": "true"}
WORDS = {"reason": "Wrong answers.", "typed": "1.0.0", "seen": 2}


@pytest.fixture
def no_server(monkeypatch):
    def refuse(*_, **__):
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(client.httpx, "get", refuse)
    monkeypatch.setattr(client.httpx, "post", refuse)


def url(name, endpoint):
    return reverse(f"endpoints:{name}", args=[endpoint.uuid])


def test_the_page_shows_what_is_live_and_offers_the_way_back(client_for, live_endpoint, omar):
    html = client_for(omar).get(url("detail", live_endpoint)).content.decode()

    assert ('commandfor="roll-back"' in html, 'data-match="1.0.0"' in html) == (True, True)
    assert f'action="{url("roll_back", live_endpoint)}"' in html
    assert '<input type="hidden" name="seen" value="2">' in html
    assert 'data-state="live"' in html
    assert [f'href="{url("deployment", each)}"' in html for each in Deployment.objects.all()] == [True, True]
    assert "/v2/models/inbox/support-inbox-prod/infer" in html


def test_people_who_may_not_roll_back_see_why(client_for, live_endpoint, mia, omar):
    answer, allowed = (client_for(person).get(url("detail", live_endpoint)) for person in (mia, omar))

    html = answer.content.decode()
    assert f'aria-description="{answer.context["why_not"]["roll_back"]}"' in html
    assert (answer.context["why_not"]["roll_back"] != "", allowed.context["why_not"]["roll_back"]) == (
        True,
        "",
    )
    assert ('id="roll-back"' in html, 'commandfor="roll-back"' in html) == (False, False)
    assert 'id="roll-back"' in allowed.content.decode()


@pytest.mark.parametrize(("htmx", "header"), [({}, "Location"), (HTMX, "HX-Redirect")])
def test_rolling_back_with_and_without_htmx(client_for, live_endpoint, omar, htmx, header):
    answer = client_for(omar).post(url("roll_back", live_endpoint), WORDS, **htmx)

    assert answer[header] == url("detail", live_endpoint)
    assert Alias.objects.get(endpoint=live_endpoint).version.semver == "1.0.0"


@pytest.mark.parametrize(
    ("changed", "status"),
    [({"typed": "9"}, 422), ({"reason": ""}, 422), ({"seen": 1}, 409), ({"seen": "x"}, 422)],
)
def test_a_refused_rollback_changes_nothing(client_for, live_endpoint, omar, changed, status):
    assert client_for(omar).post(url("roll_back", live_endpoint), WORDS | changed).status_code == status
    assert Alias.objects.get(endpoint=live_endpoint).version.semver == "1.1.0"


@pytest.mark.parametrize(("person", "status"), [("otto", 404), ("ana", 403), ("mia", 403), ("aida", 403)])
def test_the_wrong_person_changes_nothing(client_for, live_endpoint, request, person, status):
    answer = client_for(request.getfixturevalue(person)).post(url("roll_back", live_endpoint), WORDS)

    assert answer.status_code == status
    assert Deployment.objects.count() == 2


def test_deploying_from_the_page(client_for, live_endpoint, request_, omar):
    html = client_for(omar).get(url("detail", live_endpoint)).content.decode()
    assert f'action="{url("deploy", live_endpoint)}"' in html
    assert f'name="request" value="{request_.uuid}"' in html

    assert client_for(omar).post(url("deploy", live_endpoint), {"request": request_.uuid}).status_code == 302

    live_endpoint.alias.refresh_from_db()
    assert live_endpoint.alias.version == request_.version


def test_an_approval_of_another_endpoint_is_refused(client_for, live_endpoint, project, mia, omar):
    request = endpoints.approved(
        project, registry.make_endpoint(live_endpoint.model, mia), live_endpoint.alias.version
    )

    assert client_for(omar).post(url("deploy", live_endpoint), {"request": request.uuid}).status_code == 422
    assert Deployment.objects.count() == 2


def test_every_page_is_hidden_from_strangers(client_for, live_endpoint, otto, omar):
    deployment = Deployment.objects.first()
    addresses = [
        url("detail", live_endpoint),
        url("servers", live_endpoint),
        reverse("endpoints:deployment", args=[deployment.uuid]),
    ]
    addresses.append(reverse("endpoints:of_version", args=[deployment.version.uuid]))

    assert {client_for(otto).get(address).status_code for address in addresses} == {404}
    shown = [
        "support-inbox-prod" in client_for(person).get(reverse("endpoints:list")).content.decode()
        for person in (otto, omar)
    ]
    assert shown == [False, True]


def test_the_list_asks_as_much_for_many_as_for_one(client_for, live_endpoint, omar):
    browser = client_for(omar)
    browser.get(reverse("endpoints:list"))
    with CaptureQueriesContext(
        connection,
    ) as few:
        browser.get(reverse("endpoints:list"))
    registry.endpoint_rows(live_endpoint, 29)
    with CaptureQueriesContext(connection) as many:
        html = browser.get(reverse("endpoints:list")).content.decode()

    assert html.count("inbox-prod") >= 30
    assert len(many) == len(few)


def test_history_and_the_moment_question(client_for, live_endpoint, aida):
    first = Deployment.objects.order_by("id").first()
    moment = first.started_at.isoformat()

    html = client_for(aida).get(url("detail", live_endpoint), {"at": moment}, **HTMX).content.decode()
    assert html.lstrip().startswith('<div id="as-of"')
    assert 'data-was="1.0.0"' in html
    assert url("deployment", first) in html
    long_ago = client_for(aida).get(url("detail", live_endpoint), {"at": "2001-01-01T00:00"}).content.decode()
    assert 'data-was=""' in long_ago
    assert client_for(aida).get(url("detail", live_endpoint), {"at": "yesterday"}).status_code == 422
    page = client_for(aida).get(reverse("endpoints:deployment", args=[first.uuid])).content.decode()
    assert first.end_reason in page
    assert "1.1.0" in first.end_reason
    of_version = client_for(aida).get(url("of_version", first.version)).content.decode()
    assert of_version.count(f'href="{url("deployment", first)}"') == 1


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_before_the_first_hour_or_after_the_last_is_refused_in_words(
    client_for, live_endpoint, aida, moment
):
    page = client_for(aida).get(url("detail", live_endpoint), {"at": moment})
    api = client_for(aida).get(f"/api/v1/endpoints/{live_endpoint.uuid}/deployments/", {"as_of": moment})

    assert (page.status_code, api.status_code) == (422, 400)
    assert list(page.context["as_of_form"].errors) == ["at"]
    assert 'id="id_at_error"' in page.content.decode()


def test_servers_show_how_far_they_are(client_for, live_endpoint, omar, no_server):
    from registry.endpoints import actions

    epoch = actions.publish()
    endpoints.write_status(epoch=epoch - 1)
    html = client_for(omar).get(url("servers", live_endpoint)).content.decode()
    assert re.findall(r'data-server="(\w+)"', html) == ["wait"]
    assert 'data-ready="unknown" data-applied="0"' in html
    assert f"v{epoch - 1}" in html
    assert "every 1s" in html

    endpoints.write_status(epoch=epoch)
    endpoints.write_status(name="b", epoch=epoch, problem="The routes document was ignored.")
    html = client_for(omar).get(url("servers", live_endpoint), **HTMX).content.decode()
    assert sorted(re.findall(r'data-server="(\w+)"', html)) == ["ok", "warn"]
    assert 'data-ready="unknown" data-applied="2"' in html
    assert f"v{epoch}" in html
    assert "The routes document was ignored." in html
    assert "every 10s" in html


def test_trying_without_a_server_is_a_sentence(client_for, live_endpoint, ana, aida, no_server):
    html = client_for(ana).post(url("try", live_endpoint), {"text": "<script>"}, **HTMX).content.decode()

    assert html.count('class="note bad"') == 1
    assert ("<script>" in html, "&lt;script&gt;" in html) == (False, True)
    assert client_for(ana).post(url("try", live_endpoint), {"text": ""}, **HTMX).status_code == 422
    assert client_for(aida).post(url("try", live_endpoint), {"text": "x"}).status_code == 403


def test_the_api_does_the_same(client_for, live_endpoint, omar, otto, mia):
    api = APIClient()
    api.force_authenticate(omar)
    base = f"/api/v1/endpoints/{live_endpoint.uuid}/"
    found = api.get(base).json()
    assert (found["rollback_to"], found["moves"], found["waiting"]) == ("1.0.0", 2, None)
    assert [each["slug"] for each in api.get("/api/v1/endpoints/").json()] == ["support-inbox-prod"]

    refused = api.post(base + "roll-back/", {"reason": "x", "typed": "1.0.0", "seen_moves": 0}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    made = api.post(base + "roll-back/", {"reason": "x", "typed": "1.0.0", "seen_moves": 2}, format="json")
    assert (made.status_code, made.json()["semver"]) == (201, "1.0.0")
    history = api.get(base + "deployments/").json()["results"]
    assert [row["semver"] for row in history] == ["1.0.0", "1.1.0", "1.0.0"]
    as_of = api.get(base + "deployments/", {"as_of": history[1]["started_at"]}).json()["results"]
    assert [row["uuid"] for row in as_of] == [history[1]["uuid"]]
    assert api.get(base + "deployments/", {"as_of": "x"}).status_code == 400
    assert api.post(base + "deploy/", {"request": str(live_endpoint.uuid)}, format="json").status_code == 422

    api.force_authenticate(otto)
    assert api.get(base).status_code == 404
    api.force_authenticate(mia)
    assert (
        api.post(
            base + "roll-back/", {"reason": "x", "typed": "1.1.0", "seen_moves": 3}, format="json"
        ).status_code
        == 403
    )
    assert json.dumps(history)
