"""A fine-tune that is not clearly better than a baseline says so first."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string

from lifecycle.evaluation import queries, rules
from tests.support.training import make_run, make_snapshot

MANY = {"copies": 20, "shares": {"train": 20, "validation": 40, "test": 40}}
SAID = ("A baseline is better than this run.", "This run is not clearly better than a baseline.")


def scored(macro_f1, low=None, high=None):
    """A report, or a baseline's, with its interval."""
    return {"macro_f1": macro_f1, "intervals": {"macro_f1": {"low": low, "high": high}} if low is not None else {}}


@pytest.mark.parametrize(
    ("baselines", "found"),
    [
        ({}, None),
        ({"majority": scored(0.02, 0.01, 0.03)}, None),
        (
            {"majority": scored(0.02), "tfidf_logreg": scored(0.92, 0.90, 0.94)},
            ("TF-IDF + logistic regression", "macro_f1", 0.92, 0.9, False),
        ),
        ({"tfidf_logreg": scored(0.93, 0.91, 0.95)}, ("TF-IDF + logistic regression", "macro_f1", 0.93, 0.9, False)),
        ({"tfidf_logreg": scored(0.95, 0.921, 0.97)}, ("TF-IDF + logistic regression", "macro_f1", 0.95, 0.9, True)),
        ({"tfidf_logreg": scored(0.9, 0.88, 0.92)}, ("TF-IDF + logistic regression", "macro_f1", 0.9, 0.9, False)),
        ({"tfidf_logreg": scored(0.9)}, ("TF-IDF + logistic regression", "macro_f1", 0.9, 0.9, False, False)),
        (
            {"tfidf_logreg": scored(0.87, 0.865, 0.875), "majority": scored(0.8, 0.7, 0.89)},
            ("Most frequent class", "macro_f1", 0.8, 0.9, False),
        ),
        (
            {"tfidf_logreg": scored(0.96, 0.9, 0.99), "majority": scored(0.95, 0.93, 0.97)},
            ("Most frequent class", "macro_f1", 0.95, 0.9, True),
        ),
        ({"frozen_base_logreg": scored(0.87, 0.85, 0.89)}, ("Frozen pretrained base + logistic regression", "macro_f1", 0.87, 0.9, False)),
        ({"frozen_base_logreg": scored(0.87, 0.85, 0.8799)}, None),
        ({"frozen_base_logreg": scored(0.87)}, None),
        ({"of another version": scored(0.95)}, ("of another version", "macro_f1", 0.95, 0.9, True, False)),
    ],
)
def test_the_best_baseline_is_a_rival_where_it_is_not_clearly_beaten(baselines, found):
    rival = rules.rival(scored(0.9, 0.88, 0.92) | {"baselines": baselines})

    assert rival == (found and rules.Rival(*found))


@pytest.mark.parametrize(("low", "high", "told"), [(0.88, 0.92, "by their 95 % intervals"), (None, None, "0.900, and so does this run.")])
def test_intervals_are_named_only_where_there_are_some(low, high, told):
    found = rules.rival(scored(0.9, low, high) | {"baselines": {"tfidf_logreg": scored(0.9, low, high)}})

    page = render_to_string("lifecycle/evaluation/rival.html", {"rival": found})

    assert (told in page, "95 % intervals" in page) == (True, low is not None)


def test_marked_parts_are_held_against_baselines_by_micro_f1():
    dictionary = {"macro_f1": 0.2, "micro_f1": 0.8, "intervals": {"micro_f1": {"low": 0.78, "high": 0.82}}}
    report = {"task": "spans", "macro_f1": 0.5, "micro_f1": 0.7, "intervals": {"micro_f1": {"low": 0.68, "high": 0.72}}}

    found = rules.rival(report | {"baselines": {"dictionary": dictionary}})

    assert found == rules.Rival("Dictionary of the training spans", "micro_f1", 0.8, 0.7, True)
    assert found.one == "a micro-F1 of spans"


@pytest.mark.parametrize(
    ("accuracy", "told"),
    [(0.0, SAID[0]), (1.0, ""), (0.3, SAID[1])],
)
def test_it_stands_before_all_figures(accuracy, told, project, mia, client_for):
    run = make_run(make_snapshot(project, mia, **MANY), mia, accuracy=accuracy, seed=3)
    evaluation = queries.latest_evaluation(run, "test")
    client = client_for(mia)

    pages = [client.get(url).content.decode() for url in (f"/evaluations/{evaluation.uuid}/", f"/evaluations/run/{run.uuid}/")]

    assert [[each for each in SAID if each in page] for page in pages] == [[told] if told else []] * 2
    if told:
        assert pages[0].index(told) < pages[0].index("Metrics with their intervals")


def test_programs_are_told_too(project, mia, client_for):
    evaluation = queries.latest_evaluation(make_run(make_snapshot(project, mia, **MANY), mia, accuracy=0.0), "test")

    told = client_for(mia).get(f"/api/v1/evaluations/{evaluation.uuid}/").json()["rival"]

    assert (told["name"], told["is_ahead"], told["own"]) == ("Most frequent class", True, evaluation.report["macro_f1"])
    assert (told["metric"], told["value"]) == ("macro_f1", evaluation.report["baselines"]["majority"]["macro_f1"])
