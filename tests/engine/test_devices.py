"""What a run trains on. No GPU is here: torch's answers about one are faked, and `meta`, torch's device
without numbers, takes its place, on which nothing computes that was left on the CPU.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import resource
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from transformers import TrainingArguments

from lifecycle.runtime.engine import devices, probe, training
from lifecycle.runtime.engine.batches import Collate, Encoded, EncodedRows
from lifecycle.runtime.engine.classifier import Classifier, TokenClassifier
from lifecycle.runtime.engine.data import NOT_COUNTED
from lifecycle.runtime.engine.faults import EngineFault, describe, is_out_of_memory
from lifecycle.runtime.engine.forward import (
    evaluation_logits,
    frozen_activations,
    frozen_features,
    token_logits,
    token_vectors,
)
from lifecycle.runtime.engine.losses import CrossEntropy
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
from lifecycle.runtime.engine.task_types.generation import answering
from lifecycle.runtime.engine.task_types.generation.answering import measure_losses
from lifecycle.runtime.engine.task_types.generation.prompts import Example
from lifecycle.runtime.engine.task_types.single_label.answerer import LabelAnswerer
from lifecycle.runtime.engine.team import Team
from lifecycle.runtime.engine.trainer import arguments
from tests.engine.inbox import ROWS
from tests.support.faults import fault, wrong_setting

pytestmark = pytest.mark.engine
TEXTS = [[2, 4, 5, 3], [2, 6, 3], [2, 7, 8, 9, 3]]
PLAIN = Collate(0, token_types=True)


def spec(**fields) -> TrainSpec:
    return TrainSpec.from_json({"base": {"path": "base", "name": "tiny"}, "labels": ["a", "b"]} | fields)


@pytest.fixture
def gpus(monkeypatch):
    """gpus(2): torch sees so many. Returns what was asked of them."""
    asked: list[tuple] = []

    def there(count, *, bf16=True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True: bf16 or including_emulation
        )
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Made-up 80GB")
        monkeypatch.setattr(torch.cuda, "set_device", lambda rank: asked.append(("set_device", rank)))
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: asked.append(("empty_cache",)))
        monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 3 * 2**20)
        monkeypatch.setattr(torch.version, "cuda", "12.8")
        return asked

    return there


# ── Which device ────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("wanted", "count", "device"),
    [("auto", 0, "cpu"), ("auto", 1, "cuda"), ("cpu", 1, "cpu"), ("cpu", 0, "cpu"), ("cuda", 2, "cuda")],
)
def test_the_first_start_chooses_and_later_ones_keep_it(gpus, tmp_path, wanted, count, device):
    gpus(count)

    first = devices.kept(spec(device=wanted), tmp_path)
    gpus(4)
    again = devices.kept(spec(device=wanted), tmp_path)

    assert (first, again) == (device, device)
    assert json.loads((tmp_path / "device.json").read_text()) == {"device": device}


def test_a_run_that_requests_a_missing_gpu_is_refused_in_a_sentence_and_nothing_is_kept(gpus, tmp_path):
    gpus(0)

    with pytest.raises(EngineFault) as refused:
        devices.kept(spec(device="cuda"), tmp_path)

    assert refused.value.code == "no_device"
    assert refused.value.message == "This run needs a GPU, but torch finds none on this machine."
    assert refused.value.next_step.startswith(
        "Start a GPU worker (manage.py worker training --device cuda), or start a new run on the CPU."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_begun_on_a_gpu_does_not_go_on_without_one(gpus, tmp_path):
    gpus(1)
    devices.kept(spec(), tmp_path)
    gpus(0)

    with fault("no_device"):
        devices.kept(spec(), tmp_path)


def test_a_spec_names_a_device_that_there_is():
    assert spec().device == "auto"
    with wrong_setting("device", '"tpu"'):
        spec(device="tpu")


def test_a_whole_run_ends_with_that_sentence_before_its_first_step(run_folder):
    folder = run_folder(device="cuda")

    with fault("no_device"):
        training.train(folder, lambda: False)

    assert not (folder / "checkpoints").exists()
    assert not (folder / "precision.json").exists()


def test_a_run_on_the_cpu_names_it_and_no_gpu(run_folder):
    folder = run_folder(epochs=1)

    found = training.train(folder, lambda: False)

    assert found["environment"]["device"] == "cpu"
    assert "peak_gpu_memory_mb" not in found
    assert json.loads((folder / "device.json").read_text()) == {"device": "cpu"}


def test_results_name_the_gpu_and_its_peak_memory(gpus):
    gpus(1)

    assert (devices.described("cuda"), devices.described("cpu")) == ("Made-up 80GB, CUDA 12.8", "cpu")
    assert (devices.peak_memory("cuda"), devices.peak_memory("cpu")) == ({"peak_gpu_memory_mb": 3.0}, {})


# ── One GPU for each process ────────────────────────────────────────────────
def test_each_process_takes_its_own_gpu_and_the_same_order_of_sums(gpus, monkeypatch):
    asked = gpus(2)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)

    devices.prepare("cuda", processes=2, rank=1)

    assert asked == [("set_device", 1)]
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert [devices.place("cuda", 1), devices.place("cpu", 1)] == ["cuda:1", "cpu"]


def test_more_processes_than_gpus_are_refused_by_the_field(gpus):
    asked = gpus(1)

    with wrong_setting("processes", "1"):
        devices.prepare("cuda", processes=2)

    assert asked == []


def test_torch_is_not_queried_for_the_cpu(gpus):
    asked = gpus(1)

    devices.prepare("cpu", processes=8)
    devices.release_memory("cpu")

    assert asked == []


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="Another library of C keeps less, and has no such call."
)
def test_what_is_no_longer_used_of_the_hosts_memory_is_given_back():
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    # 192 MB, in pieces too small to have pages of their own
    kept = [torch.ones(16_000) for _ in range(3_000)]
    del kept[:-1]  # the last holds the end of the heap, so that glibc keeps what is before it
    before = resident()

    devices.release_memory("cpu")

    assert before - resident() > 100_000_000


@pytest.mark.parametrize(("device", "kind"), [("cpu", "gloo"), ("cuda", "nccl")])
def test_a_team_speaks_as_its_device_does_whatever_else_is_in_the_machine(
    gpus, monkeypatch, tmp_path, device, kind
):
    gpus(2)
    begun = []
    monkeypatch.setenv("LIFECYCLE_TEAM", str(tmp_path))
    monkeypatch.setattr(
        "lifecycle.runtime.engine.team.distributed.init_process_group",
        lambda kind, **options: begun.append(kind),
    )

    Team(tmp_path, 2, 1, device).meet()

    assert begun == [kind]


# ── Precision ───────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("wanted", "bf16", "chosen"),
    [("auto", True, "bf16"), ("auto", False, "fp32"), ("fp32", True, "fp32"), ("bf16", True, "bf16")],
)
def test_a_gpu_computes_in_bf16_where_it_multiplies_it_itself(gpus, wanted, bf16, chosen):
    gpus(1, bf16=bf16)

    assert devices.choose_precision(wanted) == chosen


@pytest.mark.parametrize(
    ("wanted", "bf16", "chosen"),
    [("auto", True, "bf16"), ("auto", False, "fp32"), ("fp32", True, "fp32"), ("bf16", False, "bf16")],
)
def test_a_processor_computes_in_bf16_where_it_multiplies_it_itself_however_busy_it_is(
    monkeypatch, wanted, bf16, chosen
):
    clock = itertools.count()
    with monkeypatch.context() as patch:
        patch.setattr(probe, "bf16_supported", lambda: bf16)
        patch.setattr("time.perf_counter", lambda: next(clock))  # all that is timed takes equally long
        found = probe.choose_precision(wanted)

    assert found == chosen


def test_bf16_on_a_gpu_that_only_imitates_it_is_refused(gpus):
    gpus(1, bf16=False)

    with wrong_setting("precision", "fp32"):
        devices.choose_precision("bf16")


# ── The Trainer's settings ────────────────────────────────────────────────
def test_the_trainer_is_held_to_the_cpu_or_left_to_the_gpu(tmp_path):
    assert arguments(spec(), tmp_path, rows=8, bf16=False).use_cpu is True
    assert arguments(spec(), tmp_path, rows=8, bf16=False, device="cuda").use_cpu is False


def test_one_process_uses_one_gpu_however_many_it_sees(tmp_path, monkeypatch):
    monkeypatch.setattr(TrainingArguments, "n_gpu", property(lambda self: 4))

    assert arguments(spec(), tmp_path, rows=8, bf16=False, device="cuda")._n_gpu == 1


# ── Batches go to the model, and what it gives comes back ───────────────────
@pytest.fixture
def returned(monkeypatch):
    """Has what comes from `meta` arrive on the CPU as zeros. Returns their shapes."""
    shapes: list[tuple[int, ...]] = []
    own = torch.Tensor.cpu

    def cpu(self):
        if self.is_meta:
            shapes.append(tuple(self.shape))
            return torch.zeros(self.shape, dtype=self.dtype)
        return own(self)

    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    return shapes


def rows(labels) -> EncodedRows:
    return EncodedRows(Encoded(TEXTS, labels, labels))


def test_a_batch_on_the_cpu_is_not_copied():
    batch = {"input_ids": torch.ones(2, 3, dtype=torch.long)}

    assert devices.beside(nn.Linear(2, 2), batch)["input_ids"] is batch["input_ids"]


def test_a_batch_follows_the_model():
    found = devices.beside(nn.Linear(2, 2, device="meta"), {"input_ids": torch.ones(2, 3)})

    assert found["input_ids"].device.type == "meta"


class Encoder(nn.Module):
    """Token embeddings alone: what real encoders ask of their numbers, `meta` cannot answer."""

    config = SimpleNamespace(hidden_size=8)

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(12, 8, device="meta")

    def forward(self, input_ids, attention_mask, token_type_ids):
        return SimpleNamespace(last_hidden_state=self.table(input_ids) * attention_mask.unsqueeze(-1))


def test_validation_computes_where_the_model_is(returned):
    model = Classifier(Encoder(), 8, 2, "mean").to("meta")

    found = evaluation_logits(model, rows(np.zeros(3, dtype=np.int64)), PLAIN, 2)

    assert (found.shape, returned) == ((3, 2), [(2, 2), (1, 2)])


def test_tokens_are_read_where_the_model_is(returned, tmp_path):
    model = TokenClassifier(Encoder(), 8, 3, "mean").to("meta")
    tags = [np.full(len(each), NOT_COUNTED, dtype=np.int64) for each in TEXTS]

    found = token_logits(model, rows(tags), Collate(0, token_types=True, stack=learner_of("spans").stack), 3)
    token_vectors(model, TEXTS, PLAIN, tmp_path / "cache" / "train.f16", 3)

    assert ([each.shape for each in found], returned) == ([(4, 3), (3, 3), (5, 3)], [(3, 5, 3), (3, 5, 8)])


def test_frozen_vectors_are_computed_where_the_model_is_and_kept_on_the_cpu(returned, tmp_path):
    model = Classifier(Encoder(), 8, 2, "mean").to("meta")

    found = frozen_features(model, TEXTS, PLAIN, tmp_path / "cache" / "train.safetensors", 3)

    assert (found.device.type, tuple(found.shape), returned) == ("cpu", (3, 8), [(3, 8)])


def test_what_the_lowest_layers_give_is_computed_where_they_are(returned, tmp_path):
    encoder, checked = Encoder(), []

    def run(**inputs):
        return encoder(**inputs).last_hidden_state

    lowest = SimpleNamespace(
        base=encoder, run=run, check=lambda **inputs: checked.append(run(**inputs).device.type)
    )
    frozen_activations(lowest, TEXTS, PLAIN, tmp_path / "cache" / "train.f16", 3)

    assert (checked, returned) == (["meta"], [(3, 5, 8)])


def test_the_losses_of_answers_are_measured_where_the_model_is(returned):
    class Writer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(12, 12, device="meta")

        def forward(self, input_ids, attention_mask, labels):
            return {"logits": self.table(input_ids) * attention_mask.unsqueeze(-1)}

    examples = [Example((1, 2, 3), (NOT_COUNTED, 2, 3)), Example((1, 2), (NOT_COUNTED, 2))]

    found = measure_losses(Writer(), examples, 0, 2)

    assert (found.nats.shape, returned) == ((2,), [(2,), (2,)])


def test_responses_are_generated_on_the_models_device(monkeypatch):
    seen = []

    def generate(model, ids, mask, **options):
        seen.append((ids.device.type, mask.device.type))
        return torch.tensor([[5, 1], [1, 1]])

    monkeypatch.setattr(answering, "_generate", generate)
    model = nn.Linear(2, 2, device="meta")
    model.generation_config = SimpleNamespace(eos_token_id=1)
    tokenizer = SimpleNamespace(decode=lambda tokens, skip_special_tokens: " ".join(map(str, tokens)))

    found = answering.answer(model, tokenizer, [[2, 3], [2]], end=1, pad_id=0, max_new_tokens=2, at_once=2)

    assert (seen, [each.text for each in found]) == ([("meta", "meta")], ["5", ""])


def test_class_weights_on_a_device_weigh_labels_that_are_still_on_the_cpu():
    loss = CrossEntropy(torch.tensor([1.0, 3.0]))

    assert loss.weight(torch.tensor([0, 1, 1])) == 7.0
    assert "weights" in dict(loss.named_buffers())  # so that it moves with the model


# ── Memory of a GPU that runs out ───────────────────────────────────────────
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError(
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB"
        ),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_the_out_of_memory_error_of_a_gpu_is_recognized(error):
    assert is_out_of_memory(error)
    assert describe(error).code == "out_of_memory"


def test_a_gpu_gets_its_memory_back_before_a_smaller_try(gpus, run_folder, monkeypatch):
    asked = gpus(0)
    folder, tried = run_folder(rows=ROWS, batch_size=4, epochs=1), []
    own = training._attempt

    def attempt(spec, folder, prepared, events, reporter):
        tried.append(prepared.device)
        if len(tried) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return own(spec, folder, prepared, events, reporter)

    monkeypatch.setattr(training, "_attempt", attempt)
    monkeypatch.setattr(devices, "CUDA", "cpu")  # so that what is done for a GPU is done here
    monkeypatch.setattr(training.devices, "prepare", lambda *given: None)
    monkeypatch.setattr(training.devices, "kept", lambda *given: "cpu")

    training.train(folder, lambda: False)

    assert tried == ["cpu", "cpu"]
    # before the smaller try, of what learning used, of the weights that left
    assert asked.count(("empty_cache",)) == 3


def test_a_classifier_that_was_trained_elsewhere_is_written_from_the_cpu(run_folder, monkeypatch):
    seen = []
    own = LabelAnswerer.finish

    def finish(self, run):
        seen.append({each.device.type for each in run.trainer.model.parameters()})
        return own(self, run)

    monkeypatch.setattr(LabelAnswerer, "finish", finish)
    moved = []
    to = Classifier.to
    monkeypatch.setattr(
        Classifier, "to", lambda self, *given, **options: moved.append(given) or to(self, *given, **options)
    )

    training.train(run_folder(epochs=1), lambda: False)

    assert seen == [{"cpu"}]
    assert ("cpu",) in moved
