"""Scores of written answers, equal to the packages that define them."""

import collections
import random
import re
import string
import sys

import numpy as np
import pytest

from lifecycle.runtime.statistics import bootstrap, metrics, words
from lifecycle.runtime.statistics.intervals import wilson
from lifecycle.runtime.task_types.generation import measures as text_scores
from lifecycle.runtime.task_types.generation.measures import score_texts

VOCABULARY = (
    "the a cat dog sat on mat, it's 3,5 and ran. fast Ünder don't red-blue card_arrival (yes) an".split()  # noqa: SIM905
)


def texts(count, seed):
    """Made-up answers, of which some are empty."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(VOCABULARY, k=draw.randint(0, 14))) for _ in range(count)]


def squad_normal(text):
    """The official evaluation's own normalisation, word for word."""

    def remove_articles(text):
        return re.compile(r"\b(a|an|the)\b", re.UNICODE).sub(" ", text)

    return " ".join(
        remove_articles("".join(ch for ch in text.lower() if ch not in set(string.punctuation))).split()
    )


def squad_f1(answer, gold):
    gold_tokens, tokens = squad_normal(gold).split(), squad_normal(answer).split()
    common = sum((collections.Counter(gold_tokens) & collections.Counter(tokens)).values())
    if len(gold_tokens) == 0 or len(tokens) == 0:
        return int(gold_tokens == tokens)
    if common == 0:
        return 0
    precision, recall = common / len(tokens), common / len(gold_tokens)
    return 2 * precision * recall / (precision + recall)


def known(module):
    """A module of rouge_score. Its dependency absl keeps the stream of its import and closes it when logging
    is reconfigured.
    """
    found = pytest.importorskip(f"rouge_score.{module}")
    from absl import logging

    logging.get_absl_handler().python_handler.setStream(sys.__stderr__)
    return found


def test_rouge_equals_rouge_score():
    scorer = known("rouge_scorer").RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    for answer, reference in zip(texts(150, 1), texts(150, 2), strict=True):
        wanted, found = scorer.score(reference, answer), words.rouge(answer, reference)
        assert found.one == pytest.approx(wanted["rouge1"].fmeasure, abs=1e-12)
        assert found.two == pytest.approx(wanted["rouge2"].fmeasure, abs=1e-12)
        assert found.longest == pytest.approx(wanted["rougeL"].fmeasure, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Где моя карта? Карта №5", ["где", "моя", "карта", "карта", "no5"]),
        ("Ποῦ εἶναι; 3", ["ποῦ", "εἶναι", "3"]),
        ("أين بطاقتي؟", ["أين", "بطاقتي"]),
        ("我的卡，在哪里", ["我", "的", "卡", "在", "哪", "里"]),
        ("カードはABC１２", ["カ", "ー", "ド", "は", "abc12"]),
        ("카드가 어디", ["카드가", "어디"]),
        ("कार्ड कहाँ है", ["कार्ड", "कहाँ", "है"]),
        ("cafe\u0301 ❤\ufe0f don't_x", ["café", "don", "t", "x"]),
    ],
)
def test_words_of_rouge_are_those_of_any_script(text, wanted):
    assert words.rouge_words(text) == wanted
    assert words.rouge(text, text).longest == 1.0


def test_rouge_of_any_ascii_text_has_the_words_of_rouge_score():
    tokenize = known("tokenize").tokenize
    draw = random.Random(9)
    for _ in range(300):
        text = "".join(draw.choices([chr(code) for code in range(128)], k=60))
        assert words.rouge_words(text) == tokenize(text, None)


def test_exact_match_and_token_f1_equal_the_squad_evaluation():
    for answer, reference in zip(texts(150, 3), texts(150, 4), strict=True):
        assert words.exact(answer, reference) == (squad_normal(answer) == squad_normal(reference))
        assert words.token_f1(answer, reference) == pytest.approx(squad_f1(answer, reference), abs=1e-12)
    assert words.exact("The CARD, please!", "card please")
    assert words.token_f1("", "") == 1.0


@pytest.mark.parametrize("count", [1, 5, 120])
def test_chrf_and_bleu_equal_sacrebleu(count):
    from sacrebleu.metrics import BLEU, CHRF

    answers, references = texts(count, 5), [each or "x" for each in texts(count, 6)]

    found = metrics.point_estimates(score_texts(answers, references, [""] * count))

    assert found["bleu"] == pytest.approx(BLEU().corpus_score(answers, [references]).score, abs=1e-9)
    assert found["chrf"] == pytest.approx(CHRF().corpus_score(answers, [references]).score, abs=1e-9)


def test_a_resample_has_the_scores_of_the_rows_that_it_drew():
    from sacrebleu.metrics import BLEU, CHRF

    answers, references = texts(20, 7), [each or "x" for each in texts(20, 8)]
    weights = np.random.default_rng(1).integers(0, 3, size=(1, 20)).astype(float)
    drawn = np.repeat(np.arange(20), weights[0].astype(int))

    found = score_texts(answers, references, [""] * 20, np.arange(20.0), np.arange(1.0, 21.0)).aggregate(
        weights
    )

    some, wanted = [answers[row] for row in drawn], [references[row] for row in drawn]
    assert found["bleu"][0] == pytest.approx(BLEU().corpus_score(some, [wanted]).score, abs=1e-9)
    assert found["chrf"][0] == pytest.approx(CHRF().corpus_score(some, [wanted]).score, abs=1e-9)
    assert found["perplexity"][0] == pytest.approx(np.exp(drawn.sum() / (drawn + 1).sum()))
    assert found["rouge_l"][0] == pytest.approx(
        np.mean([words.rouge(one, two).longest for one, two in zip(some, wanted, strict=True)])
    )


