"""When the built-in model learns again, in which order items come, and what its program works out."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pytest

from datasets_app.assist import learning
from datasets_app.assist.uncertainty import LastFit, enough, fit_is_due, next_fit_at, order
from datasets_app.queues.rules import disagreement

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)


@pytest.mark.parametrize(
    ("answers", "trained", "at"),
    [
        (10, True, 30),
        (100, True, 120),
        (200, True, 220),
        (201, True, 222),
        (1_000, True, 1_100),
        (12, False, 22),
    ],
)
def test_it_learns_again_after_20_answers_or_a_tenth_more(answers, trained, at):
    last = LastFit(answers, trained, LONG_AGO)

    assert next_fit_at(last) == at
    assert not fit_is_due(last, annotations=at - 1, imported=True, waiting=False, now=NOW)
    assert fit_is_due(last, annotations=at, imported=False, waiting=False, now=NOW)


def test_it_first_trains_at_10_annotations_or_with_imported_labels():
    assert next_fit_at(None) == 10
    assert not fit_is_due(None, annotations=9, imported=False, waiting=True, now=NOW)
    assert fit_is_due(None, annotations=10, imported=False, waiting=True, now=NOW)
    assert fit_is_due(None, annotations=0, imported=True, waiting=True, now=NOW)


def test_it_never_learns_twice_within_three_minutes():
    last = LastFit(10, True, NOW - timedelta(seconds=179))

    assert not fit_is_due(last, annotations=1_000, imported=False, waiting=True, now=NOW)
    assert fit_is_due(last, annotations=1_000, imported=False, waiting=True, now=NOW + timedelta(seconds=1))


def test_a_queue_without_an_order_is_due_once_a_model_is_trained():
    assert fit_is_due(LastFit(50, True, LONG_AGO), annotations=50, imported=False, waiting=True, now=NOW)
    assert not fit_is_due(LastFit(5, False, LONG_AGO), annotations=5, imported=True, waiting=True, now=NOW)


def test_two_classes_need_five_answers_each():
    assert not enough([100, 4, 4])
    assert enough([5, 5])


def test_the_least_sure_come_first_and_every_tenth_by_chance():
    margins = [at / 100 for at in range(30)]
    chance = [30 - at for at in range(30)]  # the surest are drawn first

    found = order(margins, chance)

    assert found[:12] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 29, 9, 10]
    assert (found[19], found[29]) == (28, 27)
    assert sorted(found) == list(range(30))
    assert order([0.5, 0.5, 0.1], [9, 3, 7]) == [2, 1, 0]
    assert order([], []) == []


def test_disagreement_is_the_entropy_of_the_votes():
    assert disagreement(["card"]) == 0
    assert disagreement(["card", "card"]) == 0
    assert disagreement(["card", "login"]) == 1
    assert disagreement(["a", "b", "c"]) == pytest.approx(math.log2(3))
    assert disagreement(["a", "a", "a", "b"]) == pytest.approx(0.8113, abs=1e-4)


# ── The program ─────────────────────────────────────────────────────────────
TEXTS = [(f"my card is lost {n}", 0) for n in range(8)] + [(f"refund the money {n}", 1) for n in range(8)]


def run(folder, rows, pool, *, many=False, classes=2):
    spec = {"features": "words", "classes": classes, "many": many, "seed": 1}
    (folder / "spec.json").write_text(json.dumps(spec))
    (folder / "train.jsonl").write_text(
        "".join(json.dumps({"text": text, "labels": labels}) + "\n" for text, labels in rows)
    )
    (folder / "pool.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in pool))
    result = learning.fit(folder)
    return result, [json.loads(line) for line in (folder / "scores.jsonl").read_text().splitlines()]


def test_the_program_scores_each_open_text(tmp_path):
    rows = [(text, [label]) for text, label in TEXTS]

    result, scores = run(tmp_path, rows, ["my card is lost", "the money of my card", "refund the money"])

    assert (result["status"], result["rows"], result["right"], result["folds"]) == ("succeeded", 16, 16, 5)
    assert [row["best"][0][0] for row in scores] in ([0, 0, 1], [0, 1, 1])
    assert scores[1]["margin"] == min(row["margin"] for row in scores)
    for row in scores:
        assert row["margin"] == pytest.approx(abs(row["best"][0][1] - (1 - row["best"][0][1])), abs=1e-5)
    assert result["pairs"] == [[0, 1, 1]]


def test_a_label_with_fewer_rows_than_folds_is_trained_too(tmp_path):
    rows = [(text, [label]) for text, label in TEXTS] + [("the app is closed", [2])]

    result, scores = run(tmp_path, rows, ["the app is closed"], classes=4)

    assert result["rows"] == 17
    assert result["right"] == 16
    assert 2 in [number for number, _ in scores[0]["best"]]


def test_multi_label_texts_are_trained_one_against_the_rest(tmp_path):
    rows = (
        [(text, [label]) for text, label in TEXTS]
        + [(f"refund my lost card {n}", [0, 1]) for n in range(8)]
        + [("hello", [])]
    )

    result, scores = run(
        tmp_path, rows, ["refund my lost card", "my card is lost", "something else"], many=True
    )

    assert [sorted(number for number, _ in row["best"]) for row in scores[:2]] == [[0, 1], [0]]
    assert all(0 <= row["margin"] <= 1 for row in scores)
    assert 20 <= result["right"] <= 25
