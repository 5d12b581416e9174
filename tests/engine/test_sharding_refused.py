"""A model that cannot be divided among processes is refused with the reason before any other process is
started.
"""

from __future__ import annotations

import json
import shutil

import pytest

from lifecycle.runtime.engine.document import SpecError
from lifecycle.runtime.engine.spec import TrainSpec

SPEC = {"base": {"path": "base", "name": "tiny"}, "labels": ["a", "b"], "processes": 2, "sharded": True}
CACHED = {"kind": "lora", "cached": True, "frozen_layers": 1}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"processes": 1}, "sharded needs at least 2 processes to shard the model."),
        (
            {"strategy": {"kind": "head"}},
            "sharded must be false for head only: each process runs the full encoder first.",
        ),
        (
            {"strategy": CACHED},
            "sharded must be false for Fast LoRA: each process runs all lower layers first.",
        ),
    ],
)
def test_what_cannot_be_divided_is_refused_by_the_field(fields, message):
    with pytest.raises(SpecError) as refused:
        TrainSpec.from_json(SPEC | fields)

    assert (refused.value.field, refused.value.message) == ("sharded", f"spec.json: {message}")


def test_several_processes_and_uneven_divisions_are_accepted():
    assert TrainSpec.from_json(SPEC).sharded is True
    assert TrainSpec.from_json(SPEC | {"strategy": CACHED, "sharded": False}).processes == 2


@pytest.mark.engine
def test_a_model_without_a_list_of_layers_is_refused_before_others_are_started(
    run_folder, tiny_base, train_here, tmp_path, monkeypatch
):
    from transformers import AlbertConfig, AlbertModel

    from lifecycle.runtime.engine import team

    base = tmp_path / "albert"
    shutil.copytree(tiny_base, base)
    AlbertModel(
        AlbertConfig(
            vocab_size=24,
            embedding_size=16,
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=2,
            intermediate_size=64,
        )
    ).save_pretrained(base)
    folder = run_folder(base={"path": str(base), "name": "albert"}, processes=2, sharded=True)
    monkeypatch.setattr(team, "FOLLOWER", ("touch", str(tmp_path / "started")))

    error = train_here(folder)["error"]

    assert error["message"] == "spec.json: sharded needs a model with a layer list, which AlbertModel lacks."
    assert not (tmp_path / "started").exists()
    assert not (folder / "checkpoints").exists()
    assert json.loads((folder / "result.json").read_text())["status"] == "failed"
