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

    A paused one has not ended: it holds no worker, and whoever waits for it goes on waiting.
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
    """A sweep runs until its trials, its time or its luck have ended, or somebody cancels it; then it stays what it is."""

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
    Strategy.LORA: "Small adapters learn, the base stays as it is. Nearly as good as full, with little memory.",
    Strategy.FAST_LORA: "LoRA in the upper layers only; the lower ones are run once. Several times as fast, a little less accurate.",
    Strategy.FULL: "Every weight learns. The most capable, the slowest, and it needs the most rows.",
    Strategy.IA3: "Learns to scale what the base computes. Very few weights; needs more epochs.",
    Strategy.ADAPTER: "A narrow layer behind each layer learns. As good as LoRA; it stays apart in what is served.",
    Strategy.HEAD: "Only the last layer learns on frozen vectors. Done in moments; a good first look.",
    Strategy.PROMPT: "A few vectors before every prompt learn. Steers what the base can do, and teaches little that is new.",
    Strategy.P_TUNING: "A small network makes the vectors before every prompt. Learns steadier than prompt tuning.",
    Strategy.PREFIX: "Keys and values before every prompt learn, in each layer. Stronger than prompt tuning, and still small.",
}

# What a machine brings to a run besides its spec, and how people call it.
CONDITIONS = {
    "code": "the product's code",
    "python": "Python",
    "packages": "versions of libraries",
    "cpu": "the processor",
    "threads": "threads",
    "device": "the device",
    "precision": "precision",
    "rows": "rows at a time",
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
    """What came of running a run again. differing: files of weights that are not the same. changed: what was not as the first time."""

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
            f"{FAILURES_MAX} trials in a row have failed, so no other is started.",
            "Read on the page of the last one why it failed, and start a sweep without such settings.",
        )
    of = f"{len(states)} of {trials} trials"
    if len(states) >= trials:
        reason = f"{of} have ended."
    elif limit is not None and minutes >= limit:
        reason = f"The time limit of {limit} min was reached after {of}."
    else:
        return None
    if RunState.SUCCEEDED in states:
        return Ending(SweepState.FINISHED, reason)
    return Ending(SweepState.FAILED, f"{reason} None of them left a model.", "Read on their pages why.")


def seconds_left(*, ended: int, trials: int, seconds: float, since_last: float) -> float | None:
    """About how long a sweep still takes, at the pace of the trials that have ended; None before the first.

    seconds: from its begin to the end of the last trial that has ended. since_last: from there to now; no more of it than one trial takes
    is counted, since those behind it have not begun.
    """
    if not ended:
        return None
    pace = seconds / ended
    return pace * (trials - ended) - min(since_last, pace) if trials > ended else 0.0
