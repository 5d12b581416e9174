"""Senders: predictions of few senders widen the limits, are sampled from the whole window, and are unknown
where no key is sent.
"""

import importlib
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from monitoring.drift import answers, page, queries
from monitoring.traffic import queries as figures
from monitoring.traffic.models import Prediction
from tests.monitoring.drift.conftest import ONE_SIDED, day

# the package exports functions of the same names
baselines = importlib.import_module("monitoring.drift.actions.baseline")
measuring = importlib.import_module("monitoring.drift.actions.measure")
LABELS = [label for label, count in ONE_SIDED.items() for _ in range(count)]


@pytest.fixture
def answered(live_endpoint, traffic):
    """Keeps the answers behind a day's rollup; key: of each by its place."""

    def keep(key, labels=LABELS, number=2, text=None):
        span = day(number)
        made = [
            Prediction(
                endpoint=live_endpoint,
                version=live_endpoint.alias.version,
                at=span.start + at * (span.end - span.start) / len(labels),
                code=200,
                latency_ms=1,
                label=label,
                confidence=0.97,
                chars=20,
                key=key(at),
                text=text and text(at),
            )
            for at, label in enumerate(labels)
        ]
        Prediction.objects.bulk_create(made)

    return keep


@pytest.mark.postgres
def test_answers_of_few_senders_widen_the_limit_and_the_page_and_the_api_show_it(
    client_for, traffic, answered, omar
):
    answered(lambda at: f"sender {at // 100}")  # each gets one label, or two

    report = traffic.measure(2, ONE_SIDED)

    found = report.results["label"]
    assert found["senders"] == 6
    assert found["design_effect"] > 50
    assert found["ratio"] < 1  # without senders it is twice its limit
    assert found["mark"] == "ok"
    line = next(each for each in page.monitor_lines(report, None) if each.monitor == "label")
    assert line.senders == f"6, effect {found['design_effect']:.1f}"
    client = client_for(omar)
    assert (
        line.senders in client.get(reverse("drift:endpoint", args=[traffic.endpoint.uuid])).content.decode()
    )
    result = client.get(reverse("api-drift", args=[traffic.endpoint.uuid])).json()["report"]["results"][
        "label"
    ]
    assert (result["senders"], result["design_effect"]) == (6, found["design_effect"])


def test_where_each_sender_asks_once_the_limit_stays(traffic, answered):
    answered(lambda at: f"sender {at}")

    found = traffic.measure(2, ONE_SIDED).results["label"]

    assert (found["senders"], found["design_effect"]) == (600, pytest.approx(1, abs=0.01))
    assert found["ratio"] > 1.5


@pytest.mark.parametrize("key", ["", "service"])
def test_without_keys_or_with_one_alone_requests_are_taken_as_independent_and_the_page_shows_it(
    client_for, traffic, answered, omar, key
):
    answered(lambda _: key)

    report = traffic.measure(2, ONE_SIDED)

    assert {each["senders"] for each in report.results.values()} == {None}
    assert report.results["label"]["ratio"] > 1.5
    answer = client_for(omar).get(reverse("drift:endpoint", args=[traffic.endpoint.uuid]))
    (shown,) = {line.senders for line in answer.context["lines"] if line.value}
    assert not re.search(r"\d", shown)
    assert f">{shown}</td>" in answer.content.decode()


@pytest.mark.postgres
def test_what_is_drawn_comes_from_the_whole_window_the_same_each_time(live_endpoint, answered):
    answered(lambda at: str(at), LABELS * 10, text=lambda at: f"text {at}")
    answered(lambda at: "other day", number=3, text=lambda at: f"another {at}")
    span, version = day(2), live_endpoint.alias.version

    drawn = figures.sampled(live_endpoint, span.start, span.end, version, 1000, 6000)
    texts = figures.drawn_texts(live_endpoint, span.start, span.end, 300, version)

    assert drawn == figures.sampled(live_endpoint, span.start, span.end, version, 1000, 6000)
    places = sorted(int(each.key) for each in drawn)
    assert 850 <= len(places) <= 1150
    assert all(60 <= sum(low <= at < low + 600 for at in places) <= 140 for low in range(0, 6000, 600))
    neighbours = sum(later - at == 1 for at, later in zip(places, places[1:], strict=False))
    assert 110 <= neighbours <= 220  # a sixth of them, as chance has it
    assert len(texts) == 300
    assert len({each.text for each in texts}) == 300
    hours = [each.at.hour for each in texts]
    assert (min(hours), max(hours)) == (0, 23)
    assert figures.drawn_texts(live_endpoint, span.start, span.end, 300, version) == texts


def test_the_answers_behind_an_expected_macro_f1_come_from_the_whole_window_the_same_each_time(
    live_endpoint, answered
):
    answered(lambda _: "", [f"part {at // 600}" for at in range(6000)])
    answered(lambda _: "", ["other day"] * 600, number=3)
    version = live_endpoint.alias.version

    drawn = queries.scores_of(live_endpoint, version, day(2), 6000)

    assert drawn == queries.scores_of(live_endpoint, version, day(2), 6000)
    assert len(drawn) == queries.F1_ROWS
    parts = Counter(label for label, _ in drawn)
    assert len(parts) == 10
    assert all(20 <= count <= 80 for count in parts.values())  # of the newest, all would be of the last part


def test_all_are_drawn_where_they_are_few(live_endpoint, answered):
    answered(lambda at: str(at), text=lambda at: f"text {at}")
    span, version = day(2), live_endpoint.alias.version

    assert len(figures.sampled(live_endpoint, span.start, span.end, version, 10_000, 600)) == 600
    assert len(figures.drawn_texts(live_endpoint, span.start, span.end, 1000, version)) == 600
    assert len(figures.drawn_scores(live_endpoint, span.start, span.end, 1000, version, 600)) == 600


def test_near_duplicates_of_the_evaluation_count_together_and_the_page_shows_it(
    client_for, traffic, omar, monkeypatch
):
    whole = baselines.evaluations.rows_of
    doubled = np.arange(60) // 2

    def paired(evaluation):
        found = whole(evaluation)
        # a row without numbers is left out, and its place among the groups too
        mask = np.where(np.arange(60) == 7, np.nan, 1.0)[:, None]
        return replace(found, probabilities=found.probabilities * mask, clusters=doubled)

    monkeypatch.setattr(baselines.evaluations, "rows_of", paired)

    report = traffic.measure(2)

    groups = report.baseline.calibration["groups"]
    assert (report.baseline.rows, groups["clusters"], groups["squares"][2]) == (59, 30, 29 * 4 + 1)
    html = client_for(omar).get(reverse("drift:endpoint", args=[traffic.endpoint.uuid])).content.decode()
    assert "59 test rows in 30 groups" in html


def test_more_answers_need_no_more_statements(traffic, answered):
    counted = []
    for number, times in ((2, 1), (3, 5)):
        answered(lambda at: f"sender {at % 50}", LABELS * times, number=number)
        traffic.write(day(number).start, {label: count * times for label, count in ONE_SIDED.items()})
        with CaptureQueriesContext(connection) as seen:
            answers.figures_of(
                traffic.endpoint, traffic.endpoint.alias.version, day(number), len(LABELS) * times
            )
        counted.append(len(seen))

    assert counted == [2, 2]
