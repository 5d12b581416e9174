"""Several processes train one run: the curve is that of one process, and the failure of one is reported."""

from __future__ import annotations

import os
import sys
import time

import psutil
import pytest
from safetensors.torch import load_file
from torch import distributed

from lifecycle.runtime.engine import team
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.engine.team import Team
from tests.engine.teams import assert_same_curve, children, digest, killed_after
from tests.support.faults import wrong_setting

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(
    "strategy", [{"kind": "full"}, {"kind": "lora", "cached": True, "frozen_layers": 1, "dropout": 0.0}]
)
def test_two_processes_give_the_curve_and_the_weights_of_one(calm_folder, train_here, strategy):
    folders = [calm_folder(f"{each}", processes=each, strategy=strategy) for each in (1, 2)]

    one, two = [train_here(folder) for folder in folders]

    assert (two["status"], two["best_step"], two["last_step"]) == (
        "succeeded",
        one["best_step"],
        one["last_step"],
    )
    assert_same_curve(*folders)
    name = "adapter_model.safetensors" if strategy["kind"] == "lora" else "model.safetensors"
    weights = [load_file(folder / "artifact" / name) for folder in folders]
    assert all((weights[0][name] - weights[1][name]).abs().max() < 1e-3 for name in weights[0])
    assert two["cpu_seconds"] > two["stages"]["train"]["cpu_seconds"] > 0
    assert not distributed.is_initialized()


def test_a_process_that_is_killed_ends_the_run_in_a_sentence_and_resuming_gives_the_same_weights(
    calm_folder, train_here, monkeypatch
):
    undisturbed, folder = (calm_folder(name, processes=2, epochs=4) for name in ("undisturbed", "killed"))
    train_here(undisturbed)

    killed_after(2, monkeypatch)
    failed = train_here(folder)
    again = train_here(folder)

    assert (failed["status"], failed["error"]["code"]) == ("failed", "process_lost")
    assert failed["error"]["message"] == "One of the 2 training processes exited with status -9."
    assert again["status"] == "succeeded"
    assert digest(folder) == digest(undisturbed)
    assert not children()


def test_the_others_end_with_a_first_process_that_is_killed(cold, run_folder, engine):
    folder = run_folder(processes=2, epochs=1000, batch_size=4)
    leader = engine.start("train", folder)
    while not (folder / "checkpoints").is_dir():
        assert leader.poll() is None, leader.stdout.read()
        time.sleep(0.05)
    (other,) = psutil.Process(leader.pid).children()

    leader.kill()
    leader.wait()

    other.wait(30)
    assert not other.is_running()


def test_more_processes_than_rows_of_a_batch_are_refused_by_name():
    spec = {"base": {"path": "base", "name": "tiny"}, "labels": ["a", "b"], "batch_size": 4, "processes": 5}

    with wrong_setting("processes", "4", "batch size"):
        TrainSpec.from_json(spec)


def environment():
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "OMP_NUM_THREADS", team.MEETING)
    return {name: value for name, value in os.environ.items() if name in names}


def test_more_processes_than_cores_are_refused_before_any_is_started(tmp_path):
    before, many = environment(), Team(tmp_path, 10_000)

    with wrong_setting("processes", str(os.cpu_count()), "cores"):
        many.gather()

    assert (many.others, list(tmp_path.iterdir()), environment()) == ([], [], before)


def test_a_process_that_ends_before_all_have_met_ends_the_wait_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(team, "FOLLOWER", (sys.executable, "-c", "raise SystemExit(3)"))
    before, two = environment(), Team(tmp_path, 2)

    try:
        two.gather()
        with pytest.raises(EngineFault) as fault:
            two.meet()
    finally:
        two.end()

    assert (fault.value.code, "with status 3." in fault.value.message) == ("process_lost", True)
    assert (list(tmp_path.iterdir()), environment(), distributed.is_initialized()) == ([], before, False)
