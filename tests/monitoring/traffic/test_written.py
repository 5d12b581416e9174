"""Refusals, repetition, and empty responses in production, by sender, beside the evaluation."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.intervals import wilson
from lifecycle.runtime.task_types.by_key.served import served_of
from monitoring.traffic import actions, queries, senders
from monitoring.traffic.spool import parse
from tests.support import endpoints
from tests.support.asked import asked, generated

REFUSAL, TWICE = "I'm sorry, but I can't help with that.", "one two three four one two three four"


def test_a_mean_is_by_sender_with_wilsons_interval():
    sums, keys = {}, [f"{n:016x}" for n in range(40)]
    for key in keys:
        for number in range(5):
            senders.add_written(sums, {"words": 7, "refusals": float(number == 0), "repetition": 0.25}, key)

    found = senders.written_share(sums, "refusals")
    groups = {}
    for key in keys:
        above, below = groups.get(senders.group_of(key), (0, 0))
        groups[senders.group_of(key)] = above + 1, below + 5
    expected = clustered.share(clustered.sums(*zip(*groups.values(), strict=True)))

    assert (found.value, found.low, found.high) == (expected.value, expected.low, expected.high)
    assert (found.rows, found.senders, found.value) == (200, len(groups), 0.2)
    assert senders.written_share(sums, "repetition").value == 0.25
    assert senders.of_written(sums, "words").above == 1_400


def test_without_keys_responses_are_independent_and_none_is_no_point():
    sums = {}
    for _ in range(50):
        senders.add_written(sums, {"words": 7, "refusals": 0.0}, "")

    found = senders.written_share(sums, "refusals")

    assert (found.value, round(found.low, 9), found.high, found.senders) == (0.0, 0.0, wilson(0, 50)[1], None)
    assert senders.written_share({}, "refusals") is None


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("look at it", {"words": 3, "refusals": 0.0, "repetition": 0.0, "empty_answers": 0.0}),
        (REFUSAL, {"words": 8, "refusals": 1.0, "repetition": 0.0, "empty_answers": 0.0}),
        (TWICE, {"words": 8, "refusals": 0.0, "repetition": 0.2, "empty_answers": 0.0}),
        (" …", {"words": 0, "refusals": 0.0, "repetition": 0.0, "empty_answers": 1.0}),
    ],
)
def test_the_server_spools_how_a_text_is_written(text, written):
    answer = {"text": text, "finish": "stop", "tokens": 5, "confidence": 0.5}

    (entry,) = served_of("generation").spooled([answer], [answer], None)

    assert entry["written"] == written


@pytest.mark.django_db
def test_responses_are_counted_up_to_the_day_where_no_text_is_kept(writer):
    at = timezone.now() - timedelta(days=2)
    lines = [
        generated(writer, keep_text=False, text=text, at=(at + timedelta(minutes=number)).isoformat())
        for number, text in enumerate([REFUSAL, TWICE, " ", "look at your account"])
    ]
    asked(writer, *lines)
    actions.build_rollups()

    total = queries.total(writer, at - timedelta(days=1), timezone.now())

    assert {name: found.value for name, found in total.manner.items()} == {
        "refusals": 0.25,
        "repetition": 0.05,
        "empty_answers": 0.25,
    }
    assert (total.mean_words, {found.rows for found in total.manner.values()}) == (5.0, {4})


@pytest.mark.django_db
def test_the_page_and_the_api_show_them_beside_the_evaluation(writer, client_for, mia):
    asked(writer, *(generated(writer, text=REFUSAL) for _ in range(40)))

    page = client_for(mia).get(reverse("traffic:endpoint", args=[writer.uuid]), {"window": "1h"})

    (arm,) = page.context["written"]
    verdicts = {each.title: each.verdict for each in arm.measures}
    assert (arm.semver, arm.arm, arm.rows) == ("1.0.0", "stable", 40)
    assert verdicts == {"Refusals": "worse", "Repetition": "unclear", "Empty responses": "unclear"}
    assert 'data-written="stable"' in page.content.decode()
    api = APIClient()
    api.force_authenticate(mia)
    found = api.get(f"/api/v1/endpoints/{writer.uuid}/series/").json()["total"]
    assert (found["manner"]["refusals"]["value"], found["mean_words"]) == (1.0, 8.0)
    assert found["manner"]["refusals"]["high"] == 1.0


@pytest.mark.django_db
def test_other_tasks_have_none(live_endpoint, client_for, mia):
    endpoints.write_segment(endpoints.spool_line(live_endpoint))
    actions.ingest()

    page = client_for(mia).get(reverse("traffic:endpoint", args=[live_endpoint.uuid]), {"window": "1h"})

    assert (page.status_code, page.context["written"]) == (200, [])


RIGHT = {"words": 3, "refusals": 0.0, "repetition": 0.5, "empty_answers": 0}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [{}, [], "words", {"words": -1}, {"refusals": 2}, {"repetition": "x"}],
)
def test_a_line_that_says_it_otherwise_is_refused(live_endpoint, wrong):
    line = endpoints.spool_line(live_endpoint)
    line["outputs"][0]["written"] = RIGHT
    (row,) = parse(json.dumps(line).encode())
    line["outputs"][0]["written"] = RIGHT | wrong if isinstance(wrong, dict) and wrong else wrong

    assert row.written == RIGHT
    with pytest.raises(ValueError):
        parse(json.dumps(line).encode())
