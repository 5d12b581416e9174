"""States of a run and of a sweep, and the strategies. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import TextChoices


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a run left. weights: digests of its files of weights, by name. conditions: by the names of CONDITIONS."""

    weights: Mapping[str, str]
    conditions: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Workers:
    """Whose work a run is, by uuid: none of them approves what comes of it.

    trained: launched or resumed it. behind: proposed the retraining that launched it, or labeled for that. insisted: requested a promotion
    although the run was not better.
    """

    trained: frozenset[UUID] = frozenset()
    behind: frozenset[UUID] = frozenset()
    insisted: frozenset[UUID] = frozenset()


class RunState(TextChoices):
    """A run that ended as succeeded, failed, stopped or pruned stays what it is. A stopped or failed one may be resumed from its
    checkpoint; a pruned one was given up by its sweep and has none.

    A paused one has not ended: it holds no worker, and anyone who waits for it continues waiting.
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
    """A sweep runs until its trials, its time or its luck have ended, or someone cancels it; then it stays what it is."""

    RUNNING = "running", "Running"
    FINISHED = "finished", "Finished"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class Sampler(TextChoices):
    """How a sweep draws the settings of its next trial."""

    TPE = "tpe", "TPE"
    RANDOM = "random", "Random"


class Strategy(TextChoices):
    """What learns, in the order in which people are offered it."""

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
    Strategy.LORA: "Trains small adapters; the base is frozen. Nearly as accurate as full fine-tuning, with little memory.",
    Strategy.FAST_LORA: (
        "LoRA in the upper layers only; the output of the lower ones is cached. Several times faster, slightly less accurate."
    ),
    Strategy.FULL: "Trains all parameters. Most accurate and slowest; needs the most rows.",
    Strategy.IA3: "Trains scaling vectors for activations. Very few parameters; needs more epochs.",
    Strategy.ADAPTER: "Trains a narrow layer after each layer. As accurate as LoRA; the adapters stay separate when served.",
    Strategy.HEAD: "Trains only the last layer on frozen embeddings. Takes seconds; a good first baseline.",
    Strategy.PROMPT: "Trains a few vectors prepended to every prompt. Steers the base model but adds little new knowledge.",
    Strategy.P_TUNING: "Trains a small network that generates the prepended vectors. More stable than prompt tuning.",
    Strategy.PREFIX: "Trains prepended keys and values in each layer. More capable than prompt tuning and still small.",
}

# What a machine brings to a run besides its spec, and how people call it.
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
    RunState.QUEUED: {RunState.TRAINING, RunState.PAUSING, RunState.STOPPING, RunState.STOPPED, RunState.FAILED},
    RunState.TRAINING: {
        *(RunState.PAUSING, RunState.STOPPING, RunState.SUCCEEDED, RunState.FAILED, RunState.STOPPED, RunState.PRUNED),
    },
    RunState.PAUSING: {RunState.PAUSED, RunState.STOPPING, RunState.SUCCEEDED, RunState.FAILED, RunState.PRUNED},
    RunState.PAUSED: {RunState.QUEUED, RunState.STOPPING},
    RunState.STOPPING: {RunState.STOPPED, RunState.SUCCEEDED, RunState.FAILED, RunState.PRUNED},
    RunState.STOPPED: {RunState.QUEUED},
    RunState.FAILED: {RunState.QUEUED},
}


@dataclass(frozen=True, slots=True)
class Repeat:
    """The result of running a run again. differing: files of weights that are not the same. changed: what was not as the first time."""

    differing: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether the weights are equal, bit for bit."""
        return not self.differing


def compare_repeat(first: Attempt, second: Attempt) -> Repeat:
    """Two runs of one spec, side by side."""
    names = sorted(first.weights.keys() | second.weights.keys())
    changed = [name for name in CONDITIONS if first.conditions.get(name) != second.conditions.get(name)]
    return Repeat(tuple(name for name in names if first.weights.get(name) != second.weights.get(name)), tuple(changed))


# ── Sweeps ──────────────────────────────────────────────────────────────────
TRIALS_MAX = 200
MINUTES_MAX = 60 * 24 * 30
FAILURES_MAX = 3  # in a row


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a sweep starts no other trial. message, next_step: sentences for people."""

    state: SweepState
    message: str
    next_step: str = ""


def find_ending(states: Sequence[RunState], *, trials: int, minutes: float, limit: int | None) -> Ending | None:
    """Whether a sweep has ended; None while another trial is to start. Trials that people stopped say nothing about their settings.

    states: of the trials so far, in order, all of which have ended. trials: how many there are to be. minutes: since the sweep began.
    """
    told = [state for state in states if state != RunState.STOPPED]
    if len(told) >= FAILURES_MAX and set(told[-FAILURES_MAX:]) == {RunState.FAILED}:
        return Ending(
            SweepState.FAILED,
            f"{FAILURES_MAX} trials in a row failed, so the sweep stopped.",
            "See the last trial's page for the error, and start a new sweep without those settings.",
        )
    of = f"{len(states)} of {trials} trials"
    if len(states) >= trials:
        reason = f"{of} finished."
    elif limit is not None and minutes >= limit:
        reason = f"The time limit of {limit} min was reached after {of}."
    else:
        return None
    if RunState.SUCCEEDED in states:
        return Ending(SweepState.FINISHED, reason)
    return Ending(SweepState.FAILED, f"{reason} None produced a model.", "See their pages for the reasons.")


def seconds_left(*, ended: int, trials: int, seconds: float, since_last: float) -> float | None:
    """About how long a sweep still takes, at the pace of the trials that have ended; None before the first.

    seconds: from its begin to the end of the last trial that has ended. since_last: from there to now; no more of it than one trial takes
    is counted, since those behind it have not begun.
    """
    if not ended:
        return None
    pace = seconds / ended
    return pace * (trials - ended) - min(since_last, pace) if trials > ended else 0.0
