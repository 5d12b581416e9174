"""One place knows the score that models of a task are told apart by."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lifecycle.task_types import leading
from lifecycle.task_types.by_key.types import LEARNED


@pytest.mark.engine
def test_the_engine_keeps_the_best_step_by_the_score_that_is_shown():
    from lifecycle.engine.recipes import RECIPES
    from lifecycle.statistics import metrics
    from lifecycle.task_types.free_text import measures as text_scores

    assert {task: (each.best_by, each.best_name) for task, each in RECIPES.items()} == {
        task: (leading.of_training(task).name, leading.of_training(task).words) for task in LEARNED
    }
    for each in (*leading.LEADING.values(), *leading.IN_LISTS.values()):
        assert each.lower_is_better == (each.name.removeprefix("validation_") in metrics.LOWER_IS_BETTER)
    assert leading.of_reports("free_text").name == text_scores.KEY


def test_each_task_has_its_words():
    assert {task: leading.of_lists(task).title for task in LEARNED} == {
        "single_label": "Macro-F1",
        "multi_label": "Macro-F1",
        "spans": "Micro-F1 of spans",
        "free_text": "Perplexity",
        "preference": "Accuracy of pairs",
        "ranking": "Accuracy of pairs",
    }


def test_pages_read_it_without_torch():
    code = "import sys, lifecycle.task_types.leading; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
