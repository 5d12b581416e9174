import json

import numpy as np
import pytest

from lifecycle.runtime.engine import baselines
from lifecycle.runtime.statistics import comparisons, metrics
from lifecycle.runtime.task_types.single_label import measures as single_label
from lifecycle.runtime.task_types.single_label import predictions
from tests.engine.inbox import ROWS, write_rows

pytestmark = pytest.mark.engine


@pytest.fixture
def evaluated(run_folder, once, tiny_base, tmp_path):
    folder = tmp_path / "evaluation"
    folder.mkdir()
    once(run_folder("evaluation/run", epochs=15))
    write_rows(folder / "data.jsonl", ROWS[::-1])
    write_rows(folder / "train.jsonl", ROWS)
    spec = {
        "artifact": "run/artifact",
        "base": {"path": str(tiny_base), "name": "tiny"},
        "baselines": True,
        "bootstrap": 50,
    }
    (folder / "spec.json").write_text(json.dumps(spec))
    return folder, once(folder, "evaluate")


def test_an_evaluation_has_every_part_of_the_contract(evaluated):
    _, result = evaluated

    assert result["status"] == "succeeded"
    assert result["rows"] == 8
    for name in (
        "accuracy",
        "macro_f1",
        "weighted_f1",
        "macro_precision",
        "macro_recall",
        "log_loss",
        "brier",
        "ece",
        "ece_debiased",
    ):
        assert result["intervals"][name]["low"] <= result["intervals"][name]["high"]
        assert isinstance(result[name], float)
    assert result["largest_gap"] is None  # no bin holds twenty rows
    # the largest of several is biased, and no interval was shown to hold
    assert "largest_gap" not in result["intervals"]
    assert result["confusion"] == {"labels": ["card", "refund"], "counts": [[4, 0], [0, 4]]}
    assert [each["support"] for each in result["per_class"]] == [4, 4]
    assert len(result["reliability"]) == 15
    assert sum(each["count"] for each in result["reliability"]) == 8


def test_rows_that_were_split_together_are_resampled_together(evaluated, train_here):
    folder, alone = evaluated
    lines = [json.loads(line) | {"cluster": "k"} for line in (folder / "data.jsonl").read_text().splitlines()]
    lines[0].pop("cluster")
    (folder / "data.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    spec = json.loads((folder / "spec.json").read_text()) | {"baselines": False}
    (folder / "spec.json").write_text(json.dumps(spec))

    result = train_here(folder, verb="evaluate")

    assert (alone["clusters"], result["clusters"]) == (8, 2)
    assert predictions.ENTRY.read(folder / "predictions.parquet").clusters.tolist() == [0] + [1] * 7
    assert result["intervals"]["accuracy"]["low"] < alone["intervals"]["accuracy"]["low"]


def test_the_baselines_are_measured_on_the_same_rows(evaluated):
    _, result = evaluated

    assert set(result["baselines"]) == {"majority", "tfidf_logreg", "frozen_base_logreg"}
    assert result["baselines"]["majority"]["accuracy"] == 0.5
    assert result["baselines"]["majority"]["macro_f1"] == pytest.approx(1 / 3)
    assert result["baselines"]["tfidf_logreg"]["accuracy"] == 1.0
    assert set(result["baselines"]["tfidf_logreg"]["intervals"]) == {"accuracy", "macro_f1"}


def test_the_run_is_held_against_each_baseline_on_the_same_resamples(evaluated):
    folder, result = evaluated
    own = predictions.ENTRY.read(folder / "predictions.parquet")
    right, majority = (
        metrics.score_rows(shares, own.truth) for shares in (own.probabilities, np.tile([0.5, 0.5], (8, 1)))
    )

    paired = comparisons.paired_rows(majority, right, ["macro_f1"], labels=None, count=50, seed=1)["macro_f1"]

    assert set(result["against"]) == set(result["baselines_drawn"]) == set(result["baselines"])
    assert {len(drawn) for drawn in result["baselines_drawn"].values()} == {50}
    assert result["against"]["majority"]["macro_f1"] == paired | {
        name: pytest.approx(paired[name], abs=1e-6)
        for name in ("baseline", "candidate", "difference", "low", "high")
    }


def test_two_splits_share_what_baselines_learn_and_read_as_each_does_alone(
    evaluated, train_here, monkeypatch
):
    folder, alone = evaluated
    spec = json.loads((folder / "spec.json").read_text())
    shared = {"artifact": "run/artifact", "data": "data.jsonl", "train": "train.jsonl"}
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "spec.json").write_text(
            json.dumps(spec | {name: f"../{of}" for name, of in shared.items()})
        )
    (folder / "spec.json").write_text(json.dumps({"folders": ["one", "two"]}))
    learn, calls = baselines.learn, []
    monkeypatch.setattr(
        baselines, "learn", lambda *args, **options: calls.append(args) or learn(*args, **options)
    )

    results = train_here(folder, verb="evaluate_each")["results"]

    assert len(calls) == 1
    assert results["one"]["baselines"] == results["two"]["baselines"] == alone["baselines"]


