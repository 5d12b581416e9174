"""Perturbed rows of every task: spans move with their texts, responses and prompts are perturbed, and
predictions are scored again.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score

from lifecycle.runtime.engine.events import read_events
from lifecycle.runtime.engine.flips import read_flips
from lifecycle.runtime.engine.perturb import PROBES, SENTENCE, disturb, disturb_responses
from lifecycle.runtime.engine.predictor import Predictor
from lifecycle.runtime.engine.task_types.by_key.answerers import answerer_of
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
from lifecycle.runtime.engine.task_types.generation.dialogues import Turn
from lifecycle.runtime.engine.task_types.generation.learner import Target
from lifecycle.runtime.engine.task_types.multi_label.answerer import set_f1
from lifecycle.runtime.engine.task_types.spans.answerer import carry
from lifecycle.runtime.statistics import words
from lifecycle.runtime.statistics.intervals import wilson
from lifecycle.runtime.task_types.multi_label import measures as label_sets
from lifecycle.runtime.task_types.ranking import measures as ranking
from lifecycle.runtime.task_types.ranking.decoding import ranks, sure
from lifecycle.runtime.task_types.rows import Rows
from lifecycle.runtime.task_types.spans.tagging import Found, Marked
from tests.engine.inbox import SETS, write_rows
from tests.engine.questions import make_run, write_pairs
from tests.engine.test_ranking_training import PAIRS, RANKINGS, ranked_folder  # noqa: F401  a fixture
from tests.engine.test_ranking_training import write as write_orders
from tests.engine.test_spans_training import TEXTS, spans_folder  # noqa: F401  a fixture
from tests.engine.test_spans_training import write as write_spans
from tests.support.tiny_decoders import QUESTIONS, make_tiny_decoder

pytestmark = pytest.mark.engine

engine = pytest.mark.engine


# ── Without a model ─────────────────────────────────────────────────────────
def test_spans_move_with_their_text_and_what_was_cut_counts_on_neither_side():
    text = "my card is at the bank"  # cut behind its first 11 letters
    half = disturb("half", text, seed=1, name="one")
    true = [(3, 7, 0), (8, 13, 1), (18, 22, 0)]
    found = [Found(3, 7, 0, 0.9), Found(8, 10, 1, 0.8), Found(18, 22, 0, 0.7)]

    carried = carry(half, true, found)

    assert half.text == "my card is "
    assert (carried.true, carried.lost, carried.rests) == (((3, 7, 0),), 2, ((8, 11),))
    assert carried.found == (Found(3, 7, 0, 0.9),)


class Fixed:
    """In the place of an artifact's description."""

    labels = ("thing", "wish")


def test_spans_are_held_against_those_that_were_found_before():
    rows = Rows(
        ("one", "two", "three"),
        ("my card", "my order and", "no part here"),
        (
            Marked(((3, 7, 0),)),
            Marked(((3, 8, 0),)),
            Marked(()),
        ),
    )
    clean = [[Found(3, 7, 0, 0.9)], [Found(3, 8, 1, 0.6)], []]
    spans = answerer_of("spans")
    disturbed = spans.disturb("edges", rows, 1)

    sides = spans.compare(
        Fixed(), rows, clean, disturbed, [[Found(9, 12, 0, 0.8)], [Found(9, 14, 0, 0.7)], []]
    )

    assert disturbed.texts[0] == " \t... my card !!\n "
    assert sides.own.tolist() == [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]
    assert sides.changed.tolist() == [True, True, False]
    assert sides.lost == (0, 0)
    first, second = sides.changes
    assert (json.loads(first.label), json.loads(first.clean), json.loads(first.predicted)) == (
        [[9, 13, "thing"]],
        [[9, 13, "thing"]],
        [[9, 12, "thing"]],
    )
    assert (first.clean_confidence, first.confidence, second.clean_confidence, second.confidence) == (
        0.9,
        0.8,
        0.6,
        0.7,
    )
    assert [
        float(each.aggregate(np.ones((1, 3)))["micro_f1"][0]) for each in (sides.before, sides.after)
    ] == [0.5, 0.5]


def test_the_score_of_a_set_is_its_f1_as_scikit_learn_has_it():
    truth = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0], [1, 1, 1]], dtype=bool)
    given = np.array([[1, 0, 1], [1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0]], dtype=bool)

    found = set_f1(label_sets.score_sets(np.where(given, 0.9, 0.1), truth, (0.5,) * 3))

    assert (
        found.tolist()
        == [f1_score(*pair, zero_division=1.0) for pair in zip(truth, given, strict=True)]
        == [0.5, 1.0, 1.0, 0.0, 0.0]
    )


def test_equal_strengths_are_equal_places_and_sure_is_of_the_first_two():
    strengths = np.array([0.5, 2.0, 0.5, -1.0])

    assert ranking.in_order(ranks(strengths)) == "2 > 1 = 3 > 4"
    assert sure(strengths) == pytest.approx(1 / (1 + np.exp(-1.5)))


