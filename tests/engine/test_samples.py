"""Sample predictions at each evaluation: which rows, what is logged of them, and that no text is in the
events.
"""

from __future__ import annotations

import numpy as np
import pytest

from lifecycle.runtime.engine.samples import SHOWN, Samples, choose
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of

pytestmark = pytest.mark.engine


def test_the_same_seed_shows_the_same_rows_and_few_rows_are_all_shown():
    assert choose(1000, 3) == choose(1000, 3)
    assert choose(1000, 3) != choose(1000, 4)
    assert len(set(choose(1000, 3))) == SHOWN
    assert choose(5, 3) == (0, 1, 2, 3, 4)
    assert list(choose(1000, 3)) == sorted(choose(1000, 3))


def test_a_single_label_is_reported_with_its_probability():
    logits = np.log(np.array([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]))

    samples = learner_of("single_label").sample(logits, np.array([0, 1, 1]), (1, 2), ("a", "b"))

    assert samples == [
        {"truth": "b", "answer": "a", "confidence": pytest.approx(0.9)},
        {"truth": "b", "answer": "b", "confidence": pytest.approx(0.8)},
    ]


def test_several_labels_are_reported_with_the_least_certain_one():
    probabilities = np.array([[0.9, 0.2], [0.6, 0.4], [0.1, 0.7]])
    truth = np.array([[True, False], [True, True], [False, False]])

    samples = learner_of("multi_label").sample(
        np.log(probabilities / (1 - probabilities)), truth, (0, 1), ("a", "b")
    )

    assert samples == [
        {"truth": ["a"], "answer": ["a"], "confidence": pytest.approx(0.8)},
        {"truth": ["a", "b"], "answer": ["a"], "confidence": pytest.approx(0.6)},
    ]


def test_an_event_names_rows_by_their_ids():
    samples = Samples(learner_of("single_label"), ("a", "b"), ("x", "y", "z"), (0, 2))

    event = samples.event(7, np.log(np.array([[0.9, 0.1], [0.5, 0.5], [0.4, 0.6]])), np.array([0, 0, 0]))

    assert (event["step"], [(row["id"], row["answer"]) for row in event["rows"]]) == (
        7,
        [("x", "a"), ("z", "b")],
    )
