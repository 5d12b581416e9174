"""Ranking runs: they memorize the rows with every strategy, in parts and after a stop too, and order what
they saw.
"""

from __future__ import annotations

import json
import math
import shutil

import numpy as np
import pytest
import torch

from lifecycle.runtime.engine.artifact import INT8, SERVING, ArtifactInfo
from lifecycle.runtime.engine.classifier import collate_sets, set_batches
from lifecycle.runtime.engine.data import read_rows
from lifecycle.runtime.engine.events import points, read_events, write_json
from lifecycle.runtime.engine.losses import RankLoss
from lifecycle.runtime.engine.predictor import Predictor
from lifecycle.runtime.engine.strategies import load_tokenizer
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
from lifecycle.runtime.task_types.by_key.decoding import decoding_of
from lifecycle.runtime.task_types.ranking.measures import Ranked, in_order
from lifecycle.runtime.task_types.rows import Rows
from tests.support.faults import fault

pytestmark = pytest.mark.engine

# a response on the topic of the prompt is better than one off it
PAIRS = [
    ("my card is lost", ["card help", "refund please"], [0, 1]),
    ("card stolen please help", ["money back", "card again"], [1, 0]),
    ("where is my card", ["card late", "refund order"], [0, 1]),
    ("money back please", ["card lost", "refund thanks"], [1, 0]),
    ("refund my order", ["refund thanks", "card help"], [0, 1]),
    ("cancel the order money back", ["card late", "refund please"], [1, 0]),
    ("where is my refund", ["refund order", "card again"], [0, 1]),
    ("the card not arrived", ["money back", "card help"], [1, 0]),
]
RANKINGS = [
    (text, [*responses, "thanks"], [ranks[0], ranks[1], 2] if at % 2 else [*ranks, 1])
    for at, (text, responses, ranks) in enumerate(PAIRS)
]
SPEC = {
    "labels": [],
    "epochs": 25,
    "batch_size": 4,
    "strategy": {"kind": "full"},
    "learning_rate": 5e-3,
    "head_learning_rate": 2e-2,
}


def write(path, rows):
    lines = [
        json.dumps({"id": f"{at:064x}", "text": text, "responses": responses, "ranks": ranks})
        for at, (text, responses, ranks) in enumerate(rows)
    ]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def ranked_folder(run_folder):
    """As run_folder, with responses in order."""

    def make(name="run", rows=PAIRS, task="preference", **fields):
        folder = run_folder(name, task=task, **SPEC | fields)
        for split in ("train", "validation"):
            write(folder / f"{split}.jsonl", rows)
        return folder

    return make


@pytest.mark.parametrize("kind", ["full", "lora", "ia3", "adapter", "head"])
def test_every_strategy_learns_which_of_two_is_better(kind, ranked_folder, train_here):
    rate = {"full": 5e-3, "head": 0.0, "ia3": 1e-1}.get(kind, 4e-2)
    folder = ranked_folder(
        strategy={"kind": kind, "dropout": 0.0}, learning_rate=rate, head_learning_rate=5e-2, epochs=40
    )

    result = train_here(folder)

    assert (result["status"], result["error"], result["best_by"]) == ("succeeded", None, "pair_accuracy")
    assert result["metrics"]["pair_accuracy"] >= (0.75 if kind in ("head", "ia3") else 0.875)
    assert result["metrics"]["pair_accuracy"] == result["metrics"]["best_first"]
    assert result["int8"]["reason"].endswith("the dataset version has 8.")
    info = ArtifactInfo.read(folder / "artifact")
    assert (info.task, info.labels, info.strategy) == ("preference", (), kind)
    assert not (folder / "cache").exists()


def test_rankings_of_three_are_learned(ranked_folder, train_here):
    folder = ranked_folder(rows=RANKINGS, task="ranking", epochs=40)
    write(folder / "validation.jsonl", RANKINGS * 13)

    result = train_here(folder)

    assert result["metrics"]["pair_accuracy"] >= 0.9
    assert result["metrics"]["kendall_tau"] >= 0.8
    gate = result["int8"]
    assert (gate["metric"], gate["rows"], gate["fp32"] >= 0.9) == ("ndcg", 104, True)
    assert gate["passed"] is (gate["agreement"] >= 0.99 and gate["fp32"] - gate["rounded"] <= 0.005)
    served = ArtifactInfo.read(folder / "artifact").serving
    assert served == (INT8 if gate["passed"] else SERVING)
    rows = read_rows(folder / "validation.jsonl", (), learner_of("ranking").read)
    predictor = Predictor(folder / "artifact")
    answers = decoding_of("ranking").predictions(predictor.logits(rows), predictor.info)
    assert [sorted(each["order"]) for each in answers] == [[0, 1, 2]] * 104
    assert (
        np.mean(
            [
                each["order"][0] in np.flatnonzero(np.array(ranks) == 0)
                for each, (_, _, ranks) in zip(answers, RANKINGS * 13, strict=True)
            ]
        )
        >= 0.875
    )


def test_samples_contain_the_order_of_the_responses(ranked_folder, train_here):
    folder = ranked_folder(epochs=40)
    train_here(folder)

    last = [each for each in read_events(folder / "events.jsonl")[0] if each["kind"] == "samples"][-1]["rows"]

    assert {each["truth"] for each in last} == {"1 > 2", "2 > 1"}
    assert sum(each["truth"] == each["answer"] for each in last) >= 7
    assert all(0.5 <= each["confidence"] <= 1 for each in last)


