"""A real model whose answer hinges on one word: through the warm engine, over the graph that serves."""

from __future__ import annotations

import numpy as np
import pytest

from lifecycle.ground.compute import warm
from lifecycle.runtime.engine.predictor import Predictor
from lifecycle.runtime.refusals import Refused
from tests.engine.inbox import SETS
from tests.engine.test_ranking_training import RANKINGS, ranked_folder  # noqa: F401  a fixture
from tests.engine.test_spans_training import spans_folder  # noqa: F401  a fixture

pytestmark = pytest.mark.engine
AROUND = (
    "my card is {} please",
    "the order is {} where",
    "{} my money thanks",
    "help {} card late",
    "{} please",
    "where is my order {}",
)
ROWS = [
    (text.format(word), label) for text in AROUND for word, label in (("lost", "card"), ("back", "refund"))
]


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
    whole, rest = (float(card - refund) for card, refund in logits)  # the log-odds of one of two labels
    assert found["log_odds"] == pytest.approx(whole, rel=1e-4)
    assert effects["LOST"] == pytest.approx(whole - rest, rel=1e-3)
    assert found == warm.explain(folder / "artifact", text)


def test_words_behind_what_the_model_reads_are_not_left_out(run_folder, train_here, warm_engine):
    folder = run_folder(rows=ROWS, epochs=1, max_tokens=8)
    train_here(folder)

    found = warm.explain(folder / "artifact", " ".join(["card"] * 20))

    assert (len(found["words"]), found["found"]) == (6, 20)


def test_multi_label_words_are_attributed_to_each_label(run_folder, train_here, warm_engine):
    folder = run_folder(rows=SETS, task="multi_label", epochs=40)
    train_here(folder)
    text = "card lost money back"

    card, refund = sorted(warm.explain(folder / "artifact", text)["classes"], key=lambda each: each["answer"])

    predictor = Predictor(folder / "artifact")
    labels = predictor.info.labels
    logits = (
        predictor.answer([text, "card lost money ", " lost money back"]).logits / predictor.info.temperature
    )
    for each, name in ((card, "card"), (refund, "refund")):
        at = labels.index(name)
        effects = {text[word["start"] : word["end"]]: word["effect"] for word in each["words"]}
        assert (each["answer"], each["given"], each["found"]) == (name, True, 4)
        assert each["log_odds"] == pytest.approx(float(logits[0, at]), rel=1e-4)
        assert effects["back"] == pytest.approx(float(logits[0, at] - logits[1, at]), rel=1e-3, abs=1e-4)
        assert effects["card"] == pytest.approx(float(logits[0, at] - logits[2, at]), rel=1e-3, abs=1e-4)


def test_words_are_attributed_to_each_span_in_its_place(spans_folder, train_here, warm_engine):  # noqa: F811
    folder = spans_folder(strategy={"kind": "full"}, learning_rate=5e-3, head_learning_rate=5e-2)
    train_here(folder)
    text = "where is my card"

    (part,) = warm.explain(folder / "artifact", text)["parts"]

    assert (part["answer"], text[part["start"] : part["end"]], part["found"]) == ("thing", "card", 3)
    predictor = Predictor(folder / "artifact")
    every = [
        each[-1] / predictor.info.temperature
        for each in predictor.answer([text, "where is  card"]).logits.values
    ]
    # tag 1 begins a thing
    card, alone = (float(row[1] - np.logaddexp.reduce(np.delete(row, 1))) for row in every)
    assert part["confidence"] == pytest.approx(1 / (1 + np.exp(-card)))
    assert part["log_odds"] == pytest.approx(card, rel=1e-4)
    effects = {text[word["start"] : word["end"]]: word["effect"] for word in part["words"]}
    assert list(effects) == ["where", "is", "my"]
    assert effects["my"] == pytest.approx(card - alone, rel=1e-3, abs=1e-3)


def test_words_are_attributed_to_each_response_by_its_lead(ranked_folder, train_here, warm_engine):  # noqa: F811
    folder = ranked_folder(rows=RANKINGS, task="ranking", epochs=12)
    train_here(folder)
    prompt, responses = "my card is lost", ["refund please", "card help", "thanks"]

    first, *others = warm.explain_responses(folder / "artifact", prompt, responses)

    predictor = Predictor(folder / "artifact")

    def strengths(prompt, responses):
        return (
            predictor.answer([(prompt, each) for each in responses]).logits[:, 0] / predictor.info.temperature
        )

    def lead(at, scores):
        return float(scores[at] - max(np.delete(scores, at)))

    whole = strengths(prompt, responses)
    assert [first["answer"], *(each["answer"] for each in others)] == np.argsort(-whole).tolist()
    for each in (first, *others):
        at, response = each["answer"], responses[each["answer"]]
        assert each["log_odds"] == pytest.approx(lead(at, whole), abs=1e-4)
        assert (len(each["prompt"]), len(each["words"]), each["found"]) == (
            4,
            len(response.split()),
            4 + len(response.split()),
        )
        word = each["prompt"][1]
        assert prompt[word["start"] : word["end"]] == "card"
        assert word["effect"] == pytest.approx(
            lead(at, whole) - lead(at, strengths("my  is lost", responses)), abs=1e-4
        )
        word = each["words"][0]
        rest = [
            response[word["end"] :] if number == at else response for number, response in enumerate(responses)
        ]
        assert word["effect"] == pytest.approx(lead(at, whole) - lead(at, strengths(prompt, rest)), abs=1e-4)
    assert first == warm.explain_responses(folder / "artifact", prompt, responses)[0]


def test_words_of_responses_behind_what_the_model_reads_are_not_left_out(
    ranked_folder,  # noqa: F811
    train_here,
    warm_engine,
):
    folder = ranked_folder(epochs=1, max_tokens=13)
    train_here(folder)

    found = warm.explain_responses(
        folder / "artifact", " ".join(["card"] * 9), [" ".join(["help"] * 9), "refund"]
    )

    read = {each["answer"]: (len(each["prompt"]), len(each["words"]), each["found"]) for each in found}
    # 10 of 13 tokens are words; with the short response all of the prompt is read
    assert read == {0: (9, 5, 18), 1: (9, 1, 10)}


def test_one_response_alone_is_refused_in_a_sentence(ranked_folder, train_here, warm_engine):  # noqa: F811
    folder = ranked_folder(epochs=1)
    train_here(folder)

    with pytest.raises(Refused, match="needs at least two responses"):
        warm.explain_responses(folder / "artifact", "my card is lost", ["card help"])
    with pytest.raises(Refused, match="needs at least two responses"):
        warm.explain(folder / "artifact", "my card is lost")
