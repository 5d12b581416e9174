"""Words are left out in turn; what the prediction loses is their contribution."""

from __future__ import annotations

import numpy as np
import pytest

from lifecycle.runtime.engine.occlusion import CLASSES, explain, explain_each, log_odds, spans, without

WEIGHTS = {"lost": (2.0, 0.0), "card": (0.5, 0.0), "refund": (0.0, 1.5)}  # card, refund


def linear(texts):
    """A model whose logits are sums of word weights."""
    weights = [
        [WEIGHTS.get(text[start:end].lower(), (0.0, 0.0)) for start, end in spans(text)] for text in texts
    ]
    return np.array([np.sum([(0.1, 0.0), *words], axis=0) for words in weights])


def words_of(text: str) -> list[str]:
    return [text[start:end] for start, end in spans(text)]


def test_the_word_on_which_the_answer_hinges_is_first_and_its_effect_exact():
    found = explain(linear, "My card is LOST, no refund!")

    effects = {"My card is LOST, no refund!"[word.start : word.end]: word.effect for word in found.words}
    assert found.answer == 0
    assert effects == pytest.approx(
        {"My": 0.0, "card": 0.5, "is": 0.0, "LOST": 2.0, "no": 0.0, "refund": -1.5}
    )
    assert max(effects, key=effects.__getitem__) == "LOST"


def test_the_effects_of_an_additive_model_sum_to_the_effect_of_all_words():
    found = explain(linear, "card lost lost refund")

    assert found.log_odds == pytest.approx(0.1 + 0.5 + 4.0 - 1.5)
    assert found.empty == pytest.approx(0.1)
    assert sum(word.effect for word in found.words) == pytest.approx(found.log_odds - found.empty, abs=1e-12)


def test_log_odds_are_those_of_the_probabilities_and_keep_their_digits_near_certainty():
    logits = np.array([[2.0, 1.0, -1.0], [0.0, 0.0, 0.0]])
    p = np.exp(logits[0]) / np.exp(logits[0]).sum()

    assert log_odds(logits, 1) == pytest.approx([np.log(p[1] / (1 - p[1])), np.log(0.5)])
    assert log_odds(np.array([[400.0, 0.0]]), 0) == pytest.approx([400.0])


def test_only_the_first_words_that_the_model_reads_are_taken():
    text = " ".join(["card"] * 9)

    assert [len(explain(linear, text, most=4).words), explain(linear, text, most=4).found] == [4, 9]
    assert len(explain(linear, text, end=11).words) == 3
    assert explain(linear, "?!").words == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Où est ma carte ? «perdue»", ["Où", "est", "ma", "carte", "perdue"]),
        ("don't e-mail me@bank.com.", ["don't", "e-mail", "me@bank.com"]),
        ("मेरा कार्ड खो गया", ["मेरा", "कार्ड", "खो", "गया"]),
        ("cafe\u0301 12,5 €", ["cafe\u0301", "12", "5"]),
        ("卡丢了ok", ["卡", "丢", "了", "ok"]),
        ("😀 card", ["card"]),
        ("card ❤️‍🔥 1️⃣ !\u0308", ["card", "1️⃣"]),
        ("", []),
    ],
)
def test_words_are_those_of_any_script(text, words):
    assert words_of(text) == words


def test_what_is_left_out_leaves_the_rest_as_it_was():
    text = "a–b 😀 c"

    assert without(text, spans(text)[:1]) == "–b 😀 c"
    assert without(text, spans(text)) == "– 😀 "
    assert without(text, []) == text


def test_each_label_has_its_own_words_predicted_labels_first():
    card, refund = explain_each(linear, "card lost lost refund", (0.5, 0.5))

    assert (card.answer, card.given, card.log_odds, card.empty) == (
        0,
        True,
        pytest.approx(4.6),
        pytest.approx(0.1),
    )
    assert [word.effect for word in card.words] == pytest.approx([0.5, 2.0, 2.0, 0.0])
    assert (refund.answer, refund.given, refund.log_odds) == (1, True, pytest.approx(1.5))
    assert [word.effect for word in refund.words] == pytest.approx([0.0, 0.0, 0.0, 1.5])


def test_a_label_is_predicted_from_its_threshold_on_and_followed_by_the_likeliest_others():
    def many(texts):
        return np.array([np.arange(9.0) - 4.0] * len(texts))

    found = explain_each(many, "card", (0.5, *[0.99] * 8))

    assert [(each.answer, each.given) for each in found] == [
        (8, False),
        (7, False),
        (6, False),
        (5, False),
        (4, False),
    ]
    assert len(found) == CLASSES
    found = explain_each(many, "card", (0.01, *[0.99] * 7, 0.95))
    assert [(each.answer, each.given) for each in found][:3] == [(8, True), (0, True), (7, False)]
    assert len(explain_each(many, "card", (0.01,) * 9)) == 9


def test_a_probability_equal_to_the_threshold_predicts_the_label():
    (even,) = explain_each(lambda texts: np.zeros((len(texts), 1)), "card", (0.5,))

    assert even.given
