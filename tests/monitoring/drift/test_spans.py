"""Drift of spans: how dense and how long they are, and the share of texts with each type."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from django.urls import reverse
from scipy import stats

from lifecycle.runtime.task_types.spans.measures import SpanPredictions
from lifecycle.runtime.task_types.spans.served import entry
from lifecycle.runtime.task_types.spans.tagging import Found
from lifecycle.runtime.task_types.spans.watched import ENTRY
from monitoring.drift import actions, reference
from monitoring.drift.actions.measure import look
from monitoring.drift.measuring import accuracy, figures, shifts
from monitoring.drift.measuring.figures import Figures
from monitoring.drift.measuring.measured import Reference
from monitoring.drift.models import Episode
from monitoring.drift.rules import ALPHA, Monitor
from monitoring.drift.senders import of_answers
from monitoring.traffic import queries as traffic
from monitoring.traffic.counts import Counts
from monitoring.traffic.queries import Sampled
from tests.monitoring.drift.conftest import day, live_from, send
from tests.support.spans import spans_snapshot

DENSITY, LENGTH = ENTRY.figures
HALF = {"0": 500, "11": 300, "31": 200}  # no spans, and two densities


def text_with(count: int, chars: int = 100, key: str = "") -> Sampled:
    """A sampled text with so many spans, each of ten characters."""
    places = [{"start": 10 * at, "end": 10 * at + 10, "label": "thing"} for at in range(count)]
    return Sampled(key, ("thing",) if count else (), 0.9 if count else None, chars, None, {"spans": places})


def known(**histograms: dict[str, int]) -> Reference:
    """An evaluation of 1,000 rows."""
    return Reference(1000, histograms, {"labels": ["thing"], "several": True, "groups": None})


def psi(before: list[int], now: list[int]) -> float:
    """Of counts, by its definition, smoothed by half a row in each bin."""
    shares = [[(each + 0.5) / (sum(side) + 0.5 * len(side)) for each in side] for side in (before, now)]
    return sum((b - a) * math.log(b / a) for a, b in zip(*shares, strict=True))


# ── The figures of a text ───────────────────────────────────────────────────
def test_density_is_by_100_characters_and_length_the_mean_of_a_text():
    value: dict[str, Any] = {
        "spans": [{"start": 0, "end": 4, "label": "a"}, {"start": 9, "end": 16, "label": "a"}]
    }

    assert (DENSITY.of(value, 50), LENGTH.of(value, 50)) == (4.0, 5.5)
    assert (DENSITY.of({"spans": []}, 50), LENGTH.of({"spans": []}, 50)) == (0, None)
    assert DENSITY.of({"spans": []}, 0) is None


def test_what_is_watched_of_a_text_is_what_the_server_spools():
    names = ("thing", "wish")
    truth = (((0, 4, 0), (5, 9, 0)), (), ((0, 2, 1),))
    found = (
        (Found(0, 4, 0, 0.8), Found(5, 9, 0, 0.6)),
        (),
        (Found(0, 3, 1, 0.7),),
    )

    seen = ENTRY.observed(
        SpanPredictions(names, ("1", "2", "3"), truth, found, np.zeros(3), np.ones(3), np.arange(3))
    )

    assert seen.labels == [("thing",), (), ("wish",)]
    assert seen.right.tolist() == [True, True, False]
    assert seen.confidence[[0, 2]].tolist() == [0.7, 0.7]
    assert np.isnan(seen.confidence[1])
    assert seen.values == [
        {"spans": [{"start": 0, "end": 4, "label": "thing"}, {"start": 5, "end": 9, "label": "thing"}]},
        {"spans": []},
        {"spans": [{"start": 0, "end": 3, "label": "wish"}]},
    ]
    assert (seen.ids, seen.clusters.tolist(), seen.probabilities) == (("1", "2", "3"), [0, 1, 2], None)


def test_a_text_with_more_spans_than_the_spool_keeps_has_no_figures_on_either_side():
    found = tuple(Found(at, at + 1, 0, 0.9) for at in range(100))

    seen = ENTRY.observed(SpanPredictions(("thing",), ("1",), ((),), (found,), np.zeros(1), np.ones(1)))

    assert seen.values == [None]
    made = reference.histograms(ENTRY, seen, {"1": ("x" * 100,)}, None)
    assert (made["density"], made["span_length"], made["label"]) == ({}, {}, {"thing": 1})


# ── The statistic ───────────────────────────────────────────────────────────
def test_texts_without_spans_have_a_bin_and_the_limit_knows_both_samples():
    rows = [text_with(0)] * 150 + [text_with(1, 400)] * 30 + [text_with(3)] * 20
    window = figures.of_sample(ENTRY.figures, rows, None)

    found = figures.measure(Monitor.DENSITY, known(density=HALF), 200, window)

    assert found.rows == [["none", 500, 150], ["up to 0.26", 300, 30], ["from 0.26", 200, 20]]
    assert found.value == pytest.approx(psi([500, 300, 200], [150, 30, 20]))
    assert found.critical == pytest.approx((1 / 1000 + 1 / 200) * stats.chi2(2).ppf(1 - ALPHA))
    assert found.p == pytest.approx(stats.chi2(2).sf(found.value / (1 / 1000 + 1 / 200)), rel=1e-6)
    assert (found.n, found.m, found.senders, found.why) == (1000, 200, None, "")


def test_texts_without_spans_are_left_out_of_their_length():
    rows = [text_with(0)] * 150 + [text_with(1)] * 60
    window = figures.of_sample(ENTRY.figures, rows, None)

    found = figures.measure(Monitor.SPAN_LENGTH, known(span_length={"49": 400, "50": 300}), 210, window)

    assert (found.n, found.m) == (700, 60)
    few = figures.of_sample(ENTRY.figures, rows[:199], None)
    left = figures.measure(Monitor.SPAN_LENGTH, known(span_length={"49": 400}), 199, few)
    assert (left.mark, left.value, left.m) == ("insufficient", None, 49)


def test_an_evaluation_without_spans_has_no_length_to_compare():
    window = figures.of_sample(ENTRY.figures, [text_with(1)] * 60, None)

    assert figures.measure(Monitor.SPAN_LENGTH, known(span_length={}), 60, window).mark == "insufficient"


def test_spans_where_the_evaluation_found_none_are_seen():
    window = figures.of_sample(ENTRY.figures, [text_with(1)] * 30 + [text_with(0)] * 30, None)

    found = figures.measure(Monitor.DENSITY, known(density={"0": 1000}), 60, window)

    assert found.rows == [["none", 1000, 30], ["some", 0, 30]]
    assert found.ratio > 1


def test_the_texts_of_one_sender_widen_the_limit():
    rows = [text_with(at % 4 and 1, key=f"{at // 25:016x}") for at in range(500)]
    alike = [text_with(int(at // 25 % 4 > 0), key=f"{at // 25:016x}") for at in range(500)]
    base = known(density={"0": 250, "25": 750})

    apart, together = (
        figures.measure(Monitor.DENSITY, base, 500, figures.of_sample(ENTRY.figures, each, of_answers(each)))
        for each in (rows, alike)
    )

    assert (apart.senders, together.senders) == (20, 20)
    assert together.design_effect > 10 * apart.design_effect
    assert together.critical > 5 * apart.critical


def test_without_a_change_hardly_any_window_is_over_and_a_change_is():
    """Seeded: 300 windows of 200 texts against 400; then half as many spans."""
    random = np.random.default_rng(5)

    def drawn(count: int, rate: float) -> Figures:
        rows = [text_with(int(each), 150) for each in random.poisson(rate, count)]
        return figures.of_sample(ENTRY.figures, rows, None)

    over = {1.5: 0, 0.75: 0}
    for _ in range(300):
        base = known(density=reference.counted(drawn(400, 1.5).values["density"]))
        for rate in over:
            found = figures.measure(Monitor.DENSITY, base, 200, drawn(200, rate))
            over[rate] += found.value > found.critical

    assert over[1.5] <= 300 * ALPHA + 3 * math.sqrt(300 * ALPHA)
    assert over[0.75] == 300


# ── Confidence and accuracy without a confidence of each text ───────────────
def test_texts_without_confidence_are_a_bin_on_both_sides():
    base = known(confidence={"40": 300, "45": 300})  # of 1,000 rows

    same = shifts.measure(Monitor.CONFIDENCE, base, Counts(answers=500, confidence={"40": 150, "45": 150}))
    more = shifts.measure(Monitor.CONFIDENCE, base, Counts(answers=500, confidence={"40": 75, "45": 75}))

    assert (same.n, same.m, same.rows[-1]) == (1000, 500, [" missing", 400, 200])
    assert (same.ratio < 0.1, more.ratio > 1) == (True, True)


def test_expected_accuracy_is_of_texts_with_spans_and_feedback_of_all():
    """Of 200 texts half have a span, 80 of them the right one; of the others 50 are right."""
    span = (0, 4, 0)
    truth = ((span,),) * 80 + ((),) * 20 + ((),) * 50 + ((span,),) * 50
    found = ((Found(*span, 0.8),),) * 100 + ((),) * 100
    ids = tuple(f"{at:03}" for at in range(200))

    read = reference.calibrate(
        ENTRY.observed(SpanPredictions(("a",), ids, truth, found, np.zeros(200), np.ones(200)))
    )

    assert read["sure"] == {"rows": 100, "accuracy": pytest.approx(0.8)}
    assert (read["accuracy"], read["mean"]) == (pytest.approx(0.65), pytest.approx(0.8))
    base = Reference(200, {"confidence": {"40": 100}}, read)
    window = Counts(answers=300, confidence={"40": 60})
    assert (lambda each: (each.n, each.m))(accuracy.measure_accuracy(base, window)) == (100, 60)
    judged = Counts(answers=100, right=65, wrong=35)
    assert accuracy.measure_realised(base, judged).value == pytest.approx(0)


def test_an_evaluation_without_any_span_measures_what_is_left():
    truth = (((0, 4, 0),),) * 20 + ((),) * 60
    ids = tuple(f"{at:03}" for at in range(80))

    seen = ENTRY.observed(SpanPredictions(("a",), ids, truth, ((),) * 80, np.zeros(80), np.ones(80)))
    read = reference.calibrate(seen)

    assert (read["accuracy"], read["sure"]) == (0.75, {"rows": 0, "accuracy": None})
    base = Reference(80, {"label": {}, "confidence": {}}, read)
    window = Counts(answers=100, labels={"a": 60}, confidence={"40": 60})
    assert accuracy.measure_fall(base, window).mark == "insufficient"
    assert accuracy.expected_accuracy(base, window) is None
    found = shifts.measure(Monitor.CONFIDENCE, base, window)
    assert (found.rows, found.ratio > 1) == ([["all", 0, 60], [" missing", 80, 40]], True)
    judged = accuracy.measure_realised(base, Counts(answers=100, right=75, wrong=25))
    assert judged.value == pytest.approx(0)


# ── An endpoint ─────────────────────────────────────────────────────────────
@pytest.fixture
def endpoint(project, mia):
    return live_from(project, mia, spans_snapshot(project, mia, copies=30))


@pytest.mark.django_db
def test_a_window_without_spans_opens_density_and_its_texts_are_found(
    endpoint, client_for, omar, without_words
):
    rows = [(f"nothing to see here {at}", entry([], ("thing", "wish"))) for at in range(120)]
    card = [{"start": 3, "end": 7, "label": "thing", "confidence": 0.9}]
    rows += [(f"my card {at}", entry(card, ("thing", "wish"))) for at in range(10)]
    send(endpoint, 2, rows)

    report = actions.measure(endpoint, endpoint.alias.version, day(2))

    assert list(report.results) == [
        *("label", "confidence", "length", "oov", "density", "span_length", "accuracy")
    ]
    density = report.results["density"]
    assert (density["n"], density["m"], density["mark"]) == (report.baseline.rows, 130, "drift")
    assert report.bins["density"][0][::2] == ["none", 120]
    assert report.results["label"]["rates"]
    assert report.results["span_length"]["mark"] == "insufficient"
    assert "density" in Episode.objects.filter(endpoint=endpoint).values_list("monitor", flat=True)

    client, address = client_for(omar), reverse("drift:behind", args=[endpoint.uuid])

    def behind(monitor: str, name: str) -> list[str]:
        page = client.get(address, {"report": report.uuid, "monitor": monitor, "bin": name})
        return [row.label for row in page.context["rows"]] if page.status_code == 200 else []

    assert behind("density", "none") == [""] * 20
    some = [row[0] for row in report.bins["density"][1:] if row[2]]
    assert [label for name in some for label in behind("density", name)] == ["thing"] * 10
    assert behind("label", "thing") == ["thing"] * 10
    assert behind("density", "up to 99") == []
    shown = client.get(reverse("drift:endpoint", args=[endpoint.uuid]))
    assert "density" in [each.monitor for each in shown.context["histograms"]]
    assert "candidates" not in shown.content.decode()
    result = client.get(reverse("api-drift", args=[endpoint.uuid])).json()["report"]["results"]["density"]
    assert (result["unit"], result["value"], result["open"]) == ("PSI", density["value"], True)


@pytest.mark.django_db
def test_an_hour_without_spans_need_not_wait_for_the_end_of_its_window(endpoint, without_words):
    send(endpoint, 2, [(f"nothing to see here {at}", entry([], ("thing", "wish"))) for at in range(120)])
    version, span = endpoint.alias.version, day(2)

    early = look(endpoint, version, span, traffic.total(endpoint, span.start, span.end, version))

    assert (early.between, early.results["density"]["open"]) == (True, True)
    assert early.results["density"]["m"] == 120
