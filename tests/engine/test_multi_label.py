"""Runs whose rows carry any number of labels: every strategy, resume, thresholds, evaluation, answers, and
what is refused.
"""

import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.metrics import f1_score

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.events import points, read_events
from lifecycle.runtime.engine.losses import BinaryCrossEntropy, positive_weights
from lifecycle.runtime.engine.predictor import Predictor
from lifecycle.runtime.statistics import calibration
from lifecycle.runtime.task_types.multi_label import predictions
from tests.engine.inbox import SETS, write_rows
from tests.engine.test_strategies import LEARNING
from tests.support.by_hand import loading_snippet

pytestmark = pytest.mark.engine
TEXTS, WANTED = [text for text, _ in SETS], [labels for _, labels in SETS]


@pytest.fixture
def sets_folder(run_folder):
    """As run_folder, of rows with any number of labels."""

    def make(name="run", rows=SETS, **fields):
        return run_folder(
            name,
            rows=rows,
            **{"task": "multi_label", "learning_rate": 3e-2, "head_learning_rate": 5e-2} | fields,
        )

    return make


@pytest.mark.parametrize("name", [*LEARNING, "full", "head"])
def test_each_strategy_learns_sets_of_labels(name, sets_folder, train_here):
    strategy = LEARNING[name][0] if name in LEARNING else {"kind": name}
    folder = sets_folder(
        strategy=strategy | {"dropout": 0.0}, epochs=30, **{"full": {"learning_rate": 5e-3}}.get(name, {})
    )

    result = train_here(folder)

    assert (result["status"], result["error"], result["best_by"]) == ("succeeded", None, "macro_f1")
    assert name not in LEARNING or result["trainable_parameters"] == LEARNING[name][1]
    assert result["metrics"]["macro_f1"] >= 0.85
    info = ArtifactInfo.read(folder / "artifact")
    # eight rows are too few to choose others
    assert (info.task, info.thresholds) == ("multi_label", (0.5, 0.5))
    assert not (folder / "cache").exists()


def test_validation_is_reported_by_the_scores_of_sets(sets_folder, train_here):
    folder = sets_folder(epochs=3)

    result = train_here(folder)

    last = points(read_events(folder / "events.jsonl")[0])[-1].values
    assert {"validation_loss", "macro_f1", "micro_f1", "subset_accuracy", "ece", "predicted_sets"} <= set(
        last
    )
    assert "accuracy" not in last
    assert {"hamming_loss", "lrap", "subset_accuracy", "temperature"} <= set(result["metrics"])


def test_thresholds_are_those_of_the_best_f1_on_validation(sets_folder, train_here):
    folder = sets_folder(epochs=2)
    write_rows(folder / "validation.jsonl", SETS * 6)

    result = train_here(folder)

    info = ArtifactInfo.read(folder / "artifact")
    probabilities = Predictor(folder / "artifact").probabilities(TEXTS * 6)
    truth = np.array([[label in labels for label in info.labels] for labels in WANTED * 6])
    assert info.thresholds == pytest.approx(calibration.choose_thresholds(probabilities, truth))
    assert info.thresholds != (0.5, 0.5)
    given = probabilities >= np.array(info.thresholds)
    assert result["metrics"]["macro_f1"] == pytest.approx(f1_score(truth, given, average="macro"), abs=1e-9)
    half = probabilities >= 0.5
    assert f1_score(truth, given, average="macro") >= f1_score(truth, half, average="macro", zero_division=0)


@pytest.fixture
def evaluated(sets_folder, once, tiny_base, tmp_path):
    folder = tmp_path / "evaluation"
    folder.mkdir()
    once(sets_folder("evaluation/run", epochs=30, strategy={"kind": "lora"}))
    write_rows(folder / "data.jsonl", SETS[::-1])
    write_rows(folder / "train.jsonl", SETS)
    spec = {
        "artifact": "run/artifact",
        "base": {"path": str(tiny_base), "name": "tiny"},
        "baselines": True,
        "bootstrap": 50,
    }
    (folder / "spec.json").write_text(json.dumps(spec))
    return folder, once(folder, "evaluate")


def test_an_evaluation_of_sets_has_every_part(evaluated):
    folder, result = evaluated

    assert (result["status"], result["task"], result["rows"], result["graph"]) == (
        "succeeded",
        "multi_label",
        8,
        "fp32",
    )
    for name in (
        "macro_f1",
        "micro_f1",
        "weighted_f1",
        "subset_accuracy",
        "hamming_loss",
        "lrap",
        "log_loss",
        "brier",
        "ece",
    ):
        assert result["intervals"][name]["low"] <= result["intervals"][name]["high"]
    assert [each["support"] for each in result["per_class"]] == [4, 4]
    assert sum(each["count"] for each in result["reliability"]) == 16  # label decisions
    read = predictions.ENTRY.read(folder / "predictions.parquet")
    assert [[read.labels[at] for at in np.flatnonzero(row)] for row in read.truth] == WANTED[::-1]
    assert float((read.decided == read.truth).all(axis=1).mean()) == result["subset_accuracy"]


