"""Words around a span are left out in turn; what the span then loses is their contribution."""

from __future__ import annotations

import numpy as np
import pytest

from lifecycle.runtime.engine.occlusion import spans
from lifecycle.runtime.engine.task_types.spans.occlusion import MOST_PARTS, explain_parts, tempered
from lifecycle.runtime.task_types.spans.tagging import Tokens

WEIGHTS = {"lost": 2.0, "my": 0.5, "no": -1.0}  # each word's contribution to the span's label


def odds_of(text: str) -> float:
    return 1.0 + sum(WEIGHTS.get(text[start:end], 0.0) for start, end in spans(text))


def tagged(texts):
    """Predicts each card as a span by the weights of the words around it; one token per word, the logits of
    O, B, and I.
    """
    values, offsets = [], []
    for text in texts:
        places = spans(text)
        values.append(
            np.array(
                [[0.0, odds_of(text), -99.0] if text[s:e] == "card" else [9.0, 0.0, 0.0] for s, e in places]
            ).reshape(-1, 3)
        )
        offsets.append(np.array(places, dtype=np.int64).reshape(-1, 2))
    return Tokens(tuple(values), tuple(offsets), (False,) * len(texts))


def test_each_word_around_a_part_has_its_exact_effect_at_the_new_position_of_the_part():
    text = "lost, my card – no"

    (part,) = explain_parts(tagged, text)

    assert (part.answer, text[part.start : part.end], part.found) == (0, "card", 3)
    assert part.confidence == pytest.approx(1 / (1 + np.exp(-2.5)))
    assert (part.log_odds, part.empty) == (pytest.approx(2.5), pytest.approx(1.0))
    assert {text[word.start : word.end]: word.effect for word in part.words} == pytest.approx(
        {"lost": 2.0, "my": 0.5, "no": -1.0}
    )


def test_the_words_of_one_part_are_around_another_and_the_surest_are_taken():
    first, second = explain_parts(tagged, "card lost card")

    assert [(word.start, word.end) for word in first.words] == [(5, 9), (10, 14)]
    assert [(word.start, word.end) for word in second.words] == [(0, 4), (5, 9)]
    assert len(explain_parts(tagged, "card " * 20)) == MOST_PARTS


def test_only_words_that_the_model_reads_are_taken():
    (part,) = explain_parts(tagged, "card lost my no", end=11)

    assert [word.effect for word in part.words] == pytest.approx([2.0, 0.5])
    (part,) = explain_parts(tagged, "card lost my no", most=2)
    assert [word.effect for word in part.words] == pytest.approx([2.0])


def test_nothing_is_explained_without_spans():
    assert explain_parts(tagged, "lost my no") == ()
    assert explain_parts(tagged, "") == ()


def test_the_digits_of_a_part_that_is_certain_are_kept():
    (part,) = explain_parts(lambda texts: tempered(tagged(texts), 0.01), "card lost")

    assert part.confidence == 1.0  # rounded
    assert part.log_odds == pytest.approx(300.0)
    assert [word.effect for word in part.words] == pytest.approx([200.0])
