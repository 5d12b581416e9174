"""Trainable parameters, frozen layers, and cached activations."""

import json

import numpy as np
import pytest
from safetensors.torch import load_file

from lifecycle.runtime.engine.events import points, read_events
from lifecycle.runtime.engine.predictor import Predictor
from tests.engine.inbox import ROWS

pytestmark = pytest.mark.engine

# trainable weights over 2 layers, 32 wide, 64 in the dense part, 2 labels: head 66 of them
LEARNING = {
    "lora": ({"kind": "lora", "rank": 4}, 2 * 2 * 2 * 32 * 4 + 66),
    "dora": ({"kind": "lora", "rank": 4, "dora": True}, 2 * 2 * 2 * 32 * 4 + 2 * 2 * 32 + 66),
    "rank-stabilised": ({"kind": "lora", "rank": 4, "rank_stabilised": True}, 2 * 2 * 2 * 32 * 4 + 66),
    "ia3": ({"kind": "ia3"}, 2 * (32 + 32 + 32 + 64) + 66),
    "adapter": ({"kind": "adapter", "width": 6}, 2 * (2 * 32 * 6 + 6 + 32) + 66),
    "lora-above": ({"kind": "lora", "rank": 4, "frozen_layers": 1}, 2 * 2 * 32 * 4 + 66),
    "fast-lora": ({"kind": "lora", "rank": 4, "frozen_layers": 1, "cached": True}, 2 * 2 * 32 * 4 + 66),
    "fast-adapter": (
        {"kind": "adapter", "width": 6, "frozen_layers": 1, "cached": True},
        2 * 32 * 6 + 6 + 32 + 66,
    ),
}
CALM = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


@pytest.fixture
def calm_base(tiny_base, tmp_path):
    """The tiny base without dropout, so that two ways to the same loss can be compared."""
    import shutil

    folder = tmp_path / "calm"
    shutil.copytree(tiny_base, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | CALM))
    return {"path": str(folder), "name": "calm"}


def losses(folder, name="train_loss"):
    """The values of a curve, by step."""
    return {
        point.step: point.values[name]
        for point in points(read_events(folder / "events.jsonl")[0])
        if name in point.values
    }


def encoder(folder):
    """The encoder's weights of a run that trained them all."""
    return load_file(folder / "artifact" / "model.safetensors")


@pytest.mark.parametrize("name", LEARNING)
def test_each_strategy_trains_its_own_weights_and_fits_the_rows(name, run_folder, train_here):
    strategy, weights = LEARNING[name]
    folder = run_folder(
        strategy=strategy | {"dropout": 0.0}, learning_rate=3e-2, head_learning_rate=5e-2, epochs=20
    )

    result = train_here(folder)

    assert (result["status"], result["error"]) == ("succeeded", None)
    assert result["trainable_parameters"] == weights
    assert result["metrics"]["accuracy"] >= 0.875
    assert not (folder / "cache").exists()


def test_the_whole_model_is_counted_where_its_lower_layers_were_taken_off(run_folder, train_here):
    whole, fast = (
        run_folder(name, strategy=LEARNING[name][0], epochs=1) for name in ("lora-above", "fast-lora")
    )

    assert train_here(whole)["total_parameters"] == train_here(fast)["total_parameters"]


def test_frozen_layers_stay_as_they_were_and_the_others_do_not(run_folder, train_here, tiny_base):
    before = load_file(tiny_base / "model.safetensors")
    folder = run_folder(strategy={"kind": "full", "frozen_layers": 1}, epochs=2)

    train_here(folder)

    same = {name: bool((value == before[name]).all()) for name, value in encoder(folder).items()}
    assert {
        name.split(".")[0] if name.startswith("emb") else ".".join(name.split(".")[:3])
        for name in same
        if same[name]
    } == {
        "embeddings",
        "encoder.layer.0",
    }
    assert not any(
        same[name] for name in same if name.startswith("encoder.layer.1") and name.endswith("weight")
    )


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_what_is_computed_once_changes_nothing_but_the_time(kind, run_folder, train_here, calm_base):
    strategy = {"kind": kind, "dropout": 0.0, "frozen_layers": 1}
    each, once = (
        run_folder(
            name, strategy=strategy | {"cached": name == "once"}, base=calm_base, epochs=5, learning_rate=5e-3
        )
        for name in ("each", "once")
    )

    train_here(each)
    train_here(once)

    assert losses(once) == pytest.approx(losses(each), abs=2e-3)
    assert losses(once, "validation_loss") == pytest.approx(losses(each, "validation_loss"), abs=2e-3)
    texts = [text for text, _ in ROWS]
    answers = [Predictor(folder / "artifact").probabilities(texts) for folder in (each, once)]
    assert np.abs(answers[0] - answers[1]).max() < 5e-3


