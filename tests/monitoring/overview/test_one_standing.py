"""The dashboard, the pages of drift, both APIs and the triggers of a retraining have one state of an
endpoint's drift.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from monitoring.drift import page, queries
from monitoring.drift.models import DriftReport, Episode, TextCheck
from monitoring.retraining.queries.facts import drift_of
from tests.support.registry import endpoint_rows

ENDED = timezone.now().replace(microsecond=0) - timedelta(hours=6)


@pytest.fixture
def measured(live_endpoint, lee):
    """What was measured of the live version: the state of its counts, of its texts, and whether a monitor is
    open. requested: whether the texts were compared on request.
    """

    def make(counts, texts, *, is_open=False, ended=ENDED, requested=False):
        where = {
            "endpoint": live_endpoint,
            "version": live_endpoint.alias.version,
            "window_end": ended,
            "rows": 40,
            "why": "x",
        }
        if counts:
            DriftReport.objects.create(window_start=ended - timedelta(hours=24), state=counts, **where)
        if texts:
            TextCheck.objects.create(
                window_start=ended - timedelta(hours=24),
                state=texts,
                reference_rows=60,
                requested=requested,
                **where,
            )
        if is_open:
            Episode.objects.create(
                endpoint=live_endpoint,
                version=live_endpoint.alias.version,
                monitor="label",
                value=0.3,
                limit=0.1,
                opened_at=ENDED - timedelta(days=3),
            )

    return make


@pytest.fixture
def everywhere(live_endpoint, lee, dashboard, client_for):
    """The states and the words for the endpoint's drift wherever it is shown: one of each, if they agree."""

    def read():
        client, version = client_for(lee), live_endpoint.alias.version
        states = {
            dashboard(lee)["rows"][0].drift,
            client.get("/api/v1/dashboard/").json()["models"][0]["drift"],
            client.get(f"/api/v1/endpoints/{live_endpoint.uuid}/drift/").json()["state"],
            drift_of(live_endpoint, version).state or None,
        }
        shown = page.panel(live_endpoint), page.endpoint(lee, live_endpoint, {})
        return states, {page.listing(lee)["lines"][0].word, *(each["word"] for each in shown)}

    return read


@pytest.mark.parametrize(
    ("counts", "texts", "is_open", "state", "word"),
    [
        ("insufficient", None, True, "drift", "Drift: predicted label"),
        ("ok", None, True, "drift", "Drift: predicted label"),
        ("watch", None, True, "drift", "Drift: predicted label"),
        ("failed", None, True, "drift", "Drift: predicted label"),
        ("ok", "drift", False, "watch", "Watch"),
        ("watch", None, False, "watch", "Watch"),
        ("insufficient", "watch", False, "insufficient", "Not enough data"),
        ("ok", "ok", False, "ok", "No drift"),
        (None, "watch", False, None, "Not measured"),
    ],
)
def test_an_endpoint_has_one_state_of_drift(measured, everywhere, counts, texts, is_open, state, word):
    measured(counts, texts, is_open=is_open)

    assert everywhere() == ({state}, {word})


@pytest.mark.parametrize(("days", "state", "word"), [(59, "watch", "Watch"), (61, None, "Not measured")])
def test_what_was_measured_more_than_60_days_ago_counts_nowhere(measured, everywhere, days, state, word):
    measured("watch", None, ended=timezone.now() - timedelta(days=days))

    assert everywhere() == ({state}, {word})


def test_texts_compared_on_request_decide_nothing_and_have_a_name_of_their_own(
    measured, everywhere, live_endpoint, lee, client_for
):
    measured("ok", None)
    measured(None, "watch", requested=True)

    assert everywhere() == ({"ok"}, {"No drift"})
    found = client_for(lee).get(f"/api/v1/endpoints/{live_endpoint.uuid}/drift/").json()
    assert (found["texts"], found["requested_texts"]["state"]) == (None, "watch")
    assert page.endpoint(lee, live_endpoint, {})["check"] is None


def test_the_api_shows_the_texts_that_the_page_shows(measured, live_endpoint, lee, client_for):
    measured("ok", "watch")
    measured(None, "ok", ended=ENDED + timedelta(hours=1))  # after the window of the report

    found = client_for(lee).get(f"/api/v1/endpoints/{live_endpoint.uuid}/drift/").json()

    assert (found["texts"]["state"], found["requested_texts"]) == ("watch", None)
    assert page.endpoint(lee, live_endpoint, {})["check"].state == "watch"


@pytest.mark.parametrize("number", [1, 3])
def test_where_endpoints_stand_takes_four_statements(
    measured, live_endpoint, django_assert_num_queries, number
):
    measured("ok", "ok", is_open=True)
    found = [live_endpoint, *endpoint_rows(live_endpoint, number - 1)]

    with django_assert_num_queries(4):
        assert len(queries.standing(found)) == number


@pytest.mark.parametrize(("is_open", "word"), [(True, "drifting"), (False, "watch")])
def test_what_is_open_or_over_a_limit_is_not_called_healthy(measured, day, lee, dashboard, is_open, word):
    day(1, requests=1000, answers=1000)
    measured("watch", None, is_open=is_open)

    shown = dashboard(lee)

    assert shown["rows"][0].health.word == word
    assert [note.fact for note in shown["notes"]] == []
