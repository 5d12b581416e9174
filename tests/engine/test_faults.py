import errno
import json
import resource

import pytest

from lifecycle.runtime.engine import trainer
from lifecycle.runtime.engine.base import open_base
from lifecycle.runtime.engine.classifier import Classifier
from lifecycle.runtime.engine.events import read_events
from lifecycle.runtime.engine.faults import EngineFault, describe

pytestmark = pytest.mark.engine


def fails(result, code):
    assert result["status"] == "failed"
    assert result["error"]["code"] == code
    assert result["error"]["message"].endswith(".")
    assert result["error"]["next_step"].endswith(".")
    return result["error"]["message"]


def test_a_single_label_fails_with_its_name(run_folder, train_here):
    folder = run_folder(rows=[("my card", "card")] * 5)

    assert (
        fails(train_here(folder), "one_class")
        == "All 5 training rows carry the label 'card'; a classifier needs at least two."
    )
    assert not (folder / "artifact").exists()


def test_a_missing_base_fails_with_its_path(run_folder, train_here, tmp_path):
    folder = run_folder(base={"path": str(tmp_path / "gone"), "name": "gone"})

    assert (
        fails(train_here(folder), "base_missing")
        == f"The base model at {tmp_path / 'gone'} can't be used: the folder doesn't exist."
    )


def test_a_base_with_other_files_than_it_was_made_for_fails(run_folder, train_here, tiny_base):
    folder = run_folder(base={"path": str(tiny_base), "name": "tiny", "digest": "0" * 64})

    assert "different digest" in fails(train_here(folder), "base_missing")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            '{"id": "1", "text": "x", "label": "cart"}',
            "train.jsonl, line 9: label \"cart\" isn't among the spec's labels.",
        ),
        ('{"id": "1", "text": 7, "label": "card"}', "train.jsonl, line 9: it has no text under 'text'."),
        ('{"id": "1"', "train.jsonl, line 9: it isn't one JSON object in UTF-8."),
        ('["card"]', "train.jsonl, line 9: it isn't a JSON object."),
    ],
)
def test_a_bad_line_fails_with_its_number(line, why, run_folder, train_here):
    folder = run_folder()
    with (folder / "train.jsonl").open("a") as file:
        file.write(line + "\n")

    assert fails(train_here(folder), "bad_data") == why


def test_a_bad_spec_fails_with_its_field(run_folder, train_here):
    folder = run_folder(epochs=-1)

    assert fails(train_here(folder), "bad_spec") == "spec.json: epochs must be from 1 to 1000, got -1."


def test_a_loss_that_is_not_a_number_fails(run_folder, train_here):
    folder = run_folder(learning_rate=1.0, head_learning_rate=1.0, epochs=2)
    original = Classifier.forward

    def poisoned(self, *args, **kwargs):
        output = original(self, *args, **kwargs)
        return output | {"loss": output["loss"] * float("nan")} if "loss" in output else output

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Classifier, "forward", poisoned)
        assert fails(train_here(folder), "nan_loss") == "The loss became NaN at step 1."


def test_no_memory_fails_with_what_to_lower(run_folder, train_here, monkeypatch):
    def exhausted(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(trainer.Trainer, "training_step", exhausted)

    fails(train_here(run_folder()), "out_of_memory")


def test_a_full_disk_fails_and_the_run_resumes_when_there_is_room(run_folder, train_here, monkeypatch):
    folder = run_folder(epochs=6)

    def full(path):
        if path.name == "checkpoint-6":
            raise OSError(errno.ENOSPC, "No space left on device")
        return seal(path)

    seal = trainer.checkpoint.seal
    with monkeypatch.context() as patch:
        patch.setattr(trainer.checkpoint, "seal", full)
        fails(train_here(folder), "disk_full")

    assert train_here(folder)["status"] == "succeeded"
    assert any(
        event.get("message") == "Resuming from step 4." for event in read_events(folder / "events.jsonl")[0]
    )


@pytest.fixture
def short_files():
    """No file of this process can grow beyond 100,000 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_reported_in_the_result(run_folder, train_here, short_files):
    folder = run_folder(epochs=2)

    fails(train_here(folder), "disk_full")  # the weights fit, the optimizer's state does not

    assert (folder / "best" / "best.json").exists()


def test_an_unknown_error_is_named_and_its_traceback_is_in_the_log(
    run_folder, train_here, monkeypatch, capsys
):
    def broken(*args, **kwargs):
        raise RuntimeError("a seam came undone")

    monkeypatch.setattr(trainer.Trainer, "training_step", broken)

    assert "RuntimeError: a seam came undone" in fails(train_here(run_folder()), "crashed")
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory: you tried"
            ),
            "out_of_memory",
        ),
        (RuntimeError("PytorchStreamWriter failed writing file data/3"), "disk_full"),
        (OSError(errno.EDQUOT, "quota"), "disk_full"),
        (OSError(errno.EACCES, "no"), "crashed"),
        (EngineFault("nan_loss", "a.", "b."), "nan_loss"),
    ],
)
def test_errors_of_libraries_become_faults(error, code):
    assert describe(error).code == code


def copy_base(tiny_base, target, **config):
    target.mkdir()
    for each in tiny_base.iterdir():
        (target / each.name).write_bytes(each.read_bytes())
    document = json.loads((target / "config.json").read_text()) | config
    (target / "config.json").write_text(json.dumps(document))
    return target


def test_a_base_with_code_is_refused(tiny_base, tmp_path):
    folder = copy_base(tiny_base, tmp_path / "code", auto_map={"AutoModel": "evil.Model"})

    with pytest.raises(EngineFault, match="requires custom model code"):
        open_base(folder)


def test_a_base_of_pickles_is_refused(tiny_base, tmp_path):
    folder = copy_base(tiny_base, tmp_path / "pickle")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")

    with pytest.raises(EngineFault, match=r"its weights are a pickle file \(pytorch_model.bin\)"):
        open_base(folder)


def test_the_digest_of_a_base_follows_its_files(tiny_base, tmp_path):
    folder = copy_base(tiny_base, tmp_path / "same")
    before = open_base(folder)
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")

    assert open_base(folder).digest != before.digest
    assert (before.hidden_size, before.layers, before.max_tokens, before.model_type) == (32, 2, 64, "bert")
