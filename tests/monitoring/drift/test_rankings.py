"""Drift of rankings and preferences: which place the best candidate has, how many there are, and how orders
agree with those that feedback gives.
"""

from __future__ import annotations

import importlib
import math
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from scipy import stats
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace

from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.runtime.inference.engines import oov_share as served_oov_share
from lifecycle.runtime.statistics.intervals import Z95
from lifecycle.runtime.task_types.by_key.watched import WATCHED
from lifecycle.runtime.task_types.preference.watched import ENTRY as PREFERENCES
from lifecycle.runtime.task_types.ranking.measures import RankedAnswers
from lifecycle.runtime.task_types.ranking.served import ENTRY as SERVED
from lifecycle.runtime.task_types.ranking.watched import ENTRY
from monitoring.drift import actions, agreement, page, reference
from monitoring.drift.agreement import Order
from monitoring.drift.measuring import figures, shifts
from monitoring.drift.measuring.measured import Reference
from monitoring.drift.models import DriftReport, Episode
from monitoring.drift.rules import ALPHA, Monitor
from monitoring.drift.senders import of_answers
from monitoring.traffic import actions as traffic
from monitoring.traffic import histogram
from monitoring.traffic import queries as sampled
from monitoring.traffic.actions import Entry
from monitoring.traffic.counts import Counts
from monitoring.traffic.models import Prediction
from monitoring.traffic.queries import Sampled
from tests.monitoring.drift.conftest import NOW, day, live_from, send
from tests.support.ranking import ASKED, ranking_snapshot

# the package exports functions of the same names
baselines = importlib.import_module("monitoring.drift.actions.baseline")
checks = importlib.import_module("monitoring.drift.actions.texts")
THREE = {"position": {"1": 400, "2": 300, "3": 300}}


def known(**histograms: dict[str, int]) -> Reference:
    """An evaluation of 1,000 rows."""
    return Reference(1000, histograms, {"labels": [], "several": True, "groups": None})


def ranked(*strengths: float) -> dict[str, object]:
    """The spool's entry of candidates with these scores."""
    order = sorted(range(len(strengths)), key=lambda at: (-strengths[at], at))
    return SERVED.entry({"order": order, "strengths": strengths})


# ── What is watched of a ranking ────────────────────────────────────────────
def test_every_figure_and_every_kind_of_label_has_a_monitor():
    assert {key: each.labels_as for key, each in WATCHED.items()} == {
        "single_label": "label",
        "multi_label": "label",
        "spans": "label",
        "preference": "position",
        "ranking": "position",
    }
    assert {figure.name for each in WATCHED.values() for figure in each.figures} <= {*Monitor.values}


def test_a_ranking_is_as_the_server_spools_it_and_right_as_a_whole():
    strengths = ((2.0, 1.0, 0.0), (0.0, 1.0), (3.0,), (1.0, 0.0), (np.nan, 0.0))
    ranks = ((0, 1, 2), (0, 1), (0,), (0, 0), (0, 1))
    lengths = tuple((4,) * len(each) for each in ranks)

    seen = ENTRY.observed(RankedAnswers(("1", "2", "3", "4", "5"), ranks, lengths, strengths, np.arange(5)))

    assert seen.labels == [("1",), ("2",), ("1",), ("1",)]
    assert seen.values == [{"ranking": [0, 1, 2]}, {"ranking": [1, 0]}, {"ranking": [0]}, {"ranking": [0, 1]}]
    likely = round(1 / (1 + math.exp(-1)), 6)
    assert seen.confidence[[0, 1, 3]].tolist() == [likely] * 3
    assert np.isnan(seen.confidence[2])  # there's no next candidate
    assert seen.right.tolist() == [True, False, False, False]  # without a pair, or of ties only: never
    assert (seen.names, seen.clusters.tolist()) == ((), [0, 1, 2, 3])
    (candidates,) = ENTRY.figures
    assert [candidates.of(each, 9) for each in seen.values] == [3, 2, 1, 2]


def test_a_preference_has_two_candidates_always():
    seen = PREFERENCES.observed(
        RankedAnswers(("1", "2"), ((1, 0), (0, 1)), ((4, 4), (4, 4)), ((0.0, 2.0), (1.0, 1.0)))
    )

    assert (seen.labels, seen.values) == ([("2",), ("1",)], [{"choice": "second"}, {"choice": "tie"}])
    assert (seen.right.tolist(), PREFERENCES.figures, PREFERENCES.orders) == ([True, False], (), False)


@pytest.mark.parametrize(
    ("predicted", "right"),
    [([0, 1, 2], [0, 1, 2]), ([2, 0, 1], [0, 1, 2]), ([3, 1, 0, 2], [1, 3, 2, 0]), ([1, 0], [0, 1])],
)
def test_tau_is_that_of_scipy(predicted, right):
    (found,) = ENTRY.taus([{"ranking": predicted}], [{"ranking": right}])

    assert found == pytest.approx(stats.kendalltau(np.argsort(predicted), np.argsort(right)).statistic)


