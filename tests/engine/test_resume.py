import errno
import json
import os
import random
import signal
import threading

import pytest

from lifecycle.runtime.engine import checkpoint, program
from lifecycle.runtime.engine.events import points, read_events
from lifecycle.runtime.engine.task_types import graphs

pytestmark = pytest.mark.engine

LORA = {"kind": "lora", "rank": 4, "dropout": 0.1}
SPEC = {"strategy": LORA, "epochs": 400, "batch_size": 2, "learning_rate": 1e-2, "evaluations_per_epoch": 1}


def wait_for(process, folder, step):
    """Reads the events until the run has reached a step."""
    pause = threading.Event()
    while process.poll() is None:
        events, _ = read_events(folder / "events.jsonl")
        if any(event["kind"] == "metric" and event["step"] >= step for event in events):
            return
        pause.wait(0.02)
    raise AssertionError(process.stdout.read())


def weights(folder):
    return {
        each.name: each.read_bytes()
        for each in (folder / "artifact").iterdir()
        if each.suffix == ".safetensors"
    }


def test_a_killed_run_resumes_to_the_weights_of_an_uninterrupted_one(run_folder, engine, train_here):
    spec = SPEC | {"epochs": 30}
    calm, killed = run_folder("calm", **spec), run_folder("killed", **spec)
    train_here(calm)

    process = engine.start("train", killed)
    wait_for(process, killed, 20)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "result.json").exists()
    last = checkpoint.newest(killed / "checkpoints")
    half = killed / "checkpoints" / f"checkpoint-{checkpoint.step_of(last) + 1}"  # as if killed while writing
    half.mkdir()
    (half / "weights.safetensors").write_bytes(b"torn")
    resumed = train_here(killed)

    assert resumed["status"] == "succeeded"
    assert weights(killed) == weights(calm)
    events, _ = read_events(killed / "events.jsonl")
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert any(event.get("message") == f"Resuming from step {checkpoint.step_of(last)}." for event in events)
    assert [p.step for p in points(events)] == [p.step for p in points(read_events(calm / "events.jsonl")[0])]


@pytest.mark.parametrize("seed", range(int(os.environ.get("KILLS", "4")) // 2))
def test_a_run_killed_at_random_moments_ends_with_the_weights_of_an_uninterrupted_one(
    seed, run_folder, engine, train_here
):
    """Two kills for each seed, each somewhere in a step, an evaluation or the writing of a checkpoint.
    KILLS=20 makes twenty.
    """
    spec = SPEC | {"epochs": 30, "seed": seed}
    calm, killed = run_folder("calm", **spec), run_folder("killed", **spec)
    train_here(calm)
    moments, pause = random.Random(seed), threading.Event()

    for least, most in ((1, 40), (41, 80)):
        process = engine.start("train", killed)
        wait_for(process, killed, moments.randint(least, most))
        pause.wait(moments.uniform(0, 0.05))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL

    assert train_here(killed)["status"] == "succeeded"
    assert weights(killed) == weights(calm)


def test_sigterm_leaves_a_checkpoint_and_a_cancelled_result(run_folder, engine):
    folder = run_folder(**SPEC)
    process = engine.start("train", folder)
    wait_for(process, folder, 10)

    process.send_signal(signal.SIGTERM)

    assert process.wait() == program.ASKED_TO_STOP
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "cancelled"
    assert checkpoint.step_of(checkpoint.newest(folder / "checkpoints")) == result["last_step"]
    assert not (folder / "artifact").exists()
    process.stdout.close()


def test_the_end_of_the_parents_pipe_stops_the_run(run_folder, engine):
    folder = run_folder(**SPEC)
    process = engine.start("train", folder)
    wait_for(process, folder, 10)

    process.stdin.close()

    assert process.wait() == program.ASKED_TO_STOP
    assert json.loads((folder / "result.json").read_text())["status"] == "cancelled"
    process.stdout.close()


def test_a_cancelled_run_resumes_to_the_weights_of_an_uninterrupted_one(run_folder, train_here):
    spec = SPEC | {"epochs": 10}
    calm, stopped = run_folder("calm", **spec), run_folder("stopped", **spec)
    train_here(calm)
    asked = iter([False] * 7)

    assert train_here(stopped, cancelled=lambda: next(asked, True))["status"] == "cancelled"
    assert train_here(stopped)["status"] == "succeeded"

    assert weights(stopped) == weights(calm)


@pytest.mark.parametrize("patience", [0, 2])
def test_a_run_that_stopped_while_writing_its_artifact_writes_it_again(
    patience, run_folder, train_here, monkeypatch
):
    spec = SPEC | {"epochs": 8, "patience": patience}
    calm, stopped = run_folder("calm", **spec), run_folder("stopped", **spec)
    calm_result = train_here(calm)

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(graphs, "write_artifact", full)
        assert train_here(stopped)["error"]["code"] == "disk_full"
    result = train_here(stopped)

    assert weights(stopped) == weights(calm)
    assert (result["best_step"], result["last_step"]) == (calm_result["best_step"], calm_result["last_step"])


def test_a_second_writer_is_turned_away_and_changes_nothing(run_folder, engine):
    folder = run_folder(epochs=1)
    with program._locked(folder / "lock") as free:
        assert free

        process = engine("train", folder)

    assert process.returncode == program.BUSY
    assert sorted(each.name for each in folder.iterdir()) == [
        "lock",
        "spec.json",
        "train.jsonl",
        "validation.jsonl",
    ]


def test_a_damaged_checkpoint_is_passed_over(tmp_path):
    for step in (10, 20, 30):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "weights.safetensors").write_bytes(b"x" * step)
        if step < 30:
            checkpoint.seal(folder)

    assert checkpoint.newest(tmp_path).name == "checkpoint-20"
    (tmp_path / "checkpoint-20" / "weights.safetensors").write_bytes(b"y" * 20)
    assert checkpoint.newest(tmp_path).name == "checkpoint-10"


def test_only_the_newest_sealed_checkpoints_are_kept(tmp_path):
    for step in (10, 20, 30, 40):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "a").write_text("a")
        if step != 40:
            checkpoint.seal(folder)

    checkpoint.keep_newest(tmp_path)

    assert sorted(each.name for each in tmp_path.iterdir()) == ["checkpoint-20", "checkpoint-30"]
