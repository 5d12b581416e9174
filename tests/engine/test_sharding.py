"""A model that is divided among two processes learns as in one: the same curve, the same files, the same weights after a kill."""

from __future__ import annotations

import json
import re

import pytest
from safetensors.torch import load_file

from lifecycle.engine.events import read_events
from tests.engine.teams import assert_same_curve, curve, kill_when, digest, children

pytestmark = pytest.mark.engine


def log(folder):
    return [each["message"] for each in read_events(folder / "events.jsonl")[0] if each["kind"] == "log"]


FULL, LORA = {"kind": "full"}, {"kind": "lora", "dropout": 0.0}


@pytest.mark.parametrize("strategy", [FULL, LORA], ids=["full", "lora"])
def test_a_divided_model_gives_the_curve_and_the_weights_of_one_process(calm_folder, train_here, strategy):
    alone, divided = calm_folder("alone", strategy=strategy), calm_folder("divided", strategy=strategy, processes=2, sharded=True)

    one, two = map(train_here, (alone, divided))

    assert (two["status"], two["best_step"], two["last_step"]) == ("succeeded", one["best_step"], one["last_step"]), two["error"]
    assert_same_curve(alone, divided)
    print(log(divided), curve(divided))
    name = "adapter_model.safetensors" if strategy["kind"] == "lora" else "model.safetensors"
    weights = [load_file(folder / "artifact" / name) for folder in (alone, divided)]
    assert weights[0].keys() == weights[1].keys()
    assert all((weights[0][each] - weights[1][each]).abs().max() < 1e-3 for each in weights[0])