def test_taus_of_rankings_of_different_lengths_are_those_of_each():
    predicted = [{"ranking": each} for each in ([0, 1, 2], [1, 0], [0])]
    right = [{"ranking": each} for each in ([2, 1, 0], [1, 0], [0])]

    assert ENTRY.taus(predicted, right).tolist() == [-1, 1, 1]
    assert ENTRY.taus([], []).tolist() == []


# ── The statistic ───────────────────────────────────────────────────────────
def test_the_place_of_the_best_candidate_shifts_as_a_distribution():
    found = shifts.measure(
        Monitor.POSITION, known(**THREE), Counts(answers=200, labels={"1": 150, "2": 30, "3": 20})
    )

    assert found.rows == [["1", 400, 150], ["2", 300, 30], ["3", 300, 20]]
    shares = [
        [(each + 0.5) / (n + 1.5) for each in side]
        for side, n in (((400, 300, 300), 1000), ((150, 30, 20), 200))
    ]
    value = sum((b - a) * math.log(b / a) for a, b in zip(*shares, strict=True))
    assert (found.value, found.n, found.m) == (pytest.approx(value), 1000, 200)
    assert found.critical == pytest.approx((1 / 1000 + 1 / 200) * stats.chi2(2).ppf(1 - ALPHA))
    assert (found.rates, found.why, found.ratio > 1) == (False, "", True)
    same = shifts.measure(
        Monitor.POSITION, known(**THREE), Counts(answers=200, labels={"1": 80, "2": 60, "3": 60})
    )
    assert same.ratio < 0.1


