"""A fine-tuned model that isn't significantly better than a baseline is flagged first."""

from __future__ import annotations

import re

import numpy as np
import pytest
from django.template.loader import render_to_string

from lifecycle.modeling.evaluation import actions, parts, queries, rules
from lifecycle.runtime.statistics import bootstrap, metrics
from lifecycle.runtime.task_types import baselines
from lifecycle.runtime.task_types.by_key.measures import metrics_of
from lifecycle.runtime.task_types.rows import Rows
from registry.ground.artifacts import actions as artifacts
from tests.support.training import make_run, make_snapshot

MANY = {"copies": 20, "shares": {"train": 20, "validation": 40, "test": 40}}
HEADLINES = ('data-rival="ahead"', 'data-rival="unclear"')


def scored(macro_f1, low=None, high=None):
    """A report or a baseline with its interval."""
    return {
        "task": "single_label",
        "macro_f1": macro_f1,
        "intervals": {"macro_f1": {"low": low, "high": high}} if low is not None else {},
    }


@pytest.mark.parametrize(
    ("baselines", "found"),
    [
        ({}, None),
        ({"majority": scored(0.02, 0.01, 0.03)}, None),
        (
            {"majority": scored(0.02), "tfidf_logreg": scored(0.92, 0.90, 0.94)},
            ("TF-IDF + logistic regression", "macro_f1", "a macro-F1", 0.92, 0.9, False),
        ),
        (
            {"tfidf_logreg": scored(0.93, 0.91, 0.95)},
            ("TF-IDF + logistic regression", "macro_f1", "a macro-F1", 0.93, 0.9, False),
        ),
        (
            {"tfidf_logreg": scored(0.95, 0.921, 0.97)},
            ("TF-IDF + logistic regression", "macro_f1", "a macro-F1", 0.95, 0.9, True),
        ),
        (
            {"tfidf_logreg": scored(0.9, 0.88, 0.92)},
            ("TF-IDF + logistic regression", "macro_f1", "a macro-F1", 0.9, 0.9, False),
        ),
        (
            {"tfidf_logreg": scored(0.9)},
            ("TF-IDF + logistic regression", "macro_f1", "a macro-F1", 0.9, 0.9, False, False),
        ),
        (
            {"tfidf_logreg": scored(0.87, 0.865, 0.875), "majority": scored(0.8, 0.7, 0.89)},
            ("Most frequent label", "macro_f1", "a macro-F1", 0.8, 0.9, False),
        ),
        (
            {"tfidf_logreg": scored(0.96, 0.9, 0.99), "majority": scored(0.95, 0.93, 0.97)},
            ("Most frequent label", "macro_f1", "a macro-F1", 0.95, 0.9, True),
        ),
        (
            {"frozen_base_logreg": scored(0.87, 0.85, 0.89)},
            ("Frozen pretrained base + logistic regression", "macro_f1", "a macro-F1", 0.87, 0.9, False),
        ),
        ({"frozen_base_logreg": scored(0.87, 0.85, 0.8799)}, None),
        ({"frozen_base_logreg": scored(0.87)}, None),
        (
            {"of another version": scored(0.95)},
            ("of another version", "macro_f1", "a macro-F1", 0.95, 0.9, True, False),
        ),
    ],
)
def test_the_best_baseline_is_a_rival_where_it_is_not_clearly_beaten(baselines, found):
    rival = rules.rival(scored(0.9, 0.88, 0.92) | {"baselines": baselines})

    assert rival == (found and rules.Rival(*found))


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.88, 0.92, "based on their 95 % intervals, neither is clearly better."),
        (None, None, "0.900, and so does this run."),
    ],
)
def test_intervals_are_named_only_if_measured(low, high, text):
    found = rules.rival(scored(0.9, low, high) | {"baselines": {"tfidf_logreg": scored(0.9, low, high)}})

    page = render_to_string("lifecycle/modeling/evaluation/rival.html", {"rival": found})

    assert (text in page, "95 % intervals" in page) == (True, low is not None)


def apart(verdict, low=-0.01, high=0.02):
    """A macro-F1 of 0.9 compared with a baseline of 0.89 on the same rows."""
    found = {
        "baseline": 0.89,
        "candidate": 0.9,
        "difference": 0.01,
        "low": low,
        "high": high,
        "verdict": verdict,
    }
    return {"against": {"tfidf_logreg": {"macro_f1": found}}}


@pytest.mark.parametrize(("verdict", "is_ahead"), [("better", None), ("unclear", False), ("worse", True)])
def test_the_paired_difference_decides_if_measured(verdict, is_ahead):
    name = "TF-IDF + logistic regression"
    report = (
        scored(0.9, 0.88, 0.92) | {"baselines": {"tfidf_logreg": scored(0.89, 0.87, 0.91)}} | apart(verdict)
    )

    expected = (
        None
        if is_ahead is None
        else rules.Rival(name, "macro_f1", "a macro-F1", 0.89, 0.9, is_ahead, low=-0.01, high=0.02)
    )
    assert rules.rival(report) == expected


def test_without_a_paired_interval_those_of_the_scores_are_compared():
    report = (
        scored(0.9, 0.88, 0.92)
        | {"baselines": {"tfidf_logreg": scored(0.8, 0.7, 0.87)}}
        | apart("unclear", None, None)
    )

    assert rules.rival(report) is None


