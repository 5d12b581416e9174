"""What a checkpoint and the best weights take of the disk, and what is freed before the artifact is
written.
"""

import gc
import json
import os

import pytest

from lifecycle.runtime.engine import best, checkpoint
from tests.engine.test_resume import SPEC, weights

pytestmark = pytest.mark.engine


@pytest.fixture
def stopped(run_folder, train_here):
    """A full run of four steps that was stopped after its second; evaluated at each."""

    def stop(after=2):
        folder = run_folder(f"stopped-{after}", **(SPEC | {"epochs": 4, "batch_size": 8}))
        asked = iter([False] * (after - 1))
        assert train_here(folder, cancelled=lambda: next(asked, True))["status"] == "cancelled"
        return folder

    return stop


def test_the_best_weights_and_a_checkpoint_of_the_same_step_are_one_file(stopped):
    folder = stopped()
    kept = best.kept(folder)
    same = folder / "checkpoints" / f"checkpoint-{kept['step']}" / "weights.safetensors"

    assert os.path.samefile(same, folder / "best" / kept["weights"])
    assert checkpoint.is_complete(same.parent)


def test_weights_of_another_step_are_not_named_as_those_of_a_checkpoint(stopped, tmp_path):
    folder = stopped()

    assert not best.hard_link(folder, best.kept(folder)["step"] + 1, tmp_path / "weights.safetensors")
    assert not (tmp_path / "weights.safetensors").exists()


def test_a_half_written_file_of_a_killed_run_gives_way_to_the_best_weights(stopped):
    folder = stopped()
    target, kept = folder / "left.safetensors", best.kept(folder)
    target.write_bytes(b"half")

    assert best.hard_link(folder, kept["step"], target)
    assert target.read_bytes() == (folder / "best" / kept["weights"]).read_bytes()


def test_a_disk_without_hard_links_has_the_weights_twice(run_folder, train_here, monkeypatch):
    calm, plain = (run_folder(name, **(SPEC | {"epochs": 4})) for name in ("calm", "plain"))
    train_here(calm)

    def refuse(*args):
        raise OSError("no hard links here")

    monkeypatch.setattr(best.os, "link", refuse)
    asked = iter([False] * 2)
    train_here(plain, cancelled=lambda: next(asked, True))
    train_here(plain)

    assert weights(plain) == weights(calm)


def test_the_last_checkpoint_has_no_optimizer_and_those_before_have(run_folder, train_here, monkeypatch):
    folder = run_folder(**(SPEC | {"epochs": 4}))
    monkeypatch.setattr(checkpoint, "purge", lambda root: None)

    last = train_here(folder)["last_step"]

    found = {
        checkpoint.step_of(each): (each / "optimizer.pt").exists()
        for each in (folder / "checkpoints").iterdir()
    }
    assert len(found) == 2
    assert found.pop(last) is False
    assert list(found.values()) == [True]


def test_gradients_and_moments_are_freed_before_the_artifact_is_written(run_folder, train_here, monkeypatch):
    import torch

    from lifecycle.runtime.engine.task_types.single_label.answerer import LabelAnswerer

    folder, seen = run_folder(**(SPEC | {"epochs": 1})), []

    def finish(self, run, through=LabelAnswerer.finish):
        gc.collect()
        seen.append([each for each in gc.get_objects() if issubclass(type(each), torch.optim.Optimizer)])
        seen.append([name for name, each in run.trainer.model.named_parameters() if each.grad is not None])
        return through(self, run)

    monkeypatch.setattr(LabelAnswerer, "finish", finish)

    assert train_here(folder)["status"] == "succeeded"
    assert seen == [[], []]


def test_memory_of_training_is_freed_before_libraries_that_write_graphs_are_loaded(
    run_folder, train_here, monkeypatch
):
    from lifecycle.runtime.engine import devices
    from lifecycle.runtime.engine.task_types.single_label.answerer import LabelAnswerer

    folder, order = run_folder(**(SPEC | {"epochs": 1})), []

    def graphs(*args, through=LabelAnswerer.finish):
        order.append("graphs")
        return through(*args)

    monkeypatch.setattr(LabelAnswerer, "finish", graphs)
    monkeypatch.setattr(devices, "release_memory", order.append)

    assert train_here(folder)["status"] == "succeeded"
    assert order == ["cpu", "cpu", "graphs"]  # of the optimizer, then of the weights of the last step


def test_a_run_trains_without_the_libraries_that_write_graphs_and_tables():
    import subprocess
    import sys

    code = (
        "import json, sys; from lifecycle.runtime.engine import training;"
        " print(json.dumps(sorted(sys.modules)))"
    )
    loaded = json.loads(
        subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout
    )

    assert {"torch", "transformers"} <= set(loaded)
    assert not {"onnx", "onnxruntime", "pyarrow", "sklearn", "pandas"} & set(loaded)