def test_every_response_of_a_row_is_perturbed_separately():
    same = disturb_responses("typos", ["money back please"] * 4, seed=1, name="one")

    assert len(set(same)) > 1
    assert same == disturb_responses("typos", ["money back please"] * 4, seed=1, name="one")


def test_the_last_turn_of_a_chat_is_perturbed():
    target = Target("card", turns=(Turn("user", "hello"), Turn("assistant", "hi"), Turn("user", "my card")))
    rows = Rows(
        ("one", "two"),
        ("user: hello\nassistant: hi\nuser: my card", "my card"),
        (target, Target("card", "the context")),
    )

    found = answerer_of("generation").disturb("sentence", rows, 1)

    assert [each.text for each in found.targets[0].turns] == ["hello", "hi", f"my card {SENTENCE}"]
    assert (found.texts[1], found.targets[1]) == (f"my card {SENTENCE}", Target("card", "the context"))


# ── Tiny models ─────────────────────────────────────────────────────────────
@pytest.fixture
def probe(train_here, tmp_path):
    """Run robustness tests of an artifact on rows that `write` puts into data.jsonl; returns the folder and
    result.json."""

    def run(artifact, base, write, name="probed", cancelled=lambda: False, **fields):
        folder = tmp_path / name
        folder.mkdir()
        write(folder / "data.jsonl")
        spec = {
            "artifact": str(artifact),
            "base": {"path": str(base), "name": "tiny"},
            "bootstrap": 200,
            "threads": 1,
        } | fields
        (folder / "spec.json").write_text(json.dumps(spec))
        return folder, train_here(folder, cancelled, verb="robustness")

    return run


def check(folder, result, task, scores, rows):
    """What is true of the result of every task."""
    assert (result["status"], result["task"], result["scores"], result["rows"]) == (
        "succeeded",
        task,
        scores,
        rows,
    ), result["error"]
    assert list(result["probes"]) == list(PROBES)
    for name, found in result["probes"].items():
        flips = read_flips(folder / "flips.parquet", name)
        low, high = wilson(len(flips), rows)
        assert found["flipped"] == {"value": len(flips) / rows, "low": low, "high": high, "count": len(flips)}
        assert (found["broken"], found["fixed"]) == (
            sum(each.is_broken for each in flips),
            sum(each.is_fixed for each in flips),
        )
        for score in scores:
            change = found["change"][score]
            assert change["difference"] == pytest.approx(change["candidate"] - change["baseline"])
            assert change["candidate"] == pytest.approx(found[score])
            assert found["intervals"][score]["low"] <= found[score] <= found["intervals"][score]["high"]
    assert result["probes"]["lower"]["flipped"]["count"] == 0  # the texts are lower already


def progress_of(folder):
    return [
        (each["done"], each["total"], each["unit"])
        for each in read_events(folder / "events.jsonl")[0]
        if each["kind"] == "progress"
    ]


@engine
def test_several_classes_are_scored_by_exact_match_and_micro_f1(run_folder, train_here, tiny_base, probe):
    run = run_folder(rows=SETS, task="multi_label", epochs=30)
    train_here(run)

    folder, result = probe(run / "artifact", tiny_base, lambda path: write_rows(path, SETS))

    check(folder, result, "multi_label", ["micro_f1", "subset_accuracy"], 8)
    predictor, learner = Predictor(run / "artifact"), learner_of("multi_label")
    labels = predictor.info.labels
    truth = learner.truth([[labels.index(each) for each in wanted] for _, wanted in SETS], 2)
    for name in PROBES:
        texts = [disturb(name, text, seed=1, name=f"{at:064x}").text for at, (text, _) in enumerate(SETS)]
        decided = label_sets.decide(predictor.probabilities(texts), predictor.info.thresholds)
        assert result["probes"][name]["micro_f1"] == pytest.approx(f1_score(truth, decided, average="micro"))
        assert result["probes"][name]["subset_accuracy"] == pytest.approx(
            (truth == decided).all(axis=1).mean()
        )
    flip = next(each for name in PROBES for each in read_flips(folder / "flips.parquet", name))
    assert set(json.loads(flip.label)) | set(json.loads(flip.clean)) | set(json.loads(flip.predicted)) <= set(
        labels
    )
    assert 0 < flip.confidence <= 1
    done = progress_of(folder)
    assert done[-1] == (56, 56, "rows")
    assert [each[0] for each in done] == sorted(each[0] for each in done)


