"""The time, memory, and disk that a run needs, from ten measured steps. No torch.

The ten steps are an ordinary run of the same spec on a sample of the rows: `shorten` makes its spec, the verb
`profile` measures it, and `estimate` scales what was measured to the whole run. What grows with rows grows in
proportion; loading and exporting stay as they were.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from lifecycle.runtime.engine import checkpoint
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.task_types.by_key.types import type_of

STEPS = 10
BETWEEN = 2  # steps from one evaluation to the next, so that each pace is measured several times
# validation rows that are answered, whose time is measured, and on which the int8 graph is compared
CHECKED = 100


@dataclass(frozen=True)
class Rows:
    """Rows of each split that a run reads."""

    train: int
    validation: int

    @property
    def prepared(self) -> int:
        """Rows that are read and encoded before the first step."""
        return self.train + self.validation


@dataclass(frozen=True)
class Profile:
    """What was measured. Seconds of one step (with the quickest and the slowest of five paces), one
    evaluation and one checkpoint; of preparing, of what is computed once of each row (0 where nothing is) and
    of the artifact; cores that were busy while it trained.

    bytes: of the checkpoints that are kept, the best weights, what is cached of the rows, and the artifact.
    batch_rows: how many rows passed at a time, fewer than the batch where memory ran out. sampling_seconds:
    of an evaluation those that do not grow with its rows, in which the same few rows are answered however
    many there are; 0 where none are written.
    """

    rows: Rows
    steps: int
    step_seconds: float
    quickest: float
    slowest: float
    evaluation_seconds: float
    checkpoint_seconds: float
    prepare_seconds: float
    once_seconds: float
    artifact_seconds: float
    cores: float
    peak_memory_mb: float
    checkpoint_bytes: int
    best_bytes: int
    cache_bytes: int
    artifact_bytes: int
    batch_rows: int
    sampling_seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """A plain object that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Profile:
        """Parse the output of `to_json`; other fields of a result are ignored."""
        known = {name: document[name] for name in cls.__dataclass_fields__ if name in document}
        return cls(**known | {"rows": Rows(document["rows"]["train"], document["rows"]["validation"])})


@dataclass(frozen=True)
class Estimate:
    """What the whole run takes at most: with patience it may end before. shortest and longest: its seconds at
    the quickest and the slowest pace that was measured. disk_bytes: of its folder at its fullest.
    """

    steps: int
    evaluations: int
    step_seconds: float
    prepare_seconds: float
    train_seconds: float
    evaluation_seconds: float
    artifact_seconds: float
    seconds: float
    shortest: float
    longest: float
    cpu_seconds: float
    peak_memory_mb: float
    disk_bytes: int
    artifact_bytes: int

    def to_json(self) -> dict[str, Any]:
        """A plain object."""
        return asdict(self)


def sample_rows(spec: TrainSpec, rows: int) -> int:
    """Training rows of ten steps, or as many as there are."""
    return min(rows, STEPS * spec.batch_size * spec.accumulation)


def shorten(spec: TrainSpec, rows: int) -> TrainSpec:
    """The spec of ten steps on so many training rows, evaluated after every second."""
    steps = spec.steps_of_epoch(rows)
    return replace(
        spec,
        epochs=math.ceil(STEPS / steps),
        evaluations_per_epoch=max(1, math.ceil(steps / BETWEEN)),
        patience=0,
    )


def artifact_rows(measured: Rows, rows: Rows, spec: TrainSpec) -> int:
    """How many rows more pass through the artifact of the whole run than passed through that of ten steps."""
    more = rows.validation - measured.validation
    if type_of(spec.task).writes_text:  # a decoder has no graph
        return more
    return 2 * more  # by the graph in fp32 and in int8, which the gate compares


def estimate(found: Profile, spec: TrainSpec, rows: Rows) -> Estimate:
    """The whole run of `spec` on `rows`, from ten steps of it."""
    steps = spec.steps_of_epoch(rows.train) * spec.epochs
    every = max(1, math.ceil(spec.steps_of_epoch(rows.train) / spec.evaluations_per_epoch))
    evaluations = math.ceil(steps / every)
    row_seconds = max(0.0, found.evaluation_seconds - found.sampling_seconds) / found.rows.validation
    prepare = found.prepare_seconds + found.once_seconds / found.rows.prepared * (
        rows.prepared - found.rows.prepared
    )
    evaluating = evaluations * (row_seconds * rows.validation + found.sampling_seconds)
    artifact = found.artifact_seconds + row_seconds * artifact_rows(found.rows, rows, spec)

    def training(step_seconds: float) -> float:
        stepping = steps * step_seconds
        return (
            stepping + max(evaluations, math.ceil(stepping / checkpoint.SECONDS)) * found.checkpoint_seconds
        )

    totals = [
        prepare + training(each) + evaluating + artifact
        for each in (found.step_seconds, found.quickest, found.slowest)
    ]
    cache = int(found.cache_bytes * rows.prepared / found.rows.prepared)
    return Estimate(
        steps=steps,
        evaluations=evaluations,
        step_seconds=found.step_seconds,
        prepare_seconds=prepare,
        train_seconds=training(found.step_seconds),
        evaluation_seconds=evaluating,
        artifact_seconds=artifact,
        seconds=totals[0],
        shortest=totals[1],
        longest=totals[2],
        cpu_seconds=totals[0] * found.cores,
        peak_memory_mb=found.peak_memory_mb + (cache - found.cache_bytes) / 2**20,
        disk_bytes=found.checkpoint_bytes + found.best_bytes + cache + found.artifact_bytes,
        artifact_bytes=found.artifact_bytes,
    )
