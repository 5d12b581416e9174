"""The dashboard, the pages of drift and both APIs say the same of an endpoint's drift."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from monitoring.drift import page
from monitoring.drift.models import DriftReport, Episode, TextCheck

ENDED = timezone.now().replace(microsecond=0) - timedelta(hours=6)


@pytest.fixture
def measured(live_endpoint, lee):
    """What was measured of the live version: the state of its counts, of its texts, and whether a monitor stands open."""

    def make(counts, texts, *, is_open):
        where = {"endpoint": live_endpoint, "version": live_endpoint.alias.version, "window_end": ENDED, "rows": 40, "why": "x"}
        if counts:
            DriftReport.objects.create(window_start=ENDED - timedelta(hours=24), state=counts, **where)
        if texts:
            TextCheck.objects.create(window_start=ENDED - timedelta(hours=24), state=texts, reference_rows=60, **where)
        if is_open:
            Episode.objects.create(
                endpoint=live_endpoint, version=live_endpoint.alias.version, monitor="label", value=0.3, limit=0.1,
                opened_at=ENDED - timedelta(days=3),
            )  # fmt: skip

    return make


@pytest.mark.parametrize(
    ("counts", "texts", "is_open", "state", "word"),
    [
        ("insufficient", None, True, "drift", "Drift: predicted label"),
        ("ok", None, True, "drift", "Drift: predicted label"),
        ("watch", None, True, "drift", "Drift: predicted label"),
        ("failed", None, True, "drift", "Drift: predicted label"),
        ("ok", "drift", False, "watch", "Watch"),
        ("watch", None, False, "watch", "Watch"),
        ("insufficient", "watch", False, "insufficient", "Insufficient data"),
        ("ok", "ok", False, "ok", "As evaluated"),
        (None, "watch", False, None, "Not measured"),
    ],
)
def test_an_endpoint_has_one_state_of_drift(measured, live_endpoint, lee, dashboard, client_for, counts, texts, is_open, state, word):
    measured(counts, texts, is_open=is_open)
    client = client_for(lee)

    assert {
        "dashboard": dashboard(lee)["rows"][0].drift,
        "dashboard API": client.get("/api/v1/dashboard/").json()["models"][0]["drift"],
        "drift API": client.get(f"/api/v1/endpoints/{live_endpoint.uuid}/drift/").json()["state"],
    } == dict.fromkeys(("dashboard", "dashboard API", "drift API"), state)
    shown = page.panel(live_endpoint), page.endpoint(lee, live_endpoint, {})
    assert [page.listing(lee)["lines"][0].word, *(each["word"] for each in shown)] == [word] * 3


@pytest.mark.parametrize(("is_open", "told"), [(True, "drifting"), (False, "watch")])
def test_what_is_open_or_over_a_limit_is_not_called_healthy(measured, day, lee, dashboard, is_open, told):
    day(1, requests=1000, answers=1000)
    measured("watch", None, is_open=is_open)

    shown = dashboard(lee)

    assert shown["rows"][0].health.word == told
    assert [note.fact for note in shown["notes"]] == []