def test_the_page_shows_the_interval_of_the_paired_difference():
    report = (
        scored(0.9, 0.88, 0.92) | {"baselines": {"tfidf_logreg": scored(0.89, 0.87, 0.91)}} | apart("unclear")
    )

    page = render_to_string("lifecycle/modeling/evaluation/rival.html", {"rival": rules.rival(report)})

    assert re.search(r'data-rival="unclear".*−0\.010\s+and\s+\+0\.020\b', page, re.DOTALL)


def test_the_baseline_table_has_a_column_only_for_compared_baselines():
    report = (
        scored(0.9, 0.88, 0.92) | {"baselines": {"tfidf_logreg": scored(0.89, 0.87, 0.91)}} | apart("unclear")
    )
    rows = parts.beside(report)["baselines"]

    page, before = (
        render_to_string(
            "lifecycle/modeling/evaluation/baselines.html",
            {"beside": ["Macro-F1"], "baselines": rows, "against": title},
        )
        for title in ("Macro-F1", "")
    )

    assert [row["against"] and row["against"]["difference"] for row in rows] == [None, 0.01]
    assert ("+0.010" in page, page.count('<th scope="col"')) == (True, 3)
    assert ("+0.010" in before, before.count('<th scope="col"')) == (False, 2)


def test_a_run_that_is_5_points_better_is_found_though_intervals_overlap():
    """On 600 rows, both models are wrong on 10 %, only the run on 2 %, and only the baseline on 7 %; each row
    is its own cluster.
    """
    random, unbeaten = np.random.default_rng(1), np.zeros(2)
    rows = Rows(tuple(map(str, range(600))), ("",) * 600)
    options = {"by": metrics_of("single_label"), "count": 200, "seed": 1}
    for _ in range(30):
        truth, kind = random.integers(0, 2, 600), random.choice(4, 600, p=[0.10, 0.02, 0.07, 0.81])
        own, theirs = (
            metrics.score_rows(np.eye(2)[np.where(np.isin(kind, wrong), 1 - truth, truth)], truth)
            for wrong in ([0, 1], [0, 2])
        )
        baseline = baselines.measure(theirs, rows, **options)
        whole = (
            {"task": "single_label"}
            | bootstrap.summary(own, count=200, seed=1)
            | baselines.report_sections(own, rows, {"tfidf_logreg": baseline}, **options)
        )
        unbeaten += rules.rival(whole) is None, rules.rival(whole | {"against": {}}) is None

    assert (unbeaten[0] / 30 >= 0.9, unbeaten[1] / 30 <= 0.4) == (True, True)


def test_spans_are_compared_with_baselines_by_micro_f1():
    dictionary = {"macro_f1": 0.2, "micro_f1": 0.8, "intervals": {"micro_f1": {"low": 0.78, "high": 0.82}}}
    report = {
        "task": "spans",
        "macro_f1": 0.5,
        "micro_f1": 0.7,
        "intervals": {"micro_f1": {"low": 0.68, "high": 0.72}},
    }

    found = rules.rival(report | {"baselines": {"dictionary": dictionary}})

    assert found == rules.Rival(
        "Dictionary of the training spans", "micro_f1", "a micro-F1 of spans", 0.8, 0.7, True
    )


@pytest.mark.parametrize(
    ("accuracy", "headline"),
    [(0.0, HEADLINES[0]), (1.0, ""), (0.3, HEADLINES[1])],
)
def test_it_comes_before_all_figures(accuracy, headline, project, mia, client_for):
    run = make_run(make_snapshot(project, mia, **MANY), mia, accuracy=accuracy, seed=3)
    evaluation = queries.latest_evaluation(run, "test")
    client = client_for(mia)

    pages = [
        client.get(url).content.decode()
        for url in (f"/evaluations/{evaluation.uuid}/", f"/evaluations/run/{run.uuid}/")
    ]

    assert [[each for each in HEADLINES if each in page] for page in pages] == [
        [headline] if headline else []
    ] * 2
    if headline:
        assert 0 < pages[0].index(headline) < pages[0].index('class="figs"')


def test_a_later_run_is_paired_with_baselines_of_the_newest_report(project, mia):
    evaluation = queries.latest_evaluation(make_run(make_snapshot(project, mia), mia), "test")
    baselines = {
        "baselines": {"majority": scored(0.1)},
        "baselines_drawn": {"majority": [0.1, 0.2]},
        "baselines_digest": "d" * 64,
    }
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        actions.keep(
            run=evaluation.run,
            split="test",
            result=evaluation.report | baselines,
            predictions=path,
            actor=None,
        )

    assert queries.baselines_before(evaluation.run, evaluation.snapshot, "test") == baselines
    assert queries.baselines_before(evaluation.run, evaluation.snapshot, "train") == {}


def test_the_api_returns_it(project, mia, client_for):
    evaluation = queries.latest_evaluation(
        make_run(make_snapshot(project, mia, **MANY), mia, accuracy=0.0), "test"
    )

    rival = client_for(mia).get(f"/api/v1/evaluations/{evaluation.uuid}/").json()["rival"]

    assert (rival["name"], rival["is_ahead"], rival["own"]) == (
        "Most frequent label",
        True,
        evaluation.report["macro_f1"],
    )
    assert (rival["metric"], rival["value"]) == (
        "macro_f1",
        evaluation.report["baselines"]["majority"]["macro_f1"],
    )
