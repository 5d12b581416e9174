import json
import time

import numpy as np
import pytest

from lifecycle.runtime.engine.events import points, read_events
from tests.engine.inbox import ROWS

pytestmark = pytest.mark.engine

STRATEGIES = {
    "full": ({"kind": "full"}, 5e-3),
    "lora": ({"kind": "lora", "rank": 4, "alpha": 8, "dropout": 0.0}, 2e-2),
    "head": ({"kind": "head"}, 0.0),
}


def test_full_fine_tuning_memorizes_eight_examples_within_three_seconds(run_folder, train_here):
    import lifecycle.runtime.engine.training  # the imports are not part of the run

    assert lifecycle.runtime.engine.training
    folder = run_folder(epochs=15)
    started = time.process_time()

    result = train_here(folder)

    assert result["metrics"]["accuracy"] == 1.0
    assert time.process_time() - started < 3


@pytest.mark.parametrize("kind", STRATEGIES)
def test_each_strategy_leaves_an_artifact_a_result_and_no_pickle(kind, run_folder, train_here):
    strategy, rate = STRATEGIES[kind]
    folder = run_folder(strategy=strategy, learning_rate=rate, head_learning_rate=5e-2, epochs=20)

    result = train_here(folder)

    weights = {
        "full": ["model.safetensors"],
        "lora": ["adapter_config.json", "adapter_model.safetensors"],
        "head": [],
    }[kind]
    assert sorted(each.name for each in (folder / "artifact").iterdir()) == sorted(
        [
            "config.json",
            "head.safetensors",
            "lifecycle.json",
            "serving",
            "tokenizer.json",
            "tokenizer_config.json",
            *weights,
        ]
    )
    assert result["status"] == "succeeded"
    assert result["error"] is None
    assert result["metrics"]["accuracy"] >= 0.875
    assert result["trainable_parameters"] == {"full": 20_098, "lora": 1_090, "head": 66}[kind]
    assert sorted(each.name for each in folder.iterdir() if each.is_dir()) == ["artifact"]
    assert not [each for each in folder.rglob("*") if each.suffix in (".pt", ".pth", ".bin", ".pkl")]


@pytest.mark.parametrize("pooling", ["mean", "cls", "pooler"])
def test_every_pooling_trains_and_exports(pooling, run_folder, train_here):
    folder = run_folder(pooling=pooling, epochs=2)

    assert train_here(folder)["status"] == "succeeded"
    assert json.loads((folder / "artifact" / "lifecycle.json").read_text())["pooling"] == pooling


def test_events_have_losses_scores_speed_and_memory(run_folder, train_here):
    folder = run_folder(epochs=6)

    train_here(folder)

    events, _ = read_events(folder / "events.jsonl")
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert [event["name"] for event in events if event["kind"] == "stage"] == [
        "prepare",
        "train",
        "artifact",
        "int8",
    ]
    assert events[-1]["kind"] == "end"
    curve = points(events)
    assert curve[-1].step == 12
    assert set(curve[-1].values) >= {
        "train_loss",
        "learning_rate",
        "examples_per_second",
        "memory_mb",
        "validation_loss",
        "accuracy",
    }
    assert {event["total_steps"] for event in events if event["kind"] == "metric"} == {12}
    assert curve[-1].values["train_loss"] < curve[0].values["train_loss"]


def test_the_same_spec_gives_the_same_weights_and_another_seed_does_not(run_folder, train_here):
    one, two, other = (
        run_folder(name, epochs=2, seed=seed) for name, seed in (("one", 3), ("two", 3), ("other", 4))
    )
    for folder in (one, two, other):
        train_here(folder)

    weights = [(folder / "artifact" / "model.safetensors").read_bytes() for folder in (one, two, other)]
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


def test_patience_ends_a_run_that_no_longer_improves(run_folder, train_here):
    folder = run_folder(epochs=200, patience=3, learning_rate=0.0, head_learning_rate=0.0)

    result = train_here(folder)

    assert result["status"] == "succeeded"
    assert result["last_step"] == 8  # first evaluation at 2, then three without a better score
    assert any(
        "Stopped at step 8" in event.get("message", "") for event in read_events(folder / "events.jsonl")[0]
    )


def test_class_weights_are_balanced_with_mean_one_over_rows():
    from lifecycle.runtime.engine.losses import balanced_weights

    assert balanced_weights([0, 0, 0, 1], 3).tolist() == pytest.approx([2 / 3, 2.0, 1.0])


def test_a_run_that_succeeded_is_not_run_again(run_folder, train_here):
    folder = run_folder(epochs=1)
    train_here(folder)
    before = {
        each: each.stat().st_mtime_ns for each in folder.rglob("*") if each.name not in (".reserve", "lock")
    }

    train_here(folder)

    assert {each: each.stat().st_mtime_ns for each in before} == before


def test_bf16_reaches_the_same_accuracy(run_folder, train_here):
    result = train_here(run_folder(precision="bf16", epochs=15))

    assert result["precision"] == "bf16"
    assert result["metrics"]["accuracy"] == 1.0


def test_frozen_vectors_equal_those_of_the_encoder(run_folder, tiny_base, tmp_path):
    import torch

    from lifecycle.runtime.engine.batches import Collate
    from lifecycle.runtime.engine.classifier import encode
    from lifecycle.runtime.engine.forward import frozen_features
    from lifecycle.runtime.engine.strategies import build, load_tokenizer
    from lifecycle.runtime.engine.strategy import Strategy

    model = build(tiny_base, Strategy(kind="head"), "mean", 2)
    tokenizer = load_tokenizer(tiny_base)
    encoded = encode(tokenizer, [text for text, _ in ROWS], 32)

    together = frozen_features(model, encoded, Collate(0, True), tmp_path / "cache" / "a.safetensors")
    alone = torch.cat([frozen_features(model, [each], Collate(0, True)) for each in encoded])

    assert np.allclose(together, alone, atol=1e-5)
    assert torch.equal(
        frozen_features(model, [], Collate(0, True), tmp_path / "cache" / "a.safetensors"), together
    )
