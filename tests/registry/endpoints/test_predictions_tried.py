""" "Test a prediction": what each version that gets traffic predicts, in the form of its task."""

from __future__ import annotations

import re

import httpx
import pytest
from django.urls import reverse

from lifecycle.runtime.task_types.by_key.served import served_of
from registry.endpoints import client, page

HTMX = {"HTTP_HX_REQUEST": "true"}
ID = "8b9f9b5e-0000-4000-8000-000000000001"
REFUND = [
    {"name": "LABEL", "data": ["refund"]},
    {"name": "CONFIDENCE", "data": [0.75]},
    {"name": "SCORES", "data": [0.25, 0.75], "parameters": {"labels": ["billing", "refund"]}},
]


def body_of(outputs, version="Intents 1.1.0", prediction=ID):
    return {"parameters": {"version_label": version, "prediction_id": prediction}, "outputs": outputs}


def url(name, endpoint):
    return reverse(f"endpoints:{name}", args=[endpoint.uuid])


@pytest.fixture
def server(monkeypatch):
    """Answers with `server.answer`, a function of the address, and keeps what was sent."""

    class Server:
        sent: list[tuple[str, dict]] = []

        def answer(self, path):
            return httpx.Response(200, json=body_of(REFUND))

        def post(self, url, *, json, **_):
            self.sent.append((httpx.URL(url).path, json))
            return self.answer(httpx.URL(url).path)

    server = Server()
    server.sent = []
    monkeypatch.setattr(client.httpx, "post", server.post)
    return server


def test_a_label_is_shown_with_the_likeliest_first(client_for, live_endpoint, ana, server):
    html = client_for(ana).post(url("try", live_endpoint), {"text": "money back"}, **HTMX).content.decode()

    (tried,) = re.findall(r'data-version="([^"]+)"', html)
    assert tried == "1.1.0"
    assert "Intents 1.1.0" in html
    assert html.index("75.0") < html.index("25.0")
    assert reverse("traffic:prediction", args=[ID]) in html
    assert [path for path, _ in server.sent] == ["/v2/models/inbox/support-inbox-prod/infer"]


def test_the_live_version_and_its_canary_both_predict(client_for, live_endpoint, canary, ana, server):
    mine, other = live_endpoint.alias.version, canary.version
    server.answer = lambda path: httpx.Response(
        200, json=body_of(REFUND, "live" if str(mine.uuid) in path else "canary")
    )

    html = client_for(ana).post(url("try", live_endpoint), {"text": "money back"}, **HTMX).content.decode()

    assert re.findall(r'data-version="([^"]+)"', html) == [mine.semver, other.semver]
    assert html.index(">live, ") < html.index(">canary, ")
    assert {path for path, _ in server.sent} == {
        f"/v2/models/inbox/support-inbox-prod/versions/{each.uuid}/infer" for each in (mine, other)
    }


def test_a_version_that_refuses_doesnt_hide_the_other(client_for, live_endpoint, canary, ana, server):
    server.answer = lambda path: (
        httpx.Response(503, json={"error": "All slots are <busy>."})
        if str(canary.version.uuid) in path
        else httpx.Response(200, json=body_of(REFUND))
    )

    html = client_for(ana).post(url("try", live_endpoint), {"text": "money back"}, **HTMX).content.decode()

    live, other = html.split("data-version=")[1:]
    assert ("75.0" in live, "75.0" in other) == (True, False)
    assert html.count('class="note bad"') == 1
    assert f"{canary.version.semver}: All slots are &lt;busy&gt;." in html


