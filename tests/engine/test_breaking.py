"""Training that diverges: the run stops there, and its weights come from the best step before."""

from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import load_file

from lifecycle.runtime.engine import diagnosis
from lifecycle.runtime.engine.classifier import Classifier
from lifecycle.runtime.engine.events import Point, points, read_events
from lifecycle.runtime.engine.faults import Unstable
from lifecycle.runtime.engine.task_types import learner

pytestmark = pytest.mark.engine

SPEC = {
    "epochs": 12,
    "batch_size": 4,
    "evaluations_per_epoch": 1,
    "learning_rate": 1e-3,
    "head_learning_rate": 1e-3,
}
OWN = Classifier.forward


@pytest.fixture
def spoil(monkeypatch):
    """Has the loss of training steps from a number on changed: spoil(7, lambda loss: …)."""

    def from_step(number, change):
        calls = iter(range(1, 10_000))

        def forward(self, labels=None, **inputs):
            output = OWN(self, labels=labels, **inputs)
            return (
                output | {"loss": change(output["loss"])}
                if labels is not None and next(calls) >= number
                else output
            )

        monkeypatch.setattr(Classifier, "forward", forward)

    return from_step


def events_of(folder, kind):
    return [event for event in read_events(folder / "events.jsonl")[0] if event["kind"] == kind]


def weights(folder):
    return load_file(folder / "artifact" / "model.safetensors")


def not_a_number(loss):
    return loss * float("nan")


class Endless(torch.autograd.Function):
    """The same value, but what comes back through it is infinite."""

    @staticmethod
    def forward(ctx, loss):
        return loss.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * float("inf")


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (not_a_number, "nan_loss", "The loss became NaN at step 7."),
        (Endless.apply, "nan_gradient", "The gradient became NaN at step 7."),
    ],
)
def test_a_number_that_is_none_ends_the_run_with_the_best_weights_before(
    change, code, message, run_folder, train_here, spoil
):
    calm, broken = (
        run_folder("calm", **SPEC | {"epochs": 3, "schedule": "constant"}),
        run_folder("broken", **SPEC | {"schedule": "constant"}),
    )
    calm_result = train_here(calm)

    spoil(7, change)
    result = train_here(broken)

    assert result["status"] == "succeeded"
    assert (result["last_step"], result["best_step"]) == (6, calm_result["best_step"])
    assert result["error"] == {
        "code": code,
        "message": f"{message} The weights of step {result['best_step']}, the best earlier step, are used.",
        "next_step": (
            "Lower both learning rates (a tenth is a good next try) or use fp32 precision, and start a new"
            " run."
        ),
    }
    (finding,) = [event for event in events_of(broken, "finding") if event["code"] == "instability"]
    assert (finding["severity"], finding["title"], finding["from_step"]) == (
        "bad",
        "Training diverged at step 7 and was stopped.",
        7,
    )
    assert all(torch.isfinite(each).all() for each in weights(broken).values())
    assert result["metrics"]["macro_f1"] == calm_result["metrics"]["macro_f1"]
    assert not (broken / "checkpoints").exists()


def test_a_loss_that_rises_and_stays_ends_the_run_and_nothing_later_is_kept(run_folder, train_here, spoil):
    folder = run_folder(**SPEC)
    spoil(9, lambda loss: loss + 5)

    result = train_here(folder)

    assert result["status"] == "succeeded"
    # logged each second step: 10, 12 and 14 are jumps
    assert (result["error"]["code"], result["last_step"]) == ("diverged", 14)
    assert result["best_step"] <= 8
    assert "at step 10 and didn't recover." in result["error"]["message"]
    curve = points(read_events(folder / "events.jsonl")[0])
    scores = {point.step: point.values["macro_f1"] for point in curve if "macro_f1" in point.values}
    assert max(scores) == 12  # it ended before it evaluated again
    assert result["metrics"]["macro_f1"] == scores[result["best_step"]]


def test_a_loss_that_rises_and_recovers_does_not_end_the_run(run_folder, train_here, spoil):
    folder = run_folder(**SPEC)
    losses = iter([5.0] * 4)
    spoil(9, lambda loss: loss + next(losses, 0.0))

    result = train_here(folder)

    assert (result["status"], result["error"], result["last_step"]) == ("succeeded", None, 24)


def test_without_an_earlier_evaluation_the_run_fails_and_reports_where(run_folder, train_here, spoil):
    folder = run_folder(**SPEC)
    spoil(2, not_a_number)

    result = train_here(folder)

    assert (result["status"], result["error"]["code"]) == ("failed", "nan_loss")
    assert result["error"]["message"] == "The loss became NaN at step 2."
    (finding,) = [event for event in events_of(folder, "finding") if event["code"] == "instability"]
    assert finding["detail"] == "The loss became NaN at step 2. No earlier step was evaluated."
    assert not (folder / "artifact").exists()


def test_logits_that_are_no_numbers_end_the_run_before_they_are_scored(run_folder, train_here, monkeypatch):
    folder = run_folder(**SPEC)
    seen = []

    def spoiled(*args):
        seen.append(1)
        return own(*args) * (math.nan if len(seen) > 2 else 1.0)

    own = learner.evaluation_logits
    monkeypatch.setattr(learner, "evaluation_logits", spoiled)

    result = train_here(folder)

    assert result["error"]["message"].startswith("The validation loss became NaN at step 6.")
    assert result["best_step"] in (2, 4)


def curve(*losses):
    return [Point(step, 0.0, {"train_loss": loss}) for step, loss in enumerate(losses, 1)]


@pytest.mark.parametrize(
    ("losses", "found"),
    [
        ((1.0, 0.9, 0.8, 0.7, 3.0, 3.1, 3.2), (5, 0.9, 3.0)),
        ((1.0, 0.9, 0.8, 0.7, 3.0, 3.1), None),  # it may still recover
        ((1.0, 0.9, 0.8, 0.7, 3.0, 3.1, 0.7), None),
        ((1.0, 0.9, 0.8, 3.0, 0.7, 3.0, 0.7, 3.0), None),  # many jumps, and each recovered
        ((0.01, 0.01, 0.01, 0.2, 0.2, 0.2), None),  # twenty times as high, and still low
        ((1.0, 0.9, 0.8, 0.7, 1.2, 1.5, 1.7), None),
        ((), None),
    ],
)
def test_divergence_is_a_jump_without_recovery(losses, found):
    assert diagnosis.divergence(curve(*losses)) == found


def test_the_message_names_the_step_that_is_kept():
    fault = Unstable("nan_loss", "The loss became NaN at step 43.", 43)

    found = diagnosis.broken(fault, 30)

    assert (
        found.detail
        == "The loss became NaN at step 43. The weights of step 30, the best earlier step, are used."
    )
    assert (found.from_step, found.to_step, found.next_step) == (43, 43, fault.next_step)
