"""Fragments, the prediction page and the API: who reads texts, what is not measured, keyset pages."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from monitoring.traffic import charts, queries
from monitoring.traffic.models import Feedback
from registry.access.actions import create_token
from tests.support import endpoints

HTMX = {"HTTP_HX_REQUEST": "true"}


def url(name, subject):
    return reverse(f"traffic:{name}", args=[subject.uuid])


def test_nothing_measured_is_said(client_for, live_endpoint, omar):
    html = client_for(omar).get(url("endpoint", live_endpoint), **HTMX).content.decode()

    assert "Not measured" in html
    assert "<html" not in html


@pytest.mark.parametrize("window", ["1h", "24h", "7d", "nonsense"])
def test_figures_and_charts(client_for, live_endpoint, answered, omar, window):
    answered(endpoints.spool_line(live_endpoint), endpoints.error_line(live_endpoint))

    html = client_for(omar).get(url("endpoint", live_endpoint), {"window": window}).content.decode()

    assert "2 requests," in html
    assert "1 of 2 requests failed," in html
    assert "50.00" in html
    assert 'data-chart="latency-figure"' in html


def test_points_add_up_to_the_summary(answered, live_endpoint):
    answered(*[endpoints.spool_line(live_endpoint) for _ in range(4)], endpoints.error_line(live_endpoint))
    now = datetime.now(UTC)
    for window in queries.WINDOWS.values():
        rows = list(queries.rollups(live_endpoint, now - window.length))
        points = queries.points(rows, window, now)
        assert sum(point.requests for point in points) == 5
        assert sum(point.errors for point in points) == 1
        assert len(points) == window.length / window.step
        assert charts.volume(points, queries.summary(rows, window.length)).figure["data"][0]["name"] in ("1.0.0", "no answer")


def test_texts_are_for_those_who_read_texts(client_for, live_endpoint, answered, ana, omar, otto):
    (made,) = answered(endpoints.spool_line(live_endpoint, ("<b>bold</b>\u202e card", "billing", 0.9)))

    for address in (url("recent", live_endpoint), url("prediction", made)):
        html = client_for(ana).get(address).content.decode()
        assert "&lt;b&gt;bold" in html
        assert "\u202e" not in html
        hidden = client_for(omar).get(address).content.decode()
        assert "bold" not in hidden
        assert "your role does not read texts" in hidden
        assert client_for(otto).get(address).status_code == 404


def test_pages_go_on_by_key(client_for, live_endpoint, answered, ana):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    lines = [endpoints.spool_line(live_endpoint, at=(at + timedelta(seconds=n // 2)).isoformat()) for n in range(40)]
    answered(*lines)
    api = APIClient()
    api.force_authenticate(ana)
    address = f"/api/v1/endpoints/{live_endpoint.uuid}/predictions/"

    first = api.get(address).json()
    second = api.get(address, {"before": first["before"]}).json()

    seen = [row["uuid"] for row in first["results"] + second["results"]]
    assert (len(first["results"]), len(seen), second["before"]) == (30, 40, None)
    assert len(set(seen)) == 40
    html = client_for(ana).get(url("recent", live_endpoint), {"before": first["before"]}).content.decode()
    assert html.count("<tr>") == 11
    assert client_for(ana).get(url("recent", live_endpoint), {"before": "x_9"}).status_code == 200


def test_the_list_asks_as_much_for_many_as_for_one(client_for, live_endpoint, answered, ana):
    browser = client_for(ana)
    answered()
    browser.get(url("recent", live_endpoint))
    with CaptureQueriesContext(connection) as few:
        browser.get(url("recent", live_endpoint))
    answered(*[endpoints.spool_line(live_endpoint) for _ in range(29)])
    with CaptureQueriesContext(connection) as many:
        browser.get(url("recent", live_endpoint))

    assert len(few) == len(many)


def test_feedback_from_the_page(client_for, live_endpoint, answered, ana, aida):
    (made,) = answered()
    assert client_for(ana).post(url("feedback", made), {"right": "no", "label": "refund"}).status_code == 302
    assert Feedback.objects.get().label == "refund"

    assert client_for(ana).post(url("feedback", made), {"right": "no", "label": "billing"}, **HTMX).status_code == 422
    assert client_for(ana).post(url("feedback", made), {}, **HTMX).status_code == 422
    assert client_for(aida).post(url("feedback", made), {"right": "yes"}).status_code == 403
    assert Feedback.objects.count() == 1
    assert "refund" in client_for(ana).get(url("recent", live_endpoint)).content.decode()


def token_client(user, *scopes):
    _, secret = create_token(user=user, name="agent", scopes=list(scopes), days=7)
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return api


def test_feedback_by_token(live_endpoint, answered, ana, otto):
    line = endpoints.spool_line(live_endpoint, ("a", "billing", 0.9), ("b", "refund", 0.9))
    first, second = answered(line)
    address = f"/api/v1/predictions/{line['uuid']}/feedback/"

    made = token_client(ana, "feedback").post(address, {"right": False, "label": "delivery", "index": 1}, format="json")
    assert (made.status_code, made.json()["prediction"]) == (201, str(second.uuid))
    assert token_client(ana, "read").post(address, {"right": True}, format="json").status_code == 403
    assert token_client(otto, "feedback").post(address, {"right": True}, format="json").status_code == 404
    unknown = address.replace(line["uuid"], "8b9f9b5e-0000-4000-8000-000000000001")
    assert token_client(ana, "feedback").post(unknown, {"right": True}, format="json").status_code == 404
    batch = {"feedback": [{"prediction": line["uuid"], "right": True}, {"prediction": line["uuid"], "right": True, "index": 1}]}
    assert token_client(ana, "feedback").post("/api/v1/feedback/", batch, format="json").status_code == 201
    assert Feedback.objects.count() == 3
    assert first.feedback.get().right


def test_the_api_hides_texts_too(live_endpoint, answered, ana, omar, otto):
    (made,) = answered()
    api = APIClient()
    for person, text in ((ana, "I lost my card"), (omar, None)):
        api.force_authenticate(person)
        assert api.get(f"/api/v1/predictions/{made.uuid}/").json()["text"] == text
        assert api.get(f"/api/v1/endpoints/{live_endpoint.uuid}/predictions/").json()["results"][0]["text"] == text
    api.force_authenticate(otto)
    assert api.get(f"/api/v1/predictions/{made.uuid}/").status_code == 404
