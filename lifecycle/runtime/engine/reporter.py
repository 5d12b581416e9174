"""What a run reports during training: points of its curves, findings, checkpoints; and when it stops."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil
from transformers import TrainerCallback

from lifecycle.runtime.engine import checkpoint
from lifecycle.runtime.engine.diagnosis import Diagnosis, diagnose, divergence
from lifecycle.runtime.engine.effort import Effort
from lifecycle.runtime.engine.events import EventWriter, Point
from lifecycle.runtime.engine.faults import Unstable
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.task_types.by_key.measures import metrics_of
from lifecycle.runtime.task_types.by_key.types import type_of


class Reporter(TrainerCallback):  # type: ignore[misc]
    """Writes events during training, checks for findings, stops on request or when patience ends, and
    requests timed checkpoints.
    """

    def __init__(
        self,
        spec: TrainSpec,
        events: EventWriter,
        history: list[Point],
        cancelled: Callable[[], bool],
        effort: Effort,
        rows: int,
    ) -> None:
        self.spec, self.events, self.cancelled, self.effort = spec, events, cancelled, effort
        # on the average: the last step of an epoch may have fewer
        self.rows_a_step = rows / spec.steps_of_epoch(rows)
        self.history = {point.step: point for point in history}
        self.reported: dict[str, tuple[str, int]] = {}
        self.process = psutil.Process(os.getpid())
        self.peak_mb = 0.0
        self.marked = (time.monotonic(), 0)
        self.saved = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock at the step where this process begins, and forget points that will be made
        again.
        """
        self.marked = (time.monotonic(), state.global_step)
        self.history = {step: point for step, point in self.history.items() if step <= state.global_step}

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any
    ) -> None:
        """One metric event for a training log or an evaluation."""
        logs = logs or {}
        if "eval_loss" in logs:
            values = scores_of(logs)
        elif "loss" in logs:
            values = {
                "train_loss": logs["loss"],
                "learning_rate": logs["learning_rate"],
                **self._speed(state.global_step),
            }
            if "grad_norm" in logs:
                values["gradient_norm"] = logs["grad_norm"]
        else:
            return
        self._point(state, values)

    def _speed(self, step: int) -> dict[str, float]:
        now, memory = time.monotonic(), self.process.memory_info().rss / 2**20
        self.peak_mb = max(self.peak_mb, memory)
        seconds, steps = now - self.marked[0], step - self.marked[1]
        self.marked = (now, step)
        return {"examples_per_second": steps * self.rows_a_step / max(seconds, 1e-6), "memory_mb": memory}

    def _point(self, state: Any, values: dict[str, float]) -> None:
        """Write a point and what it shows. Raises Unstable `diverged` where the loss has risen and not
        recovered.
        """
        step, epoch = state.global_step, float(state.epoch or 0)
        self.events.write("metric", step=step, total_steps=state.max_steps, epoch=epoch, values=values)
        known = self.history.get(step)
        self.history[step] = Point(step, epoch, {**(known.values if known else {}), **values})
        self.report(self.diagnose())
        if "train_loss" in values and (found := divergence(self.points)):
            first, before, after = found
            raise Unstable(
                "diverged",
                f"The loss rose from about {before:.3f} to {after:.3f} at step {first} and didn't recover.",
                first,
            )

    def diagnose(self, *, finished: bool = False) -> list[Diagnosis]:
        """Diagnoses of the points so far. The level that a modified loss falls to isn't known, so its height
        isn't judged.
        """
        is_plain = type_of(self.spec.task).one_label and not (
            self.spec.label_smoothing or self.spec.focal_gamma
        )
        return diagnose(self.points, classes=len(self.spec.labels), finished=finished and is_plain)

    @property
    def points(self) -> list[Point]:
        """All points of the run so far, in order."""
        return [self.history[step] for step in sorted(self.history)]

    def report(self, findings: Sequence[Diagnosis]) -> None:
        """Write a finding when it is new or has grown worse, not at every step."""
        for each in findings:
            if self.reported.get(each.code, ("", 0))[0] != each.severity:
                self.reported[each.code] = (each.severity, each.to_step)
                self.events.write("finding", **each.to_json())

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float] | None = None, **kwargs: Any
    ) -> None:
        """Restart the speed clock, which evaluation must not slow."""
        self.marked = (time.monotonic(), state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Cancel, or ask for a checkpoint when the last is old."""
        if self.cancelled():
            control.should_training_stop = control.should_save = True
        elif time.monotonic() - self.saved > checkpoint.SECONDS:
            control.should_save = True
        if state.global_step >= state.max_steps:
            control.should_evaluate = control.should_save = True
        return control

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Log the checkpoint; after an evaluation, stop when patience has ended."""
        self.saved = time.monotonic()
        self.effort.keep()
        self.events.write("checkpoint", step=state.global_step)
        waited = evaluations_since_best(state)
        if self.spec.patience and waited >= self.spec.patience:
            name = metrics_of(self.spec.task).trained.words
            self.events.write(
                "log",
                message=(
                    f"Stopped at step {state.global_step}: no improvement of {name} for {waited} evaluations."
                ),
            )
            control.should_training_stop = True
        return control


def scores_of(values: dict[str, float]) -> dict[str, float]:
    """The scores of an evaluation, as the trainer logs them, under the names that a run's events use."""
    scores = {name.removeprefix("eval_"): value for name, value in values.items() if name.startswith("eval_")}
    return {"validation_loss": scores.pop("loss")} | scores


def evaluations_since_best(state: Any) -> int:
    """Evaluations after the best step, by the trainer's own record, which checkpoints carry."""
    return len(
        {
            each["step"]
            for each in state.log_history
            if "eval_loss" in each and each["step"] > (state.best_global_step or 0)
        }
    )
