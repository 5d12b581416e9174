"""Drift of predictions with any number of labels: the share of predictions that have each."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from django.urls import reverse
from scipy import stats

from lifecycle.runtime.task_types.multi_label.measures import SetPredictions
from lifecycle.runtime.task_types.multi_label.watched import ENTRY
from monitoring.drift import actions, reference
from monitoring.drift.measuring import shifts
from monitoring.drift.measuring.measured import Reference
from monitoring.drift.rules import ALPHA, Monitor
from monitoring.drift.senders import of_answers
from monitoring.traffic import actions as traffic
from monitoring.traffic import queries as figures
from monitoring.traffic.counts import Counts
from monitoring.traffic.models import MinuteRollup
from monitoring.traffic.queries import Sampled
from registry.catalog.models import Endpoint
from tests.monitoring.drift.conftest import day, live_from
from tests.support.endpoints import spool_line, write_segment
from tests.support.training import multi_label_snapshot

NAMES = ("card", "login", "refund")


def known(**counts: int) -> Reference:
    """An evaluation of 1,000 rows."""
    return Reference(1000, {"label": counts}, {"labels": [*NAMES], "several": True, "groups": None})


def window(answers: int, **counts: int) -> Counts:
    return Counts(answers=answers, labels=counts)


def psi(before: float, now: float) -> float:
    """Of having a label or not, by its definition."""
    return sum((b - a) * math.log(b / a) for a, b in ((before, now), (1 - before, 1 - now)))


def share(count: int, rows: int) -> float:
    """As PSI smooths it, of two bins."""
    return (count + 0.5) / (rows + 1)


# ── The statistic ───────────────────────────────────────────────────────────
def test_the_label_that_shifted_furthest_is_named_and_labels_share_the_level():
    found = shifts.measure(
        Monitor.LABEL, known(card=200, login=500), window(500, card=200, login=255, refund=1)
    )

    assert found.value == pytest.approx(psi(share(200, 1000), share(200, 500)))
    chance = (1 / 1000 + 1 / 500) * stats.chi2(1).ppf(1 - ALPHA / 3)
    assert found.critical == pytest.approx(chance)
    assert found.why.startswith("card: ")
    assert (found.n, found.m, found.rates) == (1000, 500, True)
    assert found.rows == [["card", 200, 200], ["refund", 0, 1], ["login", 500, 255]]
    single = stats.chi2(1).sf(found.value / (1 / 1000 + 1 / 500))
    assert found.p == pytest.approx(3 * single, rel=1e-6)


def test_a_density_of_labels_that_doubles_is_seen_though_their_mix_is_the_same():
    found = shifts.measure(Monitor.LABEL, known(card=200, login=200), window(500, card=200, login=200))

    assert found.ratio > 1


def test_a_label_that_the_evaluation_does_not_know_counts():
    found = shifts.measure(Monitor.LABEL, known(card=200), window(500, card=100, fraud=300))

    assert (found.why.partition(":")[0], found.ratio > 1) == ("fraud", True)


@pytest.mark.parametrize(("rows", "answers"), [(1000, 49), (49, 500)])
def test_few_rows_on_either_side_are_not_measured(rows, answers):
    reference_ = Reference(rows, {"label": {}}, {"labels": [*NAMES], "several": True, "groups": None})

    assert shifts.measure(Monitor.LABEL, reference_, window(answers)).mark == "insufficient"


def test_without_a_change_hardly_any_window_is_over_its_limit():
    """Seeded: labels that come together, 400 windows of 300 answers against 300 rows."""
    random = np.random.default_rng(3)

    def drawn() -> dict[str, int]:
        common = random.uniform(size=300)
        return {name: int(((common < 0.1) | (random.uniform(size=300) < 0.2)).sum()) for name in NAMES}

    over = 0
    for _ in range(400):
        base = Reference(300, {"label": drawn()}, {"labels": [*NAMES], "several": True, "groups": None})
        found = shifts.measure(Monitor.LABEL, base, window(300, **drawn()))
        over += found.value > found.critical

    assert over <= 400 * ALPHA + 3 * math.sqrt(400 * ALPHA)


def test_senders_that_ask_alike_widen_what_is_chance():
    rows = [
        Sampled(f"{sender:016x}", ("card",) if sender % 4 == 0 else (), 0.9, 5, None)
        for sender in range(20)
        for _ in range(25)
    ]
    senders = of_answers(rows)

    alone = shifts.measure(Monitor.LABEL, known(card=200), window(500, card=125))
    beside = shifts.measure(Monitor.LABEL, known(card=200), window(500, card=125), senders)

    assert beside.critical > 5 * alone.critical
    assert beside.senders == 20
    assert beside.design_effect > 10


# ── What is watched of an evaluation ────────────────────────────────────────
def test_a_set_is_right_as_a_whole_and_as_certain_as_its_least_certain_decision():
    truth = np.array([[True, False], [True, True], [False, False], [True, False]])
    probabilities = np.array([[0.9, 0.2], [0.6, 0.3], [0.1, 0.05], [np.nan, 0.5]])

    found = ENTRY.observed(
        SetPredictions(("a", "b"), ("1", "2", "3", "4"), truth, probabilities, (0.5, 0.4), np.arange(4))
    )

    assert found.labels == [("a",), ("a",), ()]
    assert found.confidence == pytest.approx([0.8, 0.6, 0.9])
    assert found.right.tolist() == [True, False, True]
    assert (found.ids, found.clusters.tolist(), found.truth) == (("1", "2", "3"), [0, 1, 2], None)
    assert reference.calibrate(found) | {"expected": 0, "errors": 0} == {
        "labels": ["a", "b"],
        "several": True,
        "accuracy": pytest.approx(2 / 3),
        "groups": None,
        "mean": pytest.approx(2 / 3, abs=0.2),
        "spread": pytest.approx(math.sqrt(2) / 3, abs=0.05),
        "expected": 0,
        "errors": 0,
    }


# ── An endpoint ─────────────────────────────────────────────────────────────
@pytest.fixture
def endpoint(project, mia) -> Endpoint:
    """One whose live version predicts label sets, evaluated on 80 rows."""
    return live_from(project, mia, multi_label_snapshot(project, mia, copies=20))


@pytest.mark.django_db
def test_a_version_whose_tokenizer_cant_be_loaded_is_named(endpoint):
    report = actions.measure(endpoint, endpoint.alias.version, day(2))

    assert (report.state, "tokenizer.json" in report.why) == ("failed", True)


@pytest.mark.django_db
def test_a_window_of_sets_is_measured_and_its_texts_are_found_by_label(
    endpoint, mia, client_for, without_words
):
    version, span = endpoint.alias.version, day(2)
    at = span.start + timedelta(hours=9)
    for number, names in enumerate([["card", "refund"]] * 8 + [["login"]] * 2):
        line = spool_line(
            endpoint, (f"text {number}", ", ".join(names), 0.9), at=at.isoformat(timespec="milliseconds")
        )
        line["outputs"][0] |= {"value": {"labels": names}, "labels": names}
        write_segment(line, name=f"{number}.jsonl")
    traffic.ingest()
    MinuteRollup.objects.create(
        endpoint=endpoint,
        version=version,
        start=at + timedelta(minutes=1),
        arm="stable",
        requests=590,
        answers=590,
        labels={"card": 472, "refund": 472, "login": 118},
        confidence={"45": 590},
    )

    report = actions.measure(endpoint, version, span)

    drawn = figures.sampled(endpoint, span.start, span.end, version, 100, 10)
    assert sorted(each.labels for each in drawn) == [("card", "refund")] * 8 + [("login",)] * 2
    found = report.results["label"]
    assert (report.rows, found["rates"], found["n"], found["ratio"] > 1) == (600, True, 80, True)
    assert {name: now for name, _, now in report.bins["label"]} == {"card": 480, "refund": 480, "login": 120}
    assert report.estimate["macro_f1"] is None
    address = reverse("drift:behind", args=[endpoint.uuid])
    page = client_for(mia).get(f"{address}?report={report.uuid}&monitor=label&bin=login")
    assert [row.text for row in page.context["rows"]] == ["text 9", "text 8"]
    assert client_for(mia).get(f"{address}?report={report.uuid}&monitor=label&bin=other").status_code == 404
    shown = client_for(mia).get(reverse("drift:endpoint", args=[endpoint.uuid]))
    (panel,) = [each for each in shown.context["histograms"] if each.monitor == "label"]
    assert panel.grown in ("card", "refund")
    shares = {row[0]: (row[3], row[4]) for row in panel.chart.rows}
    assert shares["login"] == (120, "20.0\xa0%")