def test_a_response_that_takes_too_long_is_a_sentence_of_its_own(
    client_for, live_endpoint, ana, server, monkeypatch
):
    def late(*_, **__):
        raise httpx.ReadTimeout("late")

    monkeypatch.setattr(client.httpx, "post", late)
    (tried,) = client.ask(live_endpoint, served_of("single_label"), {"TEXT": ["Hello"]})
    assert (tried.answer, tried.refusal.status) == (None, 503)
    assert f"{client.SECONDS} seconds" in tried.refusal.message


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"parameters": {}, "outputs": []},
        body_of(REFUND[:1]),
        body_of(REFUND, prediction="x"),
        body_of([REFUND[0] | {"data": ["a", "b"]}, *REFUND[1:]]),
    ],
)
def test_a_response_of_another_kind_is_refused(live_endpoint, server, body):
    server.answer = lambda path: httpx.Response(200, json=body)

    (tried,) = client.ask(live_endpoint, served_of("single_label"), {"TEXT": ["Hello"]})

    assert tried.answer is None
    assert "unexpected" in tried.refusal.message


def test_spans_are_marked_in_their_text(client_for, live_endpoint, ana, server, monkeypatch):
    monkeypatch.setattr(page, "served_by", lambda live: served_of("spans"))
    outputs = [
        {"name": "START", "data": [3, 12]},
        {"name": "END", "data": [6, 16]},
        {"name": "LABEL", "data": ["person", "<place>"]},
    ]
    server.answer = lambda path: httpx.Response(200, json=body_of(outputs))

    html = (
        client_for(ana)
        .post(url("try", live_endpoint), {"text": "Is Ana from Rome?"}, **HTMX)
        .content.decode()
    )

    assert re.findall(r'<mark class="true">([^<]+)</mark>', html) == ["Ana", "Rome"]
    assert "&lt;place&gt;" in html


def test_a_ranking_is_tried_with_candidates(client_for, live_endpoint, ana, server, monkeypatch):
    monkeypatch.setattr(page, "served_by", lambda live: served_of("ranking"))
    outputs = [
        {"name": "SCORES", "data": [-1.5, 2.25]},
        {"name": "ORDER", "data": [1, 0]},
        {"name": "RANKS", "data": [1, 0]},
    ]
    server.answer = lambda path: httpx.Response(200, json=body_of(outputs))

    assert client_for(ana).post(url("try", live_endpoint), {"text": "x"}, **HTMX).status_code == 422
    assert server.sent == []
    shown = client_for(ana).get(url("detail", live_endpoint)).content.decode()
    given = {"text": "Where is my refund?", "candidates": "No idea.\n\nIt takes five days."}

    html = client_for(ana).post(url("try", live_endpoint), given, **HTMX).content.decode()

    assert 'name="candidates"' in shown
    assert "CANDIDATES" in shown  # the programs that call the endpoint
    assert [(each["name"], each["shape"], each["data"]) for each in server.sent[0][1]["inputs"]] == [
        ("TEXT", [1], ["Where is my refund?"]),
        ("CANDIDATES", [2], ["No idea.", "It takes five days."]),
    ]
    assert html.index("1. It takes five days.") < html.index("2.250") < html.index("2. No idea.")


def test_a_generated_text_is_shown_as_it_was_written(client_for, live_endpoint, ana, server, monkeypatch):
    monkeypatch.setattr(page, "served_by", lambda live: served_of("generation"))
    outputs = [
        {"name": "RESPONSE", "data": ["Dear <Ana>,\nyes."]},
        {"name": "FINISH", "data": ["length"]},
        {"name": "CONFIDENCE", "data": [0.5]},
        {"name": "TOKENS", "data": [7]},
    ]
    server.answer = lambda path: httpx.Response(200, json=body_of(outputs))

    html = client_for(ana).post(url("try", live_endpoint), {"text": "Is it there?"}, **HTMX).content.decode()

    assert "Dear &lt;Ana&gt;, yes.<" in html  # pages are read with their white space folded
    assert "7 tokens, cut off" in html


def test_the_programs_that_call_the_endpoint_are_those_of_its_task(
    client_for, live_endpoint, ana, monkeypatch
):
    monkeypatch.setattr(page, "served_by", lambda live: served_of("generation"))

    html = client_for(ana).get(url("detail", live_endpoint)).content.decode()

    assert "/v1/chat/completions" in html
    assert "from openai import OpenAI" in html
