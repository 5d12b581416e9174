"""Several processes train one run: the curve is that of one process, and what happens to one of them ends in a sentence."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from threading import Thread

import psutil
import pytest
from safetensors.torch import load_file
from torch import distributed

from lifecycle.engine import team
from lifecycle.engine.events import points, read_events
from lifecycle.engine.faults import EngineFault
from lifecycle.engine.spec import SpecError, TrainSpec
from lifecycle.engine.team import Team
from tests.engine.inbox import ROWS

pytestmark = pytest.mark.engine

SPEC = {"epochs": 3, "batch_size": 3, "evaluations_per_epoch": 1, "class_weights": True}
CALM = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


@pytest.fixture
def calm_folder(run_folder, tiny_base, tmp_path, monkeypatch):
    """Makes run folders without dropout, of which each process draws its own. Seven rows: one process has none of the last batch."""
    base = tmp_path / "calm"
    shutil.copytree(tiny_base, base)
    (base / "config.json").write_text(json.dumps(json.loads((base / "config.json").read_text()) | CALM))
    monkeypatch.setattr("lifecycle.engine.classifier.HEAD_DROPOUT", 0.0)
    monkeypatch.setattr(team, "FOLLOWER", (sys.executable, "-m", "tests.engine.calm_follower"))

    def make(name, **fields):
        return run_folder(name, rows=ROWS[:7], base={"path": str(base), "name": "calm"}, **SPEC | fields)

    return make


def curve(folder):
    return [(point.step, point.values) for point in points(read_events(folder / "events.jsonl")[0])]


@pytest.mark.parametrize("strategy", [{"kind": "full"}, {"kind": "lora", "cached": True, "frozen_layers": 1, "dropout": 0.0}])
def test_two_processes_give_the_curve_and_the_weights_of_one(calm_folder, train_here, strategy):
    folders = [calm_folder(f"{each}", processes=each, strategy=strategy) for each in (1, 2)]

    one, two = [train_here(folder) for folder in folders]

    assert (two["status"], two["best_step"], two["last_step"]) == ("succeeded", one["best_step"], one["last_step"])
    alone, together = map(curve, folders)
    assert [step for step, _ in together] == [step for step, _ in alone]
    for (step, values), (_, others) in zip(alone, together, strict=True):
        for name in ("train_loss", "validation_loss", "learning_rate", "gradient_norm", "macro_f1"):
            assert others.get(name) == pytest.approx(values.get(name), rel=1e-3, abs=1e-6), (step, name)
    name = "adapter_model.safetensors" if strategy["kind"] == "lora" else "model.safetensors"
    weights = [load_file(folder / "artifact" / name) for folder in folders]
    assert all((weights[0][name] - weights[1][name]).abs().max() < 1e-3 for name in weights[0])
    assert two["cpu_seconds"] > two["stages"]["train"]["cpu_seconds"] > 0
    assert not distributed.is_initialized()


def children():
    return [each for each in psutil.Process().children() if "calm_follower" in " ".join(each.cmdline())]


def kill_when(condition):
    """Kill the other process in the moment in which the condition holds."""

    def watch():
        while not condition():
            time.sleep(0.005)
        for each in children():
            each.kill()

    thread = Thread(target=watch)
    thread.start()
    return thread


def test_a_process_that_is_killed_ends_the_run_in_a_sentence_and_resuming_gives_the_same_weights(calm_folder, train_here):
    undisturbed, folder = (calm_folder(name, processes=2, epochs=40) for name in ("undisturbed", "killed"))
    train_here(undisturbed)

    killing = kill_when(lambda: len(list((folder / "checkpoints").glob("checkpoint-*/COMPLETE.json"))) == 2)
    failed = train_here(folder)
    killing.join()
    again = train_here(folder)

    assert (failed["status"], failed["error"]["code"]) == ("failed", "process_lost")
    assert failed["error"]["message"] == "One of the 2 processes that train together ended (exit status -9)."
    assert again["status"] == "succeeded"
    assert digest(folder) == digest(undisturbed)
    assert not children()


def digest(folder):
    return {each.name: each.read_bytes() for each in sorted((folder / "artifact").glob("*.safetensors"))}


def test_the_others_end_with_a_first_process_that_is_killed(run_folder, engine):
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

    with pytest.raises(SpecError, match="processes must be at most 4, the batch size: each takes a row of every batch"):
        TrainSpec.from_json(spec)


def environment():
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "OMP_NUM_THREADS", team.MEETING)
    return {name: value for name, value in os.environ.items() if name in names}


def test_more_processes_than_cores_are_refused_before_any_is_started(tmp_path):
    before, many = environment(), Team(tmp_path, 10_000)

    with pytest.raises(SpecError, match=f"processes must be at most {os.cpu_count()}, the cores of this machine"):
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

    assert (fault.value.code, "exit status 3" in fault.value.message) == ("process_lost", True)
    assert (list(tmp_path.iterdir()), environment(), distributed.is_initialized()) == ([], before, False)
