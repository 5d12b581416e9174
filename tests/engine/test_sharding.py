"""A model that is divided among two processes trains as in one process: the same curve, the same artifact,
and half of it in each.
"""

from __future__ import annotations

import sys

import pytest
from torch import distributed

from lifecycle.runtime.engine import memory, team
from lifecycle.runtime.engine.events import read_events, write_json
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.team import Team
from tests.engine.questions import make_run
from tests.engine.teams import assert_same_artifact, assert_same_curve
from tests.support.tiny_decoders import make_tiny_decoder

pytestmark = pytest.mark.engine
DIVIDED = {"processes": 2, "sharded": True}
FULL, LORA = {"kind": "full"}, {"kind": "lora", "dropout": 0.0}


def events_of(folder, kind):
    return [event for event in read_events(folder / "events.jsonl")[0] if event["kind"] == kind]


@pytest.mark.parametrize(
    "fields",
    [
        {"strategy": FULL},
        {"strategy": LORA},
        {"strategy": FULL, "accumulation": 2, "gradient_checkpointing": True, "max_gradient_norm": 0.0},
    ],
    ids=["full", "lora", "accumulated"],
)
def test_a_divided_classifier_gives_the_curve_and_the_artifact_of_one_process(
    calm_folder, train_here, fields
):
    alone, divided = calm_folder("alone", **fields), calm_folder("divided", **fields, **DIVIDED)

    one, two = map(train_here, (alone, divided))

    assert (two["status"], two["best_step"], two["last_step"]) == (
        "succeeded",
        one["best_step"],
        one["last_step"],
    )
    assert (two["trainable_parameters"], two["total_parameters"]) == (
        one["trainable_parameters"],
        one["total_parameters"],
    )
    assert_same_curve(alone, divided)
    assert_same_artifact(alone, divided)
    (message,) = [event["message"] for event in events_of(divided, "log") if "Sharded" in event["message"]]
    half, whole = two["total_parameters"] // 2, two["total_parameters"]
    assert (
        message == f"Sharded the model: each of 2 processes holds at most {half:,} of {whole:,} parameters."
    )
    assert not distributed.is_initialized()


@pytest.mark.parametrize("strategy", [FULL, LORA, {"kind": "prefix"}], ids=lambda strategy: strategy["kind"])
def test_a_divided_decoder_gives_the_curve_the_answers_and_the_artifact_of_one_process(
    tmp_path, train_here, strategy
):
    base = make_tiny_decoder(tmp_path / "tiny")
    alone, divided = (
        make_run(tmp_path / name, base, epochs=2, strategy=strategy, **more)
        for name, more in (("alone", {}), ("divided", DIVIDED))
    )

    one, two = map(train_here, (alone, divided))

    assert two["status"] == "succeeded"
    assert two["metrics"] == pytest.approx(one["metrics"], rel=1e-4)
    assert_same_curve(alone, divided)
    assert_same_artifact(alone, divided)
    samples = [[event["rows"] for event in events_of(folder, "samples")] for folder in (alone, divided)]
    assert samples[0] == samples[1] != []


def test_batches_in_parts_make_the_same_steps(calm_folder, train_here):
    whole, parts = (calm_folder(name, batch_size=6, **DIVIDED) for name in ("whole", "parts"))
    write_json(parts / memory.FILE, {"batch": 6, "rows": 2, "step": 0})

    results = [train_here(folder) for folder in (whole, parts)]

    assert [each["status"] for each in results] == ["succeeded", "succeeded"]
    assert_same_curve(whole, parts)


def test_a_number_that_is_none_in_one_process_ends_the_run_with_the_best_weights_before(
    run_folder, train_here, monkeypatch
):
    monkeypatch.setattr(team, "FOLLOWER", (sys.executable, "-m", "tests.engine.broken_follower"))
    folder = run_folder(evaluations_per_epoch=1, **DIVIDED)  # two steps an epoch

    result = train_here(folder)

    assert (result["status"], result["error"]["code"]) == ("succeeded", "nan_loss")
    assert result["best_step"] in (2, 4, 6)
    assert (folder / "artifact" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("sharded", "step"),
    [
        (False, "use fewer processes, or shard the model (sharded)"),
        (True, "shard the model across more processes, each on its own GPU"),
    ],
)
def test_the_advice_where_memory_runs_out_fits_how_the_model_is_divided(sharded, step, tmp_path, monkeypatch):
    monkeypatch.setattr(team, "FOLLOWER", ("sh", "-c", f"exit {team.NO_MEMORY}"))
    two = Team(tmp_path, 2, sharded=sharded)

    try:
        two.gather()
        with pytest.raises(EngineFault) as fault:
            two.meet()
    finally:
        two.end()

    assert (fault.value.code, fault.value.message) == (
        "out_of_memory",
        "One of the 2 training processes ran out of memory.",
    )
    assert (
        fault.value.next_step
        == f"Halve the batch size or the max sequence length (max_tokens), or {step}, then start again."
    )
