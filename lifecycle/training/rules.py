"""States of a run, and its strategies. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices

from lifecycle.refusals import Conflict


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a run left. weights: digests of its files of weights, by name. conditions: by the names of CONDITIONS."""

    weights: Mapping[str, str]
    conditions: Mapping[str, Any]


class RunState(TextChoices):
    """A run that ended as succeeded, failed or stopped stays what it is; a stopped or failed one may be resumed from its checkpoint.

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


class Strategy(TextChoices):
    """What learns, in the order in which people are offered it."""

    LORA = "lora", "LoRA"
    FAST_LORA = "fast_lora", "Fast LoRA"
    FULL = "full", "Full fine-tuning"
    IA3 = "ia3", "IA3"
    ADAPTER = "adapter", "Bottleneck adapters"
    HEAD = "head", "Head only"


CONSEQUENCE = {
    Strategy.LORA: "Small adapters learn, the base stays as it is. Nearly as good as full, with little memory.",
    Strategy.FAST_LORA: "LoRA in the upper layers only; the lower ones are run once. Several times as fast, a little less accurate.",
    Strategy.FULL: "Every weight learns. The most capable, the slowest, and it needs the most rows.",
    Strategy.IA3: "Learns to scale what the base computes. The fewest weights after the head; needs more epochs.",
    Strategy.ADAPTER: "A narrow layer behind each layer learns. As good as LoRA; it stays apart in what is served.",
    Strategy.HEAD: "Only the last layer learns on frozen vectors. Done in moments; a good first look.",
}
# What a machine brings to a run besides its spec, and how people call it.
CONDITIONS = {
    "code": "the product's code",
    "python": "Python",
    "packages": "versions of libraries",
    "cpu": "the processor",
    "threads": "threads",
    "precision": "precision",
    "rows": "rows at a time",
}
FINISHED = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.STOPPED})
MOVES = {
    RunState.QUEUED: {RunState.TRAINING, RunState.PAUSING, RunState.STOPPING, RunState.STOPPED, RunState.FAILED},
    RunState.TRAINING: {RunState.PAUSING, RunState.STOPPING, RunState.SUCCEEDED, RunState.FAILED, RunState.STOPPED},
    RunState.PAUSING: {RunState.PAUSED, RunState.STOPPING, RunState.SUCCEEDED, RunState.FAILED},
    RunState.PAUSED: {RunState.QUEUED, RunState.STOPPING},
    RunState.STOPPING: {RunState.STOPPED, RunState.SUCCEEDED, RunState.FAILED},
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


def check_move(old: RunState, new: RunState) -> None:
    """Raises Conflict unless a run may go from one state to the other."""
    if new not in MOVES.get(old, set()):
        raise Conflict(f"This run is {old.label.lower()} and can no longer become {new.label.lower()}.")
