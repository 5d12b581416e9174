"""A real model whose answer hinges on one word: through the warm engine, over the graph that serves."""

from __future__ import annotations

import pytest

from lifecycle.compute import warm
from lifecycle.engine.predictor import Predictor

pytestmark = pytest.mark.engine
AROUND = ("my card is {} please", "the order is {} where", "{} my money thanks", "help {} card late", "{} please", "where is my order {}")
ROWS = [(text.format(word), label) for text in AROUND for word, label in (("lost", "card"), ("back", "refund"))]


def test_the_word_on_which_a_trained_model_hinges_is_first(run_folder, train_here, warm_engine):
    folder = run_folder(rows=ROWS, epochs=30)
    train_here(folder)
    text = "Please help: my card – is LOST, thanks"

    found = warm.explain(folder / "artifact", text)

    effects = {text[word["start"] : word["end"]]: word["effect"] for word in found["words"]}
    assert (found["answer"], found["found"], len(effects)) == ("card", 7, 7)
    assert max(effects, key=lambda word: abs(effects[word])) == "LOST"
    assert effects["LOST"] > 0
    predictor = Predictor(folder / "artifact")
    logits = predictor.answer([text, text.replace("LOST", "")]).logits / predictor.info.temperature
    whole, rest = (float(card - refund) for card, refund in logits)  # the log-odds of one of two classes
    assert found["log_odds"] == pytest.approx(whole, rel=1e-4)
    assert effects["LOST"] == pytest.approx(whole - rest, rel=1e-3)
    assert found == warm.explain(folder / "artifact", text)


def test_words_behind_what_the_model_reads_are_not_left_out(run_folder, train_here, warm_engine):
    folder = run_folder(rows=ROWS, epochs=1, max_tokens=8)
    train_here(folder)

    found = warm.explain(folder / "artifact", " ".join(["card"] * 20))

    assert (len(found["words"]), found["found"]) == (6, 20)
