"""One place defines the score that models of a task are compared by."""

from __future__ import annotations

import pytest

from lifecycle.runtime.statistics.bootstrap import OF_ROWS, SHARES
from lifecycle.runtime.task_types.by_key.measures import MEASURES, metrics_of
from lifecycle.runtime.task_types.by_key.types import LEARNED


@pytest.mark.engine
def test_each_task_that_is_trained_has_a_learner_and_an_answerer():
    from lifecycle.runtime.engine.task_types.by_key.answerers import ANSWERERS
    from lifecycle.runtime.engine.task_types.by_key.learners import LEARNERS

    assert sorted(LEARNERS) == sorted(ANSWERERS) == sorted(LEARNED)


@pytest.mark.engine
def test_the_engine_keeps_the_best_step_by_the_score_that_is_shown():
    from lifecycle.runtime.engine.task_types.by_key.learners import LEARNERS

    assert {task: each.metrics for task, each in LEARNERS.items()} == {
        task: metrics_of(task) for task in LEARNED
    }


def test_each_task_has_its_words():
    assert {task: metrics_of(task).listed.heading for task in LEARNED} == {
        "single_label": "Macro-F1",
        "multi_label": "Macro-F1",
        "spans": "Micro-F1 of spans",
        "generation": "Perplexity",
        "preference": "Pairwise accuracy",
        "ranking": "Pairwise accuracy",
        "regression": "MSE",
    }


def test_only_errors_and_losses_are_better_where_they_are_lower():
    known = {
        each.name
        for found in MEASURES.values()
        for each in found.metrics.by_name.values()
        if each.lower_is_better
    }

    assert known == {
        "brier",
        "ece",
        "ece_debiased",
        "empty_answers",
        "hamming_loss",
        "largest_gap",
        "log_loss",
        "loss",
        "mae",
        "mse",
        "perplexity",
        "refusals",
        "repetition",
        "validation_loss",
    }


def test_statistics_lists_the_scores_from_0_to_1_as_bounded():
    shares = {each.name for found in MEASURES.values() for each in found.metrics.known if each.is_share}

    assert SHARES | {*OF_ROWS} <= shares
