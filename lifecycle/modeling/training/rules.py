"""States of a run and of a sweep, and the strategies. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import TextChoices


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of a run. weights: digests of its weight files, by name. conditions: by the names in
    CONDITIONS.
    """

    weights: Mapping[str, str]
    conditions: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Workers:
    """Contributors to a run, by uuid: none of them may approve its model.

    trained: launched or resumed it. behind: proposed the retraining that launched it, or annotated for it.
    insisted: requested a promotion although the run wasn't better.
    """

    trained: frozenset[UUID] = frozenset()
    behind: frozenset[UUID] = frozenset()
    overrode: frozenset[UUID] = frozenset()


class RunState(TextChoices):
    """A run that succeeded, failed, stopped, or was pruned keeps its state. Stopped and failed ones can be
    resumed from their checkpoint; a pruned one was given up by its sweep and has none.

    A paused one hasn't ended: it has no worker, and whatever waits for it continues waiting.
    """

    QUEUED = "queued", "Queued"
    TRAINING = "training", "Training"
    PAUSING = "pausing", "Pausing"
    PAUSED = "paused", "Paused"
    STOPPING = "stopping", "Stopping"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    STOPPED = "stopped", "Stopped"
    PRUNED = "pruned", "Pruned"


class SweepState(TextChoices):
    """A sweep runs until its trials or time are used up, trials keep failing, or it is cancelled; then it
    keeps its state.
    """

    RUNNING = "running", "Running"
    FINISHED = "finished", "Finished"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class Sampler(TextChoices):
    """How a sweep samples the settings of its next trial."""

    TPE = "tpe", "TPE"
    RANDOM = "random", "Random"


class Strategy(TextChoices):
    """What is trained, in display order."""

    LORA = "lora", "LoRA"
    FAST_LORA = "fast_lora", "Fast LoRA"
    FULL = "full", "Full fine-tuning"
    IA3 = "ia3", "IA3"
    ADAPTER = "adapter", "Bottleneck adapters"
    HEAD = "head", "Head only"
    PROMPT = "prompt", "Prompt tuning"
    P_TUNING = "p_tuning", "P-tuning"
    PREFIX = "prefix", "Prefix tuning"


CONSEQUENCE = {
    Strategy.LORA: (
        "Trains small adapters; the base is frozen. Nearly as accurate as full fine-tuning, with little"
        " memory."
    ),
    Strategy.FAST_LORA: (
        "LoRA in the upper layers only; the output of the lower ones is cached. Several times faster,"
        " slightly less accurate."
    ),
    Strategy.FULL: "Trains all parameters. Most accurate and slowest; needs the most rows.",
    Strategy.IA3: "Trains scaling vectors for activations. Very few parameters; needs more epochs.",
    Strategy.ADAPTER: (
        "Trains a narrow layer after each layer. As accurate as LoRA; the adapters stay separate when served."
    ),
    Strategy.HEAD: "Trains only the last layer on frozen embeddings. Takes seconds; a good first baseline.",
    Strategy.PROMPT: (
        "Trains a few vectors prepended to every prompt. Steers the base model but adds little new knowledge."
    ),
    Strategy.P_TUNING: (
        "Trains a small network that generates the prepended vectors. More stable than prompt tuning."
    ),
    Strategy.PREFIX: (
        "Trains prepended keys and values in each layer. More capable than prompt tuning and still small."
    ),
}

# Conditions of a run besides its spec, with their display names.
CONDITIONS = {
    "code": "the application code",
    "python": "Python",
    "packages": "library versions",
    "cpu": "the processor",
    "threads": "threads",
    "device": "the device",
    "precision": "precision",
    "rows": "microbatch size",
}
FINISHED = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.STOPPED, RunState.PRUNED})
MOVES = {
    RunState.QUEUED: {
        RunState.TRAINING,
        RunState.PAUSING,
        RunState.STOPPING,
        RunState.STOPPED,
        RunState.FAILED,
    },
    RunState.TRAINING: {
        *(
            RunState.PAUSING,
            RunState.STOPPING,
            RunState.SUCCEEDED,
            RunState.FAILED,
            RunState.STOPPED,
            RunState.PRUNED,
        ),
    },
    RunState.PAUSING: {
        RunState.PAUSED,
        RunState.STOPPING,
        RunState.SUCCEEDED,
        RunState.FAILED,
        RunState.PRUNED,
    },
    RunState.PAUSED: {RunState.QUEUED, RunState.STOPPING},
    RunState.STOPPING: {RunState.STOPPED, RunState.SUCCEEDED, RunState.FAILED, RunState.PRUNED},
    RunState.STOPPED: {RunState.QUEUED},
    RunState.FAILED: {RunState.QUEUED},
}


@dataclass(frozen=True, slots=True)
class Repeat:
    """The result of a reproduction. differing: weight files that differ. changed: conditions that changed."""

    differing: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether the weights are bit-identical."""
        return not self.differing


def compare_repeat(first: Attempt, second: Attempt) -> Repeat:
    """Compare two runs of one spec."""
    names = sorted(first.weights.keys() | second.weights.keys())
    changed = [name for name in CONDITIONS if first.conditions.get(name) != second.conditions.get(name)]
    return Repeat(
        tuple(name for name in names if first.weights.get(name) != second.weights.get(name)), tuple(changed)
    )


# ── Sweeps ──────────────────────────────────────────────────────────────────
TRIALS_MAX = 200
MINUTES_MAX = 60 * 24 * 30
FAILURES_MAX = 3  # in a row


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a sweep starts no more trials. message, next_step: sentences for people."""

    state: SweepState
    message: str
    next_step: str = ""


def find_ending(
    states: Sequence[RunState], *, trials: int, minutes: float, limit: int | None
) -> Ending | None:
    """Whether a sweep has ended; None if another trial should start. Trials stopped by people don't count as
    failures.

    states: of the trials so far, in order, all ended. trials: their intended number. minutes: since the start
    of the sweep.
    """
    counted = [state for state in states if state != RunState.STOPPED]
    if len(counted) >= FAILURES_MAX and set(counted[-FAILURES_MAX:]) == {RunState.FAILED}:
        return Ending(
            SweepState.FAILED,
            f"{FAILURES_MAX} trials in a row failed, so the sweep stopped.",
            "See the last trial's page for the error, and start a new sweep without those settings.",
        )
    progress = f"{len(states)} of {trials} trials"
    if len(states) >= trials:
        reason = f"{progress} finished."
    elif limit is not None and minutes >= limit:
        reason = f"The time limit of {limit} min was reached after {progress}."
    else:
        return None
    if RunState.SUCCEEDED in states:
        return Ending(SweepState.FINISHED, reason)
    return Ending(SweepState.FAILED, f"{reason} None produced a model.", "See their pages for the reasons.")


def seconds_left(*, ended: int, trials: int, seconds: float, since_last: float) -> float | None:
    """The estimated time left, at the pace of ended trials; None before the first.

    seconds: from the start of the sweep to the end of the last ended trial. since_last: since then; at most
    the time of one trial is counted, since later ones haven't started.
    """
    if not ended:
        return None
    pace = seconds / ended
    return pace * (trials - ended) - min(since_last, pace) if trials > ended else 0.0
