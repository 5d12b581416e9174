"""Regression, a package unknown to the product's code: its parts below the rooms."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.task_types.settings import OF_LABELS, Facts, Lengths
from lifecycle.runtime.task_types.rows import Rows
from lifecycle.runtime.task_types.tools import Outgoing
from tests.task_types.regression import (
    baselines,
    decoding,
    formats,
    loading,
    measures,
    predictions,
    settings,
    suggestions,
)
from tests.task_types.regression.example import EXAMPLE
from tests.task_types.regression.measures import Numbers, ScoredNumbers

PEOPLE, MODEL = np.array([1.0, 2.0, 2.0, 7.5, 9.0]), np.array([2.0, 2.0, 1.0, 7.5, 10.0])


@pytest.fixture
def rows():
    return Numbers(tuple("abcde"), PEOPLE, MODEL)


def drawn(count=40):
    random = np.random.default_rng(3)
    truth = random.uniform(0, 10, count).round()
    return truth, np.clip(truth + random.normal(0, 3, count), 0, 10).round()


def test_tools_keep_the_number_and_label_studio_has_a_field_for_it():
    written = {name: tool.write(Outgoing({"number": 3.5})) for name, tool in formats.ENTRY.tools.items()}

    assert json.loads(json.dumps(written)) == {"labelstudio": [["number", {"number": 3.5}]], "argilla": 3.5}
    assert "<Number " in "".join(formats.ENTRY.label_config([]))
    assert formats.ENTRY.engine_row(EXAMPLE.item, {"number": 3.5}) == {
        "text": EXAMPLE.item.text,
        "number": 3.5,
    }


def test_a_suggestion_is_the_number_of_the_model():
    assert suggestions.ENTRY.from_model({"number": 3.5}, {}) == [({"number": 3.5}, None)]


def test_a_number_is_decoded_as_it_is_within_the_range():
    assert decoding.ENTRY.decode(np.array([[-1.0], [3.5], [11.0]])).tolist() == [0.0, 3.5, 10.0]
    assert decoding.ENTRY.predictions(np.array([3.5]), None) == [{"number": 3.5}]


def test_distances_are_those_of_the_definition(rows):
    report = measures.ENTRY.report(rows, count=100)

    assert (report["mse"], report["mae"], report["wrong_rows"]) == pytest.approx((0.6, 0.6, None))
    assert all(
        low_high["low"] <= report[name] <= low_high["high"] for name, low_high in report["intervals"].items()
    )


def test_spearman_is_that_of_scipy_with_ties_and_where_rows_count_more_than_once():
    truth, predicted = drawn()
    counts = np.random.default_rng(4).integers(0, 4, len(truth))
    weights = np.stack([np.ones(len(truth)), counts]).astype(np.float64)

    found = ScoredNumbers(truth, predicted).aggregate(weights)["spearman"]

    again = spearmanr(np.repeat(truth, counts), np.repeat(predicted, counts)).statistic
    assert found == pytest.approx([spearmanr(truth, predicted).statistic, again], abs=1e-12)


def test_where_all_numbers_are_equal_there_is_no_correlation():
    found = ScoredNumbers(PEOPLE, np.full(5, 3.0)).aggregate(np.ones((1, 5)))

    assert np.isnan(found["spearman"][0])


def test_a_model_against_itself_is_not_better(rows):
    found = measures.ENTRY.compare(rows, rows, count=50)["metrics"]

    assert {name: each["verdict"] for name, each in found.items()} == dict.fromkeys(
        ("mse", "mae", "spearman"), "unclear"
    )


def test_a_file_contains_the_predictions(rows, tmp_path):
    predictions.ENTRY.write(tmp_path / "p.parquet", rows, "test")
    found = predictions.ENTRY.read(tmp_path / "p.parquet", rows=[3, 0])

    assert (found.ids, found.truth.tolist(), found.predicted.tolist()) == (("d", "a"), [7.5, 1.0], [7.5, 2.0])
    assert predictions.ENTRY.grouped(tmp_path / "p.parquet").worst_first("nearness")[-1] == 3


def test_ridge_on_words_is_nearer_than_the_mean():
    truth, _ = drawn()
    known = Rows(tuple(map(str, range(40))), tuple(f"good{each:g} stay" for each in truth), tuple(truth))

    found = {
        name: answer(known).aggregate(np.ones((1, 40)))["mse"][0]
        for name, answer in baselines.ENTRY(known, 0, 1, None).items()
    }

    assert list(found) == list(measures.BASELINES)
    assert found["mean"] == pytest.approx(truth.var())
    assert found["tfidf_ridge"] < found["mean"]


def test_nothing_of_labels_is_suggested_for_a_run():
    facts = Facts(rows=100, validation_rows=20, lengths=Lengths(10, 20))

    found = settings.ENTRY.suggest(facts, {"layers": 6}, "lora").values()

    assert not {*OF_LABELS, "operating_class"} & {*found}
    assert {"epochs", "learning_rate"} <= {*found}
    assert settings.ENTRY.untrainable({"splits": {}, "labels": {}}).why == "it has no training rows."
    assert settings.ENTRY.untrainable({"splits": {"train": 3}, "labels": {}}) is None


def test_the_code_of_a_card_is_python_that_gives_a_number():
    compile(loading.ENTRY.code("lora", decides=False), "card", "exec")


@pytest.mark.engine
@pytest.mark.parametrize(
    "row",
    [{}, {"number": None}, {"number": "3"}, {"number": True}, {"number": 10.5}, {"number": float("nan")}],
)
def test_a_row_without_a_number_is_not_read(row):
    with pytest.raises(ValueError, match="no number from 0 to 10"):
        learner().read(row, {})


@pytest.mark.engine
def test_rows_are_read_as_files_have_them_and_equal_numbers_teach_nothing():
    row = formats.ENTRY.engine_row(EXAMPLE.item, {"number": 3.5})

    assert learner().read(row, {}) == 3.5
    learner().check([3.5, 4.0], ())
    with pytest.raises(EngineFault, match="All 2 training rows have the number 3.5"):
        learner().check([3.5, 3.5], ())


@pytest.mark.engine
def test_one_output_learns_numbers_by_their_squared_distance():
    import torch

    torch.manual_seed(1)
    texts, wanted = torch.randn(64, 4), torch.tensor([1.0, -2.0, 0.5, 0.0])
    numbers = learner().stack((texts @ wanted + 5).tolist())
    head, loss = torch.nn.Linear(4, learner().outputs(0)), learner().loss(None, None)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.2)
    for _ in range(200):
        optimizer.zero_grad()
        loss(head(texts), numbers).backward()
        optimizer.step()

    found = loss(head(texts), numbers).item()

    assert found < 0.01
    assert loss.weight(numbers) == 64
    assert learner().sample(np.array([[3.51], [12.0]]), np.array([3.5, 9.0]), [1, 0], ()) == [
        {"truth": "9.0", "answer": "10.0", "confidence": None},
        {"truth": "3.5", "answer": "3.5", "confidence": None},
    ]


def learner():
    """Loaded where it is asked: it needs torch."""
    from tests.task_types.regression.learner import ENTRY

    return ENTRY
