"""The loss attack on real models: one that memorized its rows, and one that learned nothing."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from lifecycle.runtime.engine.predictor import Predictor
from lifecycle.runtime.statistics.calibration import log_loss_rows
from lifecycle.runtime.statistics.membership import attack
from tests.engine.conftest import WORDS

pytestmark = pytest.mark.engine
LABELS = ("card", "refund")


@pytest.fixture
def rows():
    """120 different texts whose labels have no reason in the text: what is right on training rows was
    memorized.
    """
    random = Random(5)
    return [(" ".join(random.sample(WORDS, 6)), random.choice(LABELS)) for _ in range(120)]


def attacked(folder, trained, others):
    predictor = Predictor(folder / "artifact")

    def losses(rows):
        truth = np.array([LABELS.index(label) for _, label in rows])
        return log_loss_rows(predictor.probabilities([text for text, _ in rows]), truth)

    return attack(losses(trained), losses(others))


def test_a_model_that_memorized_its_rows_reveals_them(run_folder, train_here, rows):
    folder = run_folder(rows=rows[:60], epochs=40)  # the best step is that which knows these rows best
    assert train_here(folder)["metrics"]["accuracy"] > 0.9

    found = attacked(folder, rows[:60], rows[60:])

    assert found["low"] > 0.6
    assert found["auc"] > 0.75


def test_a_model_that_has_learned_nothing_reveals_none(run_folder, train_here, rows):
    folder = run_folder(rows=rows[:60], epochs=1, learning_rate=1e-7, head_learning_rate=1e-7)
    train_here(folder)

    found = attacked(folder, rows[:60], rows[60:])

    assert found["low"] < 0.5 < found["high"]
