"""Memory that runs out: the run continues with fewer rows at a time, and every step stays the same."""

from __future__ import annotations

import gc
import json
import weakref

import pytest
import torch

from lifecycle.runtime.engine import memory
from lifecycle.runtime.engine.classifier import Classifier
from lifecycle.runtime.engine.diagnosis import Diagnosis
from lifecycle.runtime.engine.events import points, read_events
from lifecycle.runtime.engine.losses import CrossEntropy
from lifecycle.runtime.engine.memory import Parts
from tests.engine.inbox import ROWS
from tests.support.faults import fault

pytestmark = pytest.mark.engine

SPEC = {"epochs": 6, "batch_size": 8, "evaluations_per_epoch": 1}
OWN = Classifier.forward
CALM = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


@pytest.fixture
def calm(tiny_base, tmp_path):
    """A base without dropout, so that a batch in parts gives the same gradient as the whole."""
    folder = tmp_path / "calm-base"
    folder.mkdir()
    for each in tiny_base.iterdir():
        (folder / each.name).write_bytes(each.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | CALM))
    return {"path": str(folder), "name": "calm"}


@pytest.fixture
def memory_for(monkeypatch):
    """Has the model's forward fail above a number of rows, from a call on: memory_for(4, after=2). Returns
    the rows of each call.
    """

    def limit(rows, *, after=0, error=lambda: torch.OutOfMemoryError("Tried to allocate 2 GiB.")):
        seen: list[int] = []

        def forward(self, labels=None, **inputs):
            if labels is not None:
                seen.append(len(labels))
                if len(labels) > rows and len(seen) > after:
                    raise error()
            return OWN(self, labels=labels, **inputs)

        monkeypatch.setattr(Classifier, "forward", forward)
        monkeypatch.setattr("lifecycle.runtime.engine.classifier.HEAD_DROPOUT", 0.0)
        return seen

    return limit


def logged(folder, kind):
    return [event for event in read_events(folder / "events.jsonl")[0] if event["kind"] == kind]


def losses(folder):
    curve = points(read_events(folder / "events.jsonl")[0])
    return {point.step: point.values["train_loss"] for point in curve if "train_loss" in point.values}


@pytest.mark.parametrize(
    "error",
    [
        lambda: torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError,
        lambda: RuntimeError(
            "[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory: you tried"
        ),
    ],
)
@pytest.mark.parametrize("options", [{}, {"class_weights": True}])
def test_a_run_that_runs_out_of_memory_ends_as_one_that_never_did(
    options, error, calm, run_folder, train_here, memory_for
):
    # the second batch has two rows
    rows = [*ROWS, ("please refund my order again", "refund"), ("refund money please", "refund")]
    undisturbed, short = (
        run_folder(name, rows=rows, base=calm, **SPEC, **options) for name in ("undisturbed", "short")
    )
    memory_for(8)
    plain = train_here(undisturbed)

    seen = memory_for(3, error=error)
    result = train_here(short)

    assert result["status"] == "succeeded"
    assert (
        (result["last_step"], result["best_step"])
        == (plain["last_step"], plain["best_step"])
        == (12, plain["best_step"])
    )
    assert plain["batch"] == {"batch_size": 8, "accumulation": 1}
    assert result["batch"] == {"batch_size": 2, "accumulation": 4}
    assert seen[:3] == [8, 4, 2]
    assert set(seen[2:]) == {2}
    assert losses(short) == pytest.approx(losses(undisturbed), abs=1e-4)
    assert json.loads((short / "batch.json").read_text()) == {"batch": 8, "rows": 2, "step": 0}


def test_it_resumes_from_the_newest_checkpoint_and_reports_it(calm, run_folder, train_here, memory_for):
    folder = run_folder(base=calm, **SPEC)
    memory_for(4, after=3)

    train_here(folder)

    assert "Out of memory; continuing with 4 of 8 rows of a batch at a time." in [
        event.get("message") for event in logged(folder, "log")
    ]
    assert "Resuming from step 3." in [event["message"] for event in logged(folder, "stage")]
    (finding,) = [event for event in logged(folder, "finding") if event["code"] == "out_of_memory"]
    assert (
        Diagnosis(**{name: finding[name] for name in Diagnosis.__dataclass_fields__})
        == Parts(8, 4, 3).finding()
    )
    events = read_events(folder / "events.jsonl")[0]
    assert [point.step for point in points(events)] == [1, 2, 3, 4, 5, 6]
    assert [event["seq"] for event in events] == list(range(len(events)))


def test_a_resumed_run_keeps_the_smaller_parts(calm, run_folder, train_here, memory_for):
    folder = run_folder(base=calm, **SPEC)
    memory_for(4, after=1)
    asked = iter([False] * 3)
    train_here(folder, cancelled=lambda: next(asked, True))

    seen = memory_for(8)
    result = train_here(folder)

    assert set(seen) == {4}
    assert result["batch"] == {"batch_size": 4, "accumulation": 2}


def test_one_row_at_a_time_that_still_does_not_fit_fails_with_what_to_do(run_folder, train_here, memory_for):
    folder = run_folder(**SPEC)
    seen = memory_for(0)

    error = train_here(folder)["error"]

    assert seen == [8, 4, 2, 1]
    assert error["code"] == "out_of_memory"
    assert error["message"] == "The machine ran out of memory for this model, even with one row at a time."
    assert not (folder / "artifact").exists()


def test_what_failed_is_released_before_the_next_try(run_folder, train_here, monkeypatch):
    made: list[weakref.ref] = []
    living: list[int] = []

    def forward(self, labels=None, **inputs):
        if labels is not None and all(each() is not self for each in made):
            living.append(sum(each() is not None for each in made))
            made.append(weakref.ref(self))
        if labels is not None and len(labels) > 2:
            raise MemoryError
        return OWN(self, labels=labels, **inputs)

    monkeypatch.setattr(Classifier, "forward", forward)
    gc.disable()  # nothing but the run itself may clean up
    try:
        train_here(run_folder(**SPEC))
    finally:
        gc.enable()

    assert living == [0, 0, 0]


def test_a_weighted_loss_in_parts_adds_up_to_the_loss_of_the_batch():
    torch.manual_seed(0)
    logits, labels = torch.randn(7, 3), torch.tensor([0, 0, 0, 1, 1, 2, 0])
    for loss in (
        CrossEntropy(),
        CrossEntropy(torch.tensor([0.5, 2.0, 3.0])),
        CrossEntropy(torch.tensor([0.5, 2.0, 3.0]), smoothing=0.2),
    ):
        parts = sum(
            loss(logits[at : at + 3], labels[at : at + 3])
            * loss.weight(labels[at : at + 3])
            / loss.weight(labels)
            for at in (0, 3, 6)
        )

        assert float(parts) == pytest.approx(float(loss(logits, labels)), abs=1e-6)


def test_parts_halve_down_to_one_row():
    parts, seen = Parts(5, 5), []
    while parts.rows > 1:
        parts = parts.halved()
        seen.append((parts.rows, parts.count, parts.evaluation))

    assert seen == [(3, 2, 32), (2, 3, 21), (1, 5, 12)]
    with fault("out_of_memory"):
        parts.halved()


def test_whole_batches_are_passed_until_memory_runs_out(tmp_path):
    assert memory.kept(tmp_path, 32) == Parts(32, 32)
    assert memory.keep_half(tmp_path, 32) == memory.kept(tmp_path, 32) == Parts(32, 16)