@engine
def test_spans_are_found_where_they_moved_to(spans_folder, train_here, tiny_base, probe):  # noqa: F811
    run = spans_folder(strategy={"kind": "full"}, learning_rate=5e-3, head_learning_rate=5e-2)
    train_here(run)

    folder, result = probe(run / "artifact", tiny_base, lambda path: write_spans(path, TEXTS))

    check(folder, result, "spans", ["micro_f1", "exact_texts"], 8)
    assert result["clean"]["micro_f1"] == 1.0
    assert result["probes"]["upper"]["micro_f1"] == 1.0  # its tokenizer lowers them
    assert result["probes"]["upper"]["lost"] == {"spans": 0, "rows": 0}
    halves = [text[: (len(text) + 1) // 2] for text in TEXTS]
    from tests.support.spans import spans_in  # the spans in the whole texts

    lost = [
        sum(each["end"] > len(half) for each in spans_in(text))
        for text, half in zip(TEXTS, halves, strict=True)
    ]
    assert result["probes"]["half"]["lost"] == {"spans": sum(lost), "rows": sum(map(bool, lost))}
    assert sum(lost) > 0


@engine
@pytest.mark.parametrize(("task", "rows"), [("preference", PAIRS), ("ranking", RANKINGS)])
def test_perturbed_responses_keep_their_rankings(task, rows, ranked_folder, train_here, tiny_base, probe):  # noqa: F811
    run = ranked_folder(rows=rows, task=task)
    train_here(run)

    folder, result = probe(run / "artifact", tiny_base, lambda path: write_orders(path, rows))

    check(folder, result, task, ["pair_accuracy", "best_first"], 8)
    assert result["clean"]["pair_accuracy"] >= 0.9
    predictor = Predictor(run / "artifact")
    for name in PROBES:
        asked = [
            (disturb(name, text, seed=1, name=f"{at:064x}").text, response)
            for at, (text, responses, _) in enumerate(rows)
            for response in disturb_responses(name, responses, seed=1, name=f"{at:064x}")
        ]
        scores = iter(predictor.answer(asked).logits[:, 0].tolist())
        right = pairs = 0.0
        for _, responses, order in rows:
            own = [next(scores) for _ in responses]
            for one in range(len(own)):
                for two in range(one):
                    if order[one] != order[two]:
                        pairs += 1
                        right += (
                            0.5
                            if own[one] == own[two]
                            else (own[one] > own[two]) == (order[one] < order[two])
                        )
        assert result["probes"][name]["pair_accuracy"] == pytest.approx(right / pairs)


@engine
def test_responses_to_perturbed_prompts_are_scored_against_the_references(train_here, tmp_path, probe):
    base = make_tiny_decoder(tmp_path / "base")
    run = make_run(tmp_path / "run", base, epochs=60)
    train_here(run)

    folder, result = probe(run / "artifact", base, lambda path: write_pairs(path, QUESTIONS))

    check(folder, result, "generation", ["rouge_l", "exact_match"], 8)
    assert result["clean"]["exact_match"] >= 0.75
    flips = [each for name in PROBES for each in read_flips(folder / "flips.parquet", name)]
    assert flips
    for flip in flips:
        assert (flip.label, flip.clean_confidence, flip.confidence) == ("", None, None)
        assert flip.clean != flip.predicted
        wanted = QUESTIONS[int(flip.id, 16)][1]
        assert (flip.before, flip.after) == (
            words.rouge(flip.clean, wanted).longest,
            words.rouge(flip.predicted, wanted).longest,
        )
    again, other = probe(
        run / "artifact", base, lambda path: write_pairs(path, QUESTIONS), name="again", rows=3
    )
    assert (other["rows"], other["of"]) == (3, 8)
    assert progress_of(again)[-1] == (21, 21, "rows")


@engine
def test_a_prompt_of_which_nothing_is_left_is_answered_too(tmp_path, train_here):
    base = make_tiny_decoder(tmp_path / "base")
    run = make_run(tmp_path / "run", base, epochs=1)
    train_here(run)
    texts = answerer_of("generation")
    opened = texts.open(run / "artifact", base, threads=1, batch_size=8, cancelled=lambda: False)
    turns = (Turn("user", "where is my order"), Turn("assistant", "no"), Turn("user", ""))

    answers = texts.answer(
        opened, Rows(("one", "two"), ("", "where is my order"), (Target("yes"), Target("yes", turns=turns)))
    )

    assert [type(each) for each in answers] == [str, str]


@engine
def test_it_stops_between_batches_on_request_and_leaves_no_flips(run_folder, train_here, tiny_base, probe):
    run = run_folder(rows=SETS, task="multi_label", epochs=1)
    train_here(run)
    asked = iter([False] * 3)

    folder, result = probe(
        run / "artifact", tiny_base, lambda path: write_rows(path, SETS), cancelled=lambda: next(asked, True)
    )

    assert result == {"format": 1, "status": "cancelled", "error": None}
    assert not (folder / "flips.parquet").exists()
    assert progress_of(folder)[-1][0] < 56