def test_senders_of_whom_each_has_a_place_widen_the_limit():
    rows = [Sampled(f"{at // 25:016x}", (str(at // 25 % 3 + 1),), 0.9, 5, None) for at in range(300)]
    window = Counts(answers=300, labels={"1": 100, "2": 100, "3": 100})

    alone, beside = (
        shifts.measure(Monitor.POSITION, known(**THREE), window, each) for each in (None, of_answers(rows))
    )

    assert (beside.senders, beside.critical > 5 * alone.critical) == (12, True)


def test_the_number_of_candidates_is_compared_by_number():
    rows = [Sampled("", ("1",), 0.9, 5, None, {"ranking": [*range(3 + at % 2)]}) for at in range(100)]
    window = figures.of_sample(ENTRY.figures, [*rows, Sampled("", ("1",), 0.9, 5, None)], None)

    found = figures.measure(Monitor.CANDIDATES, known(candidates={"2": 100, "3": 900}), 200, window)

    assert found.rows == [["up to 2", 100, 0], ["from 3", 900, 100]]
    only = figures.measure(Monitor.CANDIDATES, known(candidates={"3": 1000}), 200, window)
    assert only.rows == [["3", 1000, 50], ["from 4", 0, 50]]
    assert (only.m, only.why != "", only.ratio > 1) == (100, True, True)


# ── Unknown words ───────────────────────────────────────────────────────────
def test_unknown_words_of_a_pair_are_counted_as_the_server_counts_them():
    tokenizer = Tokenizer(WordPiece({"[UNK]": 0, "card": 1, "lo": 2, "##st": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    read = tokenizer.encode("card lost", "card late")

    words = [*zip(read.sequence_ids, read.word_ids, strict=True)]
    assert reference.oov_share(read, 0) == served_oov_share(words, read.ids, 0) == 0.5
    assert reference.oov_share(tokenizer.encode("card lost"), 0) == 0.5


# ── Agreement with feedback ─────────────────────────────────────────────────
def test_agreement_is_the_mean_with_students_interval_by_sender():
    taus = [1.0, 1.0, 0.5, -1.0]
    found = agreement.agreement([*(Order(NOW, "", each) for each in taus), Order(NOW, "", None)])

    half = stats.t(3).ppf(stats.norm.cdf(Z95)) * np.std(taus, ddof=1) / 2
    assert (found.value, found.rows, found.senders, found.without) == (0.375, 4, None, 1)
    assert (found.low, found.high) == (
        pytest.approx(max(-1, 0.375 - half)),
        pytest.approx(min(1, 0.375 + half)),
    )
    of_two = agreement.agreement([Order(NOW, key, tau) for key, tau in zip("abab", taus, strict=True)])
    assert (of_two.senders, of_two.value) == (2, 0.375)


def test_equal_taus_have_no_interval_and_none_no_agreement():
    same = agreement.agreement([Order(NOW, "", 1.0)] * 3)

    assert (same.value, same.low, same.high, same.rows) == (1, None, None, 3)
    assert agreement.agreement([Order(NOW, "", None)]) is None
    days = [Order(NOW - timedelta(days=back), "", tau) for back, tau in ((2, 1.0), (1, None), (0, 0.0))]
    assert [(at.day, each.value) for at, each in agreement.by_day(days)] == [(18, 1), (20, 0)]


# ── An endpoint ─────────────────────────────────────────────────────────────
@pytest.fixture
def endpoint(project, mia):
    return live_from(project, mia, ranking_snapshot(project, mia, "ranking", rows=300))


def asked(endpoint, number: int, count: int, *strengths: float, **more: object) -> list[Prediction]:
    """A request of a day with so many prompts, predicted alike; its predictions."""
    send(endpoint, number, [(f"which is better {at}", ranked(*strengths)) for at in range(count)], **more)
    return list(Prediction.objects.filter(endpoint=endpoint).order_by("-id")[:count])


@pytest.mark.django_db
def test_a_window_whose_best_is_the_first_of_five_opens_and_its_texts_are_found(
    endpoint, client_for, omar, without_words
):
    asked(endpoint, 2, 120, 5.0, 4.0, 3.0, 2.0, 1.0)
    asked(endpoint, 2, 10, 1.0, 2.0, 0.0)

    report = actions.measure(endpoint, endpoint.alias.version, day(2))

    assert list(report.results) == [*("position", "confidence", "length", "oov", "candidates", "accuracy")]
    assert {row[0]: row[2] for row in report.bins["position"]} == {"1": 120, "2": 10, "3": 0}
    assert report.bins["candidates"] == [["3", report.baseline.rows, 10], ["from 4", 0, 120]]
    opened = Episode.objects.filter(endpoint=endpoint).values_list("monitor", flat=True)
    assert {"position", "candidates"} <= {*opened}
    drawn = sampled.sampled(endpoint, day(2).start, day(2).end, report.version, 1000, 130)
    assert sorted(each.labels for each in drawn) == [("1",)] * 120 + [("2",)] * 10

    client, address = client_for(omar), reverse("drift:behind", args=[endpoint.uuid])
    for monitor, name in (("position", "2"), ("candidates", "3")):
        found = client.get(address, {"report": report.uuid, "monitor": monitor, "bin": name})
        assert [row.label for row in found.context["rows"]] == ["2"] * 10
    shown = client.get(reverse("drift:endpoint", args=[endpoint.uuid]))
    assert {"position", "candidates"} <= {each.monitor for each in shown.context["histograms"]}
    assert shown.context["orders"] is None
    result = client.get(reverse("api-drift", args=[endpoint.uuid])).json()["report"]["results"]
    assert (result["position"]["open"], result["candidates"]["n"]) == (True, report.baseline.rows)


@pytest.mark.django_db
def test_what_was_evaluated_is_as_long_as_with_its_candidates_and_its_text_is_the_prompt(
    endpoint, without_words
):
    made = actions.baseline(endpoint.alias.version)

    texts = baselines.texts_of(made.evaluation, evaluations.rows_of(made.evaluation).ids)
    assert {len(each) for each in texts.values()} == {4}
    lengths = [sum(map(len, each)) for each in texts.values()]
    assert made.histograms["chars"] == reference.counted(map(histogram.bucket, lengths))
    assert made.histograms["candidates"] == {"3": made.rows}
    digests, prompts, _ = checks.sample(made)
    assert prompts == [texts[digest][0] for digest in digests]
    assert prompts[0].startswith(ASKED)


@pytest.mark.django_db
def test_orders_from_feedback_are_drawn_with_their_rows_at_no_statement_more(
    endpoint, mia, omar, without_words
):
    first = asked(endpoint, 2, 3, 3.0, 2.0, 1.0, key="a" * 16)
    report = actions.measure(endpoint, endpoint.alias.version, day(2))
    give(mia, first, [None, [2, 1, 0], "unknown"])

    def drawn() -> tuple[object, int]:
        with CaptureQueriesContext(connection) as seen:
            found = page.endpoint(omar, endpoint, {"report": str(report.uuid), "period": "1y"})["orders"]
        return found, len(seen)

    one, statements = drawn()
    assert [row[1:] for row in one.rows] == [["0.00", "−1.00", "1.00", 2]]
    assert one.lead.startswith("0.00 [")
    assert "1 incorrect prediction" in one.caption.replace("\xa0", " ")
    give(mia, asked(endpoint, 3, 20, 3.0, 2.0, 1.0, key="b" * 16), [None] * 10 + [[1, 0, 2]] * 10)
    two, again = drawn()
    assert ([row[4] for row in two.rows], again) == ([2, 20], statements)
    assert two.rows[1][1] == f"{(10 + 10 / 3) / 20:.2f}"
    assert DriftReport.objects.count() == 1


def give(actor, predictions, orders) -> None:
    """Feedback on predictions: None: correct; unknown: wrong, without the right order; else the order."""
    entries = [
        Entry(
            each.uuid,
            order is None,
            kind="truth",
            value=None if order in (None, "unknown") else {"ranking": order},
        )
        for each, order in zip(predictions, orders, strict=True)
    ]
    traffic.record_many(entries=entries, actor=actor)