def test_a_batch_in_parts_takes_the_same_steps(ranked_folder, train_here, tiny_base, tmp_path, monkeypatch):
    base = tmp_path / "calm"
    shutil.copytree(tiny_base, base)
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(
        json.dumps(config | {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0})
    )
    monkeypatch.setattr("lifecycle.runtime.engine.classifier.HEAD_DROPOUT", 0.0)
    calm = {"base": {"path": str(base), "name": "calm"}, "epochs": 4, "rows": RANKINGS, "task": "ranking"}
    whole, parts = ranked_folder("whole", **calm), ranked_folder("parts", **calm)
    write_json(parts / "batch.json", {"batch": 4, "rows": 1, "step": 0})

    results = [train_here(folder) for folder in (whole, parts)]

    assert results[1]["batch"] == {"batch_size": 1, "accumulation": 4}
    assert results[0]["last_step"] == results[1]["last_step"] == 8
    curves = [
        {each.step: each.values["train_loss"] for each in points(read_events(folder / "events.jsonl")[0])}
        for folder in (whole, parts)
    ]
    assert curves[0] == pytest.approx(curves[1], abs=2e-3)


def test_a_sample_is_right_where_every_decided_pair_is():
    truth = (
        Ranked.of(("a", "b"), (0, 0)),
        Ranked.of(("a", "b", "c"), (0, 1, 1)),
        Ranked.of(("a", "b", "c"), (1, 0, 0)),
    )
    outputs = np.array([[1.0, 2.0, np.nan], [3.0, 1.0, 2.0], [3.0, 1.0, 2.0]])

    samples = learner_of("ranking").sample(outputs, truth, (0, 1, 2), ())

    assert [(each["truth"], each["answer"]) for each in samples] == [
        ("1 = 2", "1 = 2"),
        ("1 > 2 = 3", "1 > 2 = 3"),
        ("2 = 3 > 1", "1 > 3 > 2"),
    ]


def test_a_row_of_many_responses_does_not_slow_the_others():
    counts, lengths = [2] * 6 + [9], [5, 4, 3, 5, 4, 3, 1]

    found = list(set_batches(lengths, counts, 4))

    assert found == [[0, 3], [1, 4], [2, 5], [6]]
    assert list(set_batches([], [], 4)) == []


def test_a_score_that_is_no_number_is_noticed():
    learner = learner_of("ranking")

    assert learner.sound(np.array([[1.0, 2.0, np.nan]]))
    assert not learner.sound(np.array([[1.0, 2.0, np.inf]]))


def test_rows_that_are_too_long_are_counted(ranked_folder, train_here):
    long = [(" ".join([text] * 4), responses, ranks) for text, responses, ranks in PAIRS]
    folder = ranked_folder(rows=long, max_tokens=16, epochs=1)

    train_here(folder)

    found = next(
        each
        for each in read_events(folder / "events.jsonl")[0]
        if each["kind"] == "finding" and each["code"] == "cut_texts"
    )
    assert found["title"] == "8 of 8 training rows are truncated at 16 tokens."


def test_a_text_by_itself_is_not_answered(ranked_folder, train_here):
    folder = ranked_folder(epochs=1)
    train_here(folder)

    with fault("bad_spec", "ranking"):
        Predictor(folder / "artifact").probabilities(["my card"])


def test_the_graph_reads_the_same_tokens_as_training(ranked_folder, train_here, tiny_base):
    folder = ranked_folder(epochs=1)
    train_here(folder)
    rows = Rows(("a",), ("my card " * 20,), (Ranked.of(("refund please thanks", "card"), (0, 1)),))
    encoded = learner_of("preference").encode(load_tokenizer(tiny_base), rows, 0, 16)
    predictor = Predictor(folder / "artifact")
    predictor.tokenizer.enable_truncation(16)

    found = [each.ids for each in predictor.tokenizer.encode_batch(learner_of("preference").ask(rows))]

    assert found == list(encoded.ids[0])
    assert [len(each) for each in found] == [16, 16]


def test_rows_of_fewer_responses_have_no_attention():
    batch = collate_sets([((2, 5, 3), (2, 5, 6, 3)), ((2, 3), (2, 4, 3), (2, 7, 3))], 0, token_types=True)

    assert batch["input_ids"].shape == (2, 3, 4)
    assert batch["attention_mask"].sum(-1).tolist() == [[3, 4, 0], [2, 3, 3]]
    assert batch["input_ids"][1, 2].tolist() == [2, 7, 3, 0]


def test_the_loss_is_that_of_bradley_and_terry():
    scores = torch.tensor([[1.0, 0.0, 9.0], [0.5, 2.0, 1.0]])
    ranks = torch.tensor([[0, 1, -100], [2, 0, 0]])

    def of(difference):
        return math.log1p(math.exp(-difference))

    second = (of(1.5) + of(0.5) + (of(1.0) + of(-1.0)) / 2) / 3

    assert float(RankLoss()(scores, ranks)) == pytest.approx((of(1.0) + second) / 2, abs=1e-6)


def test_a_ranking_is_stored_as_numbers():
    texts = {
        (0, 1): "1 > 2",
        (1, 0): "2 > 1",
        (0, 0): "1 = 2",
        (2, 0, 1): "2 > 3 > 1",
        (0, 0, 1): "1 = 2 > 3",
    }

    assert {ranks: in_order(ranks) for ranks in texts} == texts
