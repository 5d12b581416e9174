"""Long texts pass fewer at a time, so that attention memory stays bounded, and steps and answers stay the
same.
"""

from __future__ import annotations

import numpy as np
import pytest

from lifecycle.runtime.engine import memory
from lifecycle.runtime.engine.classifier import Classifier, length_batches, set_batches
from lifecycle.runtime.engine.events import points, read_events
from lifecycle.runtime.engine.memory import SQUARES, rows_within
from lifecycle.runtime.engine.predictor import Predictor
from tests.engine.inbox import ROWS

pytestmark = pytest.mark.engine

LENGTHS = np.random.default_rng(1).integers(3, 513, 700).tolist()


def test_attention_over_a_batch_holds_no_more_than_over_64_texts_of_128_tokens():
    found = list(length_batches(LENGTHS, 64))

    assert sorted(row for batch in found for row in batch) == list(range(700))
    assert max(len(batch) * LENGTHS[batch[0]] ** 2 for batch in found) <= SQUARES
    assert [len(batch) for batch in length_batches([128] * 130, 64)] == [64, 64, 2]
    assert [len(batch) for batch in length_batches([512] * 9, 64)] == [4, 4, 1]
    assert [len(batch) for batch in length_batches([5000] * 2, 64)] == [1, 1]


def test_sets_of_long_sequences_pass_fewer_at_a_time():
    assert [len(batch) for batch in set_batches([512] * 4, [2] * 4, 64)] == [2, 2]
    assert [len(batch) for batch in set_batches([64] * 4, [2] * 4, 64)] == [4]


@pytest.mark.parametrize(
    ("tokens", "rows", "wanted"), [(1, 8, 8), (128, 8, 8), (256, 8, 8), (512, 8, 2), (9000, 8, 1), (0, 8, 8)]
)
def test_rows_of_so_many_tokens_that_learn_at_a_time(tokens, rows, wanted):
    assert rows_within(tokens, rows, memory.TRAINED_SQUARES) == wanted


def test_without_a_bound_all_rows_pass():
    assert rows_within(9000, 8, None) == 8


@pytest.fixture
def seen(monkeypatch):
    """How many rows learn at a time, in order."""
    found, own = [], Classifier.forward

    def forward(self, labels=None, **inputs):
        if labels is not None:
            found.append(len(labels))
        return own(self, labels=labels, **inputs)

    monkeypatch.setattr(Classifier, "forward", forward)
    return found


def losses(folder):
    curve = points(read_events(folder / "events.jsonl")[0])
    return {point.step: point.values["train_loss"] for point in curve if "train_loss" in point.values}


def test_a_run_of_long_texts_makes_the_same_steps_a_few_rows_at_a_time(
    calm_folder, train_here, monkeypatch, seen
):
    plain, short = calm_folder("plain", batch_size=7), calm_folder("short", batch_size=7)
    train_here(plain)
    whole = list(seen)
    seen.clear()
    monkeypatch.setattr(memory, "TRAINED_SQUARES", 2 * 8**2)  # two rows of eight tokens, with begin and end

    result = train_here(short)

    assert set(whole) == {7}
    assert max(seen) < 7
    assert result["batch"] == {"batch_size": 7, "accumulation": 1}
    assert losses(short) == pytest.approx(losses(plain), abs=1e-4)


def test_an_answer_is_the_same_in_any_company(run_folder, train_here, monkeypatch):
    folder = run_folder(epochs=1)
    train_here(folder)
    texts = [text for text, _ in ROWS] + ["card " * 60]
    predictor = Predictor(folder / "artifact")
    together = predictor.answer(texts).logits

    monkeypatch.setattr("lifecycle.runtime.engine.classifier.SQUARES", 1)

    assert np.abs(predictor.answer(texts).logits - together).max() < 1e-5