def test_perplexity_weighs_rows_by_their_tokens():
    found = metrics.point_estimates(score_texts(["a", "b"], ["a", "b"], ["", ""], [2.0, 6.0], [1.0, 3.0]))

    assert found["loss"] == 2.0
    assert found["perplexity"] == pytest.approx(np.exp(2.0))


def test_groundedness_is_the_share_of_content_words_in_the_context():
    context = "Parcels leave the depot in Leeds at 9.30, and customs may hold them for 12 days."

    assert words.groundedness("They leave Leeds at 9.30.", context) == 1.0
    assert words.groundedness("They leave York at 9.30.", context) == pytest.approx(2 / 3)
    assert words.ungrounded("They leave York at 9.30, or 10.15.", context) == ["york", "10.15"]
    assert words.groundedness("It is.", context) is None  # no content word
    assert words.groundedness("", context) is None
    assert words.groundedness("Leeds", " ") is None
    # what it cannot see: a denial counts as grounded, a paraphrase does not
    assert words.groundedness("Customs may not hold them.", context) == 1.0
    assert words.groundedness("Dispatched.", context) == 0.0


def test_only_rows_with_a_context_are_grounded():
    found = metrics.point_estimates(
        score_texts(["leeds", "york", "leeds"], ["x"] * 3, ["leeds", "leeds", ""])
    )
    without = metrics.point_estimates(score_texts(["leeds"], ["x"], [""]))

    assert found["groundedness"] == 0.5
    assert np.isnan(without["groundedness"])


def test_lengths_and_empty_answers_are_counted():
    found = metrics.point_estimates(
        score_texts(["one two", "", "one"], ["one two three", "one", "one two"], [""] * 3)
    )

    assert (found["answer_words"], found["empty_answers"], found["length_ratio"]) == (
        1.0,
        pytest.approx(1 / 3),
        0.5,
    )


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0.0),
        ("one two three", 0.0),
        ("a b c d e", 0.0),
        ("a b c d a b c d", 1 / 5),  # abcd bcda cdab dabc abcd
        ("no no no no no no", 2 / 3),
        ("No, no. NO! no no no", 2 / 3),
    ],
)
def test_repetition_is_the_share_of_runs_of_four_words_written_before(text, share):
    assert words.repetition(text) == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I’m afraid we cannot share account details.", True),
        ("We are unable to discuss this.", True),
        ("I don't know.", True),
        ("Unfortunately, I do not have enough information to say.", True),
        ("As an AI language model, I have no opinion.", True),
        ("I'm sorry to hear that your card is lost. I can help you block it.", False),
        ("You cannot use the card abroad.", False),
        ("If you can't provide a receipt, we will help you.", False),
        ("I will assist you.", False),
        ("word " * 40 + "I can't help.", False),
        ("", False),
    ],
)
def test_a_refusal_is_found_by_the_phrases_that_it_begins_with(text, refuses):
    assert words.is_refusal(text) is refuses


def test_refusals_are_a_share_of_rows_and_repetition_a_mean():
    answers = ["I can't help.", "no no no no no no", "yes", "maybe"]

    found = bootstrap.summary(score_texts(answers, ["x"] * 4, [""] * 4), count=200, seed=1)

    assert (found["refusals"], found["repetition"]) == (0.25, pytest.approx(1 / 6))
    for name in ("refusals", "repetition"):
        ends = found["intervals"][name]
        assert 0 <= ends["low"] < found[name] < ends["high"] <= 1


def test_where_no_response_refuses_or_repeats_the_interval_is_that_of_wilson():
    found = bootstrap.summary(score_texts(["yes"] * 20, ["x"] * 20, [""] * 20), count=200, seed=1)

    for name in ("refusals", "repetition"):
        assert tuple(found["intervals"][name].values()) == pytest.approx(wilson(0, 20))


def test_a_summary_omits_unknown_scores_and_has_intervals():
    found = bootstrap.summary(
        score_texts(["one two", "one"], ["one two", "two"], ["", ""]), count=200, seed=1
    )

    assert {"perplexity", "loss", "groundedness"}.isdisjoint(found)
    assert {"perplexity", "loss", "groundedness"}.isdisjoint(found["intervals"])
    assert found["exact_match"] == 0.5
    assert tuple(found["intervals"]["exact_match"].values()) == pytest.approx(wilson(1, 2))


def test_two_models_are_compared_row_by_row_and_plus_is_better_for_the_second():
    references = ["one two three four"] * 40
    worse = score_texts(["one two"] * 40, references, [""] * 40, [8.0] * 40, [4.0] * 40)
    better = score_texts(["one two three four"] * 40, references, [""] * 40, [4.0] * 40, [4.0] * 40)

    found = text_scores.paired(worse, better, count=100)

    assert {*found} == {
        "rouge_l",
        "token_f1",
        "exact_match",
        "chrf",
        "bleu",
        "perplexity",
        "empty_answers",
        "repetition",
        "refusals",
    }
    assert found["rouge_l"]["verdict"] == "better"
    assert found["perplexity"]["difference"] == pytest.approx(np.exp(2) - np.exp(1))  # lower is better: plus
    assert found["perplexity"]["verdict"] == "better"
    assert found["empty_answers"]["verdict"] == "unclear"


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        score_texts([], [], [])