def test_the_baselines_of_sets_are_measured_on_the_same_rows(evaluated):
    _, result = evaluated

    assert set(result["baselines"]) == {"majority", "tfidf_logreg", "frozen_base_logreg"}
    # the first of four sets that are equally frequent
    assert result["baselines"]["majority"]["subset_accuracy"] == 0.25
    assert result["baselines"]["majority"]["macro_f1"] == pytest.approx((2 * 4 / 12 + 0) / 2)
    assert result["baselines"]["tfidf_logreg"]["subset_accuracy"] == 1.0
    assert set(result["baselines"]["tfidf_logreg"]["intervals"]) == {
        "subset_accuracy",
        "macro_f1",
        "micro_f1",
    }


def test_predict_gives_every_row_its_labels(evaluated, train_here):
    folder, result = evaluated
    (folder / "spec.json").write_text(
        json.dumps({"artifact": json.loads((folder / "spec.json").read_text())["artifact"]})
    )

    assert train_here(folder, verb="predict")["rows"] == 8

    table = pq.read_table(folder / "answers.parquet")
    assert table.column_names == ["id", "predicted", "probabilities"]
    assert (
        table["predicted"].to_pylist()
        == pq.read_table(folder / "predictions.parquet")["predicted"].to_pylist()
    )


def test_public_libraries_alone_give_the_same_labels(sets_folder, once, tiny_base):
    folder = sets_folder(epochs=30, strategy={"kind": "lora"})
    once(folder)
    info = ArtifactInfo.read(folder / "artifact")
    given = Predictor(folder / "artifact").probabilities(TEXTS) >= np.array(info.thresholds)

    names = {"artifact": str(folder / "artifact"), "base": str(tiny_base), "texts": TEXTS}
    exec(loading_snippet(info), names)  # noqa: S102

    assert names["answers"] == [[info.labels[at] for at in np.flatnonzero(row)] for row in given]


def test_int8_is_compared_by_whole_sets(sets_folder, train_here):
    from lifecycle.runtime.engine.quantise import judge

    info = ArtifactInfo(
        ("a", "b"), 64, "mean", 1.0, "full", "tiny", "", ("input_ids",), "multi_label", thresholds=(0.5, 0.9)
    )
    fp32 = np.tile(np.array([[4.0, 4.0]]), (1000, 1))
    int8 = fp32.copy()
    int8[:10, 1] = 1.0  # 0.73, below its threshold alone
    truth = np.ones((1000, 2), dtype=bool)

    assert judge(info, fp32, int8, truth, 4, 1).agreement == 0.99
    assert judge(info, fp32, int8, truth, 4, 1).passed
    int8[10, 1] = 1.0
    assert not judge(info, fp32, int8, truth, 4, 1).passed

    folder = sets_folder(epochs=30, validation=(SETS * 13)[:100])
    result = train_here(folder)
    assert (result["status"], result["int8"]["rows"]) == ("succeeded", 100)
    assert result["int8"]["agreement"] is not None


def test_the_warm_engine_answers_with_labels_and_thresholds(sets_folder, train_here):
    from lifecycle.runtime.engine import warm

    folder = sets_folder(epochs=30)
    train_here(folder)

    result = warm.reply(
        {"verb": "predict", "payload": {"artifact": str(folder / "artifact"), "texts": TEXTS[:2]}}
    )["result"]

    assert (result["task"], result["labels"], result["thresholds"]) == (
        "multi_label",
        ["card", "refund"],
        [0.5, 0.5],
    )
    assert [each["labels"] for each in result["answers"]] == WANTED[:2]
    assert all(set(each) == {"labels", "probabilities", "tokens"} for each in result["answers"])


# ── Losses ──────────────────────────────────────────────────────────────────
LOGITS = torch.tensor([[2.0, -1.0, 0.0], [-3.0, 0.5, 1.0]])
YES = torch.tensor([[True, False, True], [False, True, False]])


def test_binary_cross_entropy_counts_a_yes_by_its_weight():
    weights = torch.tensor([1.0, 3.0, 2.0])
    each = [
        -math.log(1 / (1 + math.exp(-value if yes else value)))
        for value, yes in zip(LOGITS.ravel(), YES.ravel(), strict=True)
    ]
    row_weights = [1, 1, 2, 1, 3, 1]

    assert float(BinaryCrossEntropy()(LOGITS, YES)) == pytest.approx(sum(each) / 6, abs=1e-6)
    assert float(BinaryCrossEntropy(weights)(LOGITS, YES)) == pytest.approx(
        sum(a * b for a, b in zip(each, row_weights, strict=True)) / 6, abs=1e-6
    )


def test_the_focal_loss_of_decisions_is_that_of_its_paper():
    p = torch.where(YES, torch.sigmoid(LOGITS), 1 - torch.sigmoid(LOGITS))

    assert float(BinaryCrossEntropy(gamma=2.0)(LOGITS, YES)) == pytest.approx(
        float((-((1 - p) ** 2) * p.log()).mean()), abs=1e-6
    )


def test_smoothed_targets_are_drawn_to_a_half():
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(LOGITS, torch.where(YES, 0.95, 0.05))

    assert float(BinaryCrossEntropy(smoothing=0.1)(LOGITS, YES)) == pytest.approx(float(wanted), abs=1e-6)


def test_positive_weights_are_the_odds_of_a_no_within_bounds():
    truth = torch.zeros((1000, 4), dtype=torch.bool)
    truth[:200, 0], truth[:1, 1], truth[:900, 2] = True, True, True

    assert positive_weights(truth).tolist() == [4.0, 100.0, 1.0, 100.0]