def test_baselines_of_an_earlier_report_are_reused_if_measured_from_the_same(
    evaluated, train_here, monkeypatch
):
    folder, first = evaluated
    learn, calls = baselines.learn, []
    monkeypatch.setattr(
        baselines, "learn", lambda *args, **options: calls.append(args) or learn(*args, **options)
    )
    spec = json.loads((folder / "spec.json").read_text()) | {"earlier": "earlier.json"}
    (folder / "spec.json").write_text(json.dumps(spec))
    (folder / "earlier.json").write_text(json.dumps(first))

    again = train_here(folder, verb="evaluate")

    assert calls == []
    for part in ("baselines", "baselines_digest", "baselines_drawn", "against"):
        assert again[part] == first[part]
    for changed in ({"seed": 2}, {"base": None}):
        (folder / "spec.json").write_text(json.dumps(spec | changed))
        assert train_here(folder, verb="evaluate")["baselines_digest"] != first["baselines_digest"]
    (folder / "spec.json").write_text(json.dumps(spec))
    for name, rows in (("data.jsonl", ROWS), ("train.jsonl", ROWS[:-1])):
        write_rows(folder / name, rows)
        assert train_here(folder, verb="evaluate")["baselines_digest"] != first["baselines_digest"]
    assert len(calls) == 4


def test_predictions_keep_ids_truth_and_probabilities_in_file_order(evaluated):
    folder, result = evaluated

    read = predictions.ENTRY.read(folder / "predictions.parquet")

    assert read.labels == ("card", "refund")
    assert read.ids[0] == f"{0:064x}"
    assert [read.labels[each] for each in read.truth] == [label for _, label in ROWS[::-1]]
    assert np.allclose(read.probabilities.sum(1), 1)
    assert float((read.probabilities.argmax(1) == read.truth).mean()) == result["accuracy"]


def test_predictions_survive_parquet_exactly(tmp_path):
    made = predictions.Predictions(
        ("a", "b"), ("1", "2"), np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]])
    )

    predictions.ENTRY.write(tmp_path / "p.parquet", made, "test")

    read = predictions.ENTRY.read(tmp_path / "p.parquet")
    assert (read.labels, read.ids) == (made.labels, made.ids)
    assert (read.probabilities == made.probabilities).all()
    assert (read.truth == made.truth).all()


def test_two_evaluations_are_compared_on_the_items_they_share():
    one = predictions.Predictions(
        ("a", "b"), ("1", "2", "3"), np.array([0, 1, 0]), np.array([[0.9, 0.1], [0.6, 0.4], [0.9, 0.1]])
    )
    two = predictions.Predictions(
        ("b", "a"), ("2", "1", "4"), np.array([0, 1, 1]), np.array([[0.8, 0.2], [0.1, 0.9], [0.5, 0.5]])
    )

    found = single_label.ENTRY.compare(one, two, count=20)

    assert (found["rows"], found["left_out"]) == (2, 2)
    assert found["metrics"]["accuracy"]["difference"] == 0.5
    assert found["metrics"]["log_loss"]["difference"] == pytest.approx(-(np.log(0.4) - np.log(0.8)) / 2)


@pytest.mark.parametrize(
    ("labels", "ids", "sentence"),
    [(("a", "c"), ("1",), "have different labels"), (("a", "b"), ("9",), "share no item")],
)
def test_what_cannot_be_compared_is_refused(labels, ids, sentence):
    one = predictions.Predictions(("a", "b"), ("1",), np.array([0]), np.array([[0.9, 0.1]]))
    two = predictions.Predictions(labels, ids, np.array([0]), np.array([[0.9, 0.1]]))

    with pytest.raises(ValueError, match=sentence):
        single_label.ENTRY.compare(one, two)


def test_predict_and_embed_answer_every_row(evaluated, train_here):
    folder, _ = evaluated
    import pyarrow.parquet as pq

    (folder / "spec.json").write_text(
        json.dumps({"artifact": json.loads((folder / "spec.json").read_text())["artifact"]})
    )

    assert train_here(folder, verb="predict")["rows"] == 8
    assert train_here(folder, verb="embed")["width"] == 32
    assert pq.read_table(folder / "answers.parquet")["predicted"].to_pylist() == [
        label for _, label in ROWS[::-1]
    ]
    assert len(pq.read_table(folder / "embeddings.parquet")["embedding"][0].as_py()) == 32


def test_export_makes_the_same_graph_again(evaluated, train_here):
    folder, before = evaluated
    spec = json.loads((folder / "spec.json").read_text())
    graph = folder / spec["artifact"] / "serving" / "model.onnx"
    bytes_before = graph.read_bytes()
    graph.unlink()
    (folder / "spec.json").write_text(json.dumps({"artifact": spec["artifact"]}))

    result = train_here(folder, verb="export")

    assert result["largest_difference"] <= 1e-4
    assert len(graph.read_bytes()) == len(bytes_before)
    assert before["status"] == "succeeded"
