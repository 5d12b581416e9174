"""What a server answers for the rows of an evaluation is what the evaluation measured, whatever rows share a
request.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from lifecycle.runtime import bundle
from lifecycle.runtime.engine.artifact import INT8, SERVING, ArtifactInfo, Gate
from lifecycle.runtime.engine.export import set_info
from lifecycle.runtime.engine.quantise import quantise
from lifecycle.runtime.inference import engines
from lifecycle.runtime.task_types.by_key.predictions import file_of
from tests.engine.inbox import SETS
from tests.engine.test_ranking_training import PAIRS, RANKINGS

pytestmark = pytest.mark.engine

LONG = "thanks help please where is the order " * 3 + "my card"
TEXTS = [
    "my card is lost",
    "\N{FIRE ENGINE} cards, stolen please help",
    "where is my refund",
    "",
    "thanks",
    "refund my order-cards",
    "Cafe\N{COMBINING ACUTE ACCENT} card!",
    LONG,
]


@pytest.fixture
def measured(run_folder, once, tiny_base, tmp_path):
    """measured(rows, **spec): the server's engine of a trained run, and the predictions file of its
    evaluation.
    """

    def make(rows, **spec):
        folder = tmp_path / "evaluation"
        folder.mkdir()
        run = run_folder("evaluation/run", **spec)
        lines = "".join(json.dumps({"id": f"{at:064x}"} | row) + "\n" for at, row in enumerate(rows))
        for path in (run / "train.jsonl", run / "validation.jsonl", folder / "data.jsonl"):
            path.write_text(lines)
        once(run)
        asked = {
            "artifact": "run/artifact",
            "base": {"path": str(tiny_base), "name": "tiny"},
            "bootstrap": 50,
        }
        (folder / "spec.json").write_text(json.dumps(asked))
        once(folder, "evaluate")
        artifact = run / "artifact"
        return (
            engines.load(artifact, bundle.manifest(artifact)),
            file_of(spec["task"]).read(folder / "predictions.parquet"),
        )

    return make


def test_sets_of_labels(measured):
    rows = [{"text": text, "labels": labels} for text, labels in [*SETS, (LONG, ["card"])]]
    engine, evaluated = measured(
        rows, task="multi_label", epochs=12, learning_rate=3e-2, max_tokens=16, strategy={"kind": "lora"}
    )

    together = engine.predict([row["text"] for row in rows])

    np.testing.assert_allclose(together.values("SCORES"), evaluated.probabilities, atol=1e-6)
    np.testing.assert_allclose(together.values("THRESHOLDS"), evaluated.thresholds, atol=1e-7)
    assert np.array_equal(together.values("DECIDED"), evaluated.decided)
    assert {*evaluated.decided.ravel().tolist()} == {True, False}
    alone = [engine.predict([row["text"]]).answers[0] for row in rows]
    assert list(together.answers) == alone


@pytest.mark.parametrize(("task", "orders"), [("preference", PAIRS), ("ranking", RANKINGS)])
def test_rankings(measured, task, orders):
    long = (LONG, [*orders[0][1][:-1], LONG], orders[0][2])
    rows = [
        {"text": text, "responses": responses, "ranks": ranks} for text, responses, ranks in (*orders, long)
    ]
    engine, evaluated = measured(rows, task=task, labels=[], epochs=8, head_learning_rate=2e-2, max_tokens=24)
    asked = [(row["text"], *row["responses"]) for row in rows]

    together = engine.predict(asked)

    strengths = [score for row in evaluated.strengths for score in row]
    np.testing.assert_allclose(together.values("SCORES"), strengths, rtol=1e-5, atol=1e-5)
    order = [np.argsort(-np.array(row), kind="stable").tolist() for row in evaluated.strengths]
    assert [each["order"] for each in together.answers] == order
    assert len({tuple(each) for each in order}) > 1
    assert together.truncated == (*[False] * 8, True)
    alone = [engine.predict([row]) for row in asked]
    assert [each.answers[0]["order"] for each in alone] == order
    for sure, row in zip(together.spooled(), evaluated.strengths, strict=True):
        best, second = sorted(row, reverse=True)[:2]
        assert sure["confidence"] == pytest.approx(1 / (1 + np.exp(second - best)), abs=1e-5)


def spans_of(pattern):
    """Rows of TEXTS, each with the pattern's matches as spans."""
    return [
        {
            "text": text,
            "spans": [
                {"start": each.start(), "end": each.end(), "label": "thing"}
                for each in re.finditer(pattern, text)
            ],
        }
        for text in TEXTS
    ]


SPANS = {"task": "spans", "labels": ["thing"], "epochs": 14, "max_tokens": 16}
WORDS = r"[\w-]*card\w*"


@pytest.mark.parametrize(("pattern", "unit"), [(WORDS, "spaced"), ("ca", "piece")])
def test_spans(measured, pattern, unit):
    """unit: what has a tag of its own; a span of "ca" ends within a word."""
    engine, evaluated = measured(spans_of(pattern), **SPANS)

    together = engine.predict(TEXTS)

    assert engine.card.unit == unit
    found = list(map(places, together.answers))
    assert found == [
        [(each.start, each.end, evaluated.labels[each.label]) for each in some] for some in evaluated.found
    ]
    assert sum(map(len, found)) > 3
    np.testing.assert_allclose(
        together.values("CONFIDENCE"),
        [each.confidence for some in evaluated.found for each in some],
        atol=1e-6,
    )
    assert together.truncated == (*[False] * 7, True)
    alone = [engine.predict([text]) for text in TEXTS]
    assert [each.values("START").tolist() for each in alone] == [
        [start for start, *_ in some] for some in found
    ]
    assert [each.values("LABEL") for each in alone] == [[label for *_, label in some] for some in found]


def test_spans_without_the_graph_are_the_same(measured, tmp_path):
    engine, _ = measured(spans_of(WORDS), **SPANS)
    artifact = tmp_path / "evaluation" / "run" / "artifact"
    (artifact / SERVING).unlink()

    slow = engines.load(artifact, bundle.manifest(artifact))

    assert slow.platform == "pytorch"
    found, wanted = slow.predict(TEXTS), engine.predict(TEXTS)
    assert list(map(places, found.answers)) == list(map(places, wanted.answers))
    np.testing.assert_allclose(found.values("CONFIDENCE"), wanted.values("CONFIDENCE"), atol=1e-5)


def places(answer):
    return [(each["start"], each["end"], each["label"]) for each in answer["spans"]]


def test_int8_spans_of_a_text_are_the_very_same_alone_and_in_company(measured, tmp_path):
    measured(spans_of(WORDS), **SPANS)
    artifact = tmp_path / "evaluation" / "run" / "artifact"
    quantise(artifact / SERVING, artifact / INT8)
    set_info(artifact, replace(ArtifactInfo.read(artifact), int8=Gate(True, "Measured."), serving=INT8))
    engine = engines.load(artifact, bundle.manifest(artifact))

    together = engine.predict(TEXTS)

    assert engine.precision == "int8"
    assert list(together.answers) == [engine.predict([text]).answers[0] for text in TEXTS]
