"""A divided run's files are whole: it continues after kills to the same weights, divided or in one
process.
"""

from __future__ import annotations

import json
import time

import pytest
import torch
from safetensors.torch import load_file

from lifecycle.runtime.engine.events import read_events
from tests.engine.teams import assert_same_artifact, children, digest, killed_after

pytestmark = pytest.mark.engine
DIVIDED = {"processes": 2, "sharded": True}


def sealed(folder):
    return sorted((folder / "checkpoints").glob("checkpoint-*/COMPLETE.json"))


def stopped_at(step, folder, train_here):
    """The run's checkpoint after it was asked to stop behind a step."""
    asked = iter([False] * (step - 1))
    assert train_here(folder, cancelled=lambda: next(asked, True))["status"] == "cancelled"
    return folder / "checkpoints" / f"checkpoint-{step}"


def test_a_process_that_is_killed_ends_the_run_in_a_sentence_and_resuming_gives_the_same_weights(
    calm_folder, train_here, monkeypatch
):
    undisturbed, folder = (calm_folder(name, epochs=4, **DIVIDED) for name in ("undisturbed", "killed"))
    train_here(undisturbed)

    killed_after(2, monkeypatch)
    failed = train_here(folder)
    again = train_here(folder)

    assert (failed["status"], failed["error"]["code"]) == ("failed", "process_lost")
    assert again["status"] == "succeeded"
    assert any(
        event.get("message", "").startswith("Resuming from step")
        for event in read_events(folder / "events.jsonl")[0]
    )
    assert digest(folder) == digest(undisturbed)
    assert not children()


def test_a_run_whose_first_process_is_killed_resumes_to_the_same_weights(run_folder, engine):
    undisturbed, folder = (run_folder(name, epochs=8, **DIVIDED) for name in ("undisturbed", "killed"))
    assert engine("train", undisturbed).returncode == 0
    leader = engine.start("train", folder)
    while len(sealed(folder)) < 2:
        assert leader.poll() is None, leader.stdout.read()
        time.sleep(0.005)

    leader.kill()
    leader.wait()
    again = engine("train", folder)

    assert again.returncode == 0, again.output
    assert "Resuming from step" in (folder / "events.jsonl").read_text()
    assert digest(folder) == digest(undisturbed)


@pytest.mark.parametrize(
    "strategy", [{"kind": "full"}, {"kind": "lora", "dropout": 0.0}], ids=["full", "lora"]
)
def test_a_checkpoint_has_the_files_and_tensors_of_one_process(calm_folder, train_here, strategy):
    alone, divided = (
        calm_folder(name, strategy=strategy, **more) for name, more in (("alone", {}), ("divided", DIVIDED))
    )

    one, two = (stopped_at(4, folder, train_here) for folder in (alone, divided))

    names = [
        {each.name for each in point.iterdir() if not each.name.startswith("rng_state")}
        for point in (one, two)
    ]
    assert names[0] == names[1]
    weights = [load_file(point / "weights.safetensors") for point in (one, two)]
    assert {name: each.shape for name, each in weights[0].items()} == {
        name: each.shape for name, each in weights[1].items()
    }
    assert all((weights[0][name] - weights[1][name]).abs().max() < 1e-4 for name in weights[0])
    states = [torch.load(point / "optimizer.pt", weights_only=True) for point in (one, two)]
    assert states[0]["param_groups"] == states[1]["param_groups"]
    assert states[0]["state"].keys() == states[1]["state"].keys()
    for number, values in states[0]["state"].items():
        other = states[1]["state"][number]
        assert {name: (type(each), each.shape) for name, each in values.items()} == {
            name: (type(each), each.shape) for name, each in other.items()
        }
        assert all((values[name] - other[name]).abs().max() < 1e-3 for name in values)


@pytest.mark.parametrize(
    ("first", "then"), [(DIVIDED, {}), ({}, DIVIDED)], ids=["divided first", "alone first"]
)
def test_a_run_resumes_in_one_process_from_a_sharded_checkpoint_and_vice_versa(
    calm_folder, train_here, first, then
):
    undisturbed, folder = calm_folder("undisturbed"), calm_folder("changed", **first)
    train_here(undisturbed)
    stopped_at(4, folder, train_here)
    spec = json.loads((folder / "spec.json").read_text()) | {"processes": 1, "sharded": False} | then
    (folder / "spec.json").write_text(json.dumps(spec))

    result = train_here(folder)

    assert result["status"] == "succeeded"
    assert result["last_step"] == 9
    assert_same_artifact(undisturbed, folder)