def test_a_stopped_run_with_kept_activations_resumes_to_the_same_weights(run_folder, train_here):
    spec = {"strategy": {"kind": "full", "frozen_layers": 1, "cached": True}, "epochs": 6}
    calm, stopped = run_folder("calm", **spec), run_folder("stopped", **spec)
    train_here(calm)
    asked = iter([False] * 5)

    assert train_here(stopped, cancelled=lambda: next(asked, True))["status"] == "cancelled"
    kept = (stopped / "cache" / "train.f16").stat().st_mtime_ns
    assert (
        train_here(stopped, cancelled=lambda: (stopped / "cache" / "train.f16").stat().st_mtime_ns != kept)[
            "status"
        ]
        == "succeeded"
    )

    assert (stopped / "artifact" / "model.safetensors").read_bytes() == (
        calm / "artifact" / "model.safetensors"
    ).read_bytes()


def test_kept_activations_that_were_changed_are_computed_again(run_folder, train_here):
    spec = {"strategy": {"kind": "full", "frozen_layers": 1, "cached": True}, "epochs": 6}
    calm, stopped = run_folder("calm", **spec), run_folder("stopped", **spec)
    train_here(calm)
    asked = iter([False] * 5)
    train_here(stopped, cancelled=lambda: next(asked, True))
    path = stopped / "cache" / "train.f16"
    path.write_bytes(b"\0" * path.stat().st_size)

    train_here(stopped)

    assert (stopped / "artifact" / "model.safetensors").read_bytes() == (
        calm / "artifact" / "model.safetensors"
    ).read_bytes()


def test_checkpointing_is_refused_where_the_model_does_not_know_it(run_folder, train_here, monkeypatch):
    monkeypatch.setattr("transformers.BertModel.supports_gradient_checkpointing", False)

    error = train_here(run_folder(gradient_checkpointing=True))["error"]

    assert error["message"] == "spec.json: gradient_checkpointing isn't supported by BertModel."


def test_scales_do_not_decay_towards_zero(run_folder, train_here):
    from lifecycle.runtime.engine import training
    from lifecycle.runtime.engine.spec import TrainSpec
    from lifecycle.runtime.engine.team import Team

    folder = run_folder(strategy={"kind": "ia3"})
    spec = TrainSpec.read(folder / "spec.json")
    prepared = training._prepare(spec, folder)
    trainer, model = training._trainer(
        spec, folder, prepared, lambda kind, **values: None, Team(folder, 1), []
    )

    groups = trainer.create_optimizer().param_groups

    decaying = {id(each) for group in groups if group["weight_decay"] for each in group["params"]}
    assert [name for name, each in model.named_parameters() if id(each) in decaying] == ["head.weight"]


def test_a_full_disk_is_reported_before_activations_are_computed(run_folder, train_here, monkeypatch):
    import shutil
    from collections import namedtuple

    folder = run_folder(strategy=LEARNING["fast-lora"][0])
    free = namedtuple("free", "total used free")
    monkeypatch.setattr("lifecycle.runtime.engine.layers.shutil.disk_usage", lambda path: free(1, 1, 100))
    monkeypatch.setattr("lifecycle.runtime.engine.training.shutil", shutil)
    monkeypatch.setattr("lifecycle.runtime.engine.training.DISK_SHARE", {})
    monkeypatch.setattr("lifecycle.runtime.engine.training.SMALL_SHARE", 0.0)

    error = train_here(folder)["error"]

    assert error["code"] == "disk_full"
    assert "lower layers' activations need" in error["message"]
    assert not list((folder / "cache").glob("*.f16"))


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (
            {"kind": "lora", "frozen_layers": 2},
            "spec.json: strategy.frozen_layers must be below 2, the layers of this model.",
        ),
        ({"kind": "lora", "cached": True}, "spec.json: strategy.cached needs at least 1 frozen layer"),
        ({"kind": "wisdom"}, "spec.json: strategy.kind must be one of full, lora, ia3, adapter, head"),
        ({"kind": "prefix"}, "spec.json: strategy.kind prefix is only available for generation."),
    ],
)
def test_what_cannot_be_trained_is_refused_by_its_field(strategy, message, run_folder, train_here):
    folder = run_folder(strategy=strategy)

    error = train_here(folder)["error"]

    assert (error["code"], error["message"][: len(message)]) == ("bad_spec", message)
    assert not (folder / "artifact").exists()
