"""Versions with any number of labels per text: their tensors, their lines in the spool, and their shadows."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from lifecycle.runtime.task_types.by_key.served import served_of
from tests.inference.models import LABELS, ask, auth

SETS = {"task": "multi_label", "thresholds": [0.6, 0.6, 0.4]}
SURE = 1 / (1 + math.exp(-3))  # the score of the only word of a text: 9 over three tokens
EVERY = [{"name": name} for name in ("SCORES", "DECIDED", "THRESHOLDS", "LABELS")]


def names(found):
    return [json.loads(each) for each in found["LABELS"]]


@pytest.mark.parametrize("binary", [False, True])
def test_a_label_is_decided_where_its_score_reaches_its_threshold(serve, infer, binary):
    serve(**SETS)

    found = infer(ask("card", "hello"), binary=binary)

    assert list(found) == ["SCORES", "DECIDED", "THRESHOLDS", "LABELS"]
    np.testing.assert_allclose(found["SCORES"], [[SURE, 0.5, 0.5], [0.5, 0.5, 0.5]], rtol=1e-6)
    assert found["SCORES"].dtype == found["THRESHOLDS"].dtype == np.float32
    assert found["DECIDED"].dtype == np.bool_
    assert found["DECIDED"].tolist() == [[True, False, True], [False, False, True]]
    np.testing.assert_allclose(found["THRESHOLDS"], SETS["thresholds"], rtol=1e-6)
    assert names(found) == [["card", "other"], ["other"]]


@pytest.mark.parametrize("binary", [False, True])
def test_a_text_without_a_label_has_an_empty_set(serve, infer, binary):
    serve(task="multi_label", thresholds=[0.6, 0.6, 0.6])

    found = infer(ask("hello", "money"), binary=binary)

    assert found["DECIDED"].tolist() == [[False] * 3, [False, True, False]]
    assert names(found) == [[], ["money"]]


def test_labels_decide_from_a_half_on_before_thresholds_are_fitted(serve, infer):
    serve(task="multi_label")

    assert names(infer(ask("hello", "card"))) == [LABELS, LABELS]


def test_many_texts_get_what_each_gets_alone(serve, infer):
    serve(**SETS)
    texts = ["card", "lost money late", "hello " * 11, "refund", "card lost", ""] * 4

    together = infer(ask(*texts), binary=True)

    alone = [infer(ask(text), binary=True) for text in texts]
    np.testing.assert_allclose(together["SCORES"], [each["SCORES"][0] for each in alone], atol=1e-6)
    assert together["DECIDED"].tolist() == [each["DECIDED"][0].tolist() for each in alone]
    assert names(together) == [names(each)[0] for each in alone]


def test_names_are_the_same_whatever_their_letters(serve, infer):
    labels = ["Überweisung", "卡", "\N{FIRE}"]
    serve(**SETS | {"labels": labels})

    for binary in (False, True):
        assert names(infer(ask("card"), binary=binary)) == [["Überweisung", "\N{FIRE}"]]


def test_metadata_and_configuration_describe_every_tensor(serve, infer, client):
    serve(**SETS)

    about, config = (
        client.get(f"/v2/models/support{path}", headers=auth()).json() for path in ("", "/config")
    )

    shapes = {"SCORES": [-1, 3], "DECIDED": [-1, 3], "THRESHOLDS": [3], "LABELS": [-1], "EMBEDDING": [-1, 3]}
    assert {each["name"]: each["shape"] for each in about["outputs"]} == shapes
    assert {each["name"]: each["dims"] for each in config["output"]} == shapes
    assert [each["datatype"] for each in about["outputs"]] == ["FP32", "BOOL", "FP32", "BYTES", "FP32"]
    assert about["parameters"]["labels"] == LABELS
    answer = client.post("/v2/models/support/infer", json=ask("card"), headers=auth()).json()
    named = {each["name"]: each.get("parameters") for each in answer["outputs"]}
    assert named["SCORES"] == named["DECIDED"] == named["THRESHOLDS"] == {"labels": LABELS}
    assert infer(ask("card", outputs=EVERY)).keys() == named.keys()


def test_the_spool_keeps_the_set_and_its_least_certain_decision(serve, infer, kept):
    serve(**SETS)
    infer(ask("card", "hello"))

    first, second = kept()[0]["outputs"]

    assert first == {
        "label": "card, other",
        "confidence": 0.5,
        "scores": {"card": 0.952574, "money": 0.5, "other": 0.5},
        "labels": ["card", "other"],
        "value": {"labels": ["card", "other"]},
    }
    assert (second["label"], second["confidence"]) == ("other", 0.5)


def test_an_empty_set_is_kept_as_one(serve, infer, kept):
    serve(task="multi_label", thresholds=[0.9, 0.6, 0.8])
    infer(ask("hello"))

    (entry,) = kept()[0]["outputs"]

    assert (entry["label"], entry["labels"], entry["value"]) == ("", [], {"labels": []})


@pytest.mark.parametrize("letter", ["a", "\N{FIRE}"])
def test_a_line_has_at_most_2_kb_for_a_text_however_many_labels_it_has(letter):
    labels = tuple(f"{letter * 110} {number}" for number in range(200))
    card = Card(labels, (0.5,) * 200)
    scores = np.linspace(0.4, 0.9, 200)[None]
    predicted = [{"labels": [label for label, score in zip(labels, scores[0], strict=True) if score >= 0.5]}]

    (entry,) = served_of("multi_label").spooled(scores, predicted, card)

    assert len(json.dumps(entry, separators=(",", ":"))) <= 2_000
    assert "value" not in entry
    assert entry["labels"] == predicted[0]["labels"][: len(entry["labels"])]
    assert len(entry["label"]) == 120


class Card:
    def __init__(self, labels, thresholds):
        self.labels, self.thresholds = labels, thresholds


def test_a_shadow_is_compared_by_its_set_and_by_each_labels_probability(serve, client, kept):
    other = {"labels": LABELS[::-1], "shift": 2, "task": "multi_label", "thresholds": [0.4, 0.6, 0.6]}
    serve(**SETS, shadow=other)
    for text in ("card", "money"):
        client.post("/v2/models/support/infer", json=ask(text), headers=auth())

    same, apart = [line for line in kept() if line.get("kind") == "shadow"]

    # "card" scores its label in both, "money" another one
    assert (same["agrees"], same["kl"], same["label"]) == (True, 0.0, "other, card")
    assert (apart["agrees"], apart["kl"] > 0) == (False, True)


def test_divergence_is_summed_over_the_labels_and_finite():
    served, card = served_of("multi_label"), Card(("a", "b"), None)
    found = served.divergence(np.array([0.75, 0.5]), card, np.array([0.5, 0.5]), card)
    far = served.divergence(np.array([1.0, 0.5]), card, np.array([0.0, 0.5]), card)

    assert found == round(0.75 * math.log(1.5) + 0.25 * math.log(0.5), 6)
    assert far == pytest.approx(12 * math.log(10), abs=1e-5)
    assert served.divergence(np.array([0.5]), card, np.array([0.5]), Card(("a", "c"), None)) is None


def test_a_shadow_of_another_task_agrees_with_nothing(serve, client, kept):
    serve(shadow=SETS)
    client.post("/v2/models/support/infer", json=ask("card"), headers=auth())

    (line,) = [line for line in kept() if line.get("kind") == "shadow"]

    assert (line["code"], line["agrees"], line["kl"]) == (200, False, None)
