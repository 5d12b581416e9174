"""What a task contributes to answering: how a run's artifact is written, measured, explained, perturbed, and
built upon.

finish               from trained weights to the artifact that serves, measured as it will serve
open                 the artifact, ready to answer; what follows is given it
ask, predicted, beside   an evaluation: what a model gives, the same as it is measured and kept, and what the
                         report has beside its measures
losses, remembered   losses of rows under it, and its scores on earlier rows
reads … compare      robustness: how rows are disturbed, answered, and compared with the answers to the
                     undisturbed rows
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.events import EventWriter
from lifecycle.runtime.engine.perturb import disturb
from lifecycle.runtime.engine.prepared import Prepared
from lifecycle.runtime.engine.spec import EvaluateSpec, TrainSpec
from lifecycle.runtime.statistics.metrics import Countable, Floats
from lifecycle.runtime.task_types.rows import Rows

Cancelled = Callable[[], bool]
A = TypeVar("A")  # an artifact that is open
S = TypeVar("S")  # what it gives to rows that are asked
P = TypeVar("P")  # the task's predictions


@dataclass(frozen=True)
class Trained:
    """A run after training. trainer: an EngineTrainer, with the best weights in its model."""

    spec: TrainSpec
    folder: Path
    prepared: Prepared
    trainer: Any
    events: EventWriter


class Finished(NamedTuple):
    """Scores of validation by name, the artifact's description, and by graph what answering these rows took:
    rows, seconds, cpu_seconds.
    """

    values: dict[str, float]
    info: ArtifactInfo
    paces: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Evaluation:
    """An artifact that is measured on rows. learn: in the place of `baselines.learn`."""

    folder: Path
    spec: EvaluateSpec
    info: ArtifactInfo
    rows: Rows
    events: EventWriter
    cancelled: Cancelled
    learn: Callable[..., Any] | None = None

    @property
    def base(self) -> Path | None:
        """The folder of its base, where one is given."""
        return self.folder / self.spec.base.path if self.spec.base else None


@dataclass(frozen=True)
class ChangedRow:
    """One row's answers in words, as `flips` has them, and how sure they are."""

    label: str
    clean: str
    clean_confidence: float | None
    predicted: str
    confidence: float | None


@dataclass(frozen=True)
class Sides:
    """N rows before and after they were disturbed. before, after: ready for scoring; own: (2, N), each row's
    own score, 0 to 1, on both sides; changed: (N,), whether the answer is another; changes: the changed rows,
    in order. lost: how many spans are not scored because they were cut off, and in how many rows; None where
    there are no spans.
    """

    before: Countable
    after: Countable
    own: Floats
    changed: NDArray[np.bool_]
    changes: Sequence[ChangedRow]
    lost: tuple[int, int] | None = None


class Answerer(ABC, Generic[A, S, P]):
    """probed: scores that a robustness test reports, the leading one first. at_once: rows predicted between
    two checks for cancellation; lost_at_once: the same where losses are measured.
    """

    probed: ClassVar[tuple[str, ...]]
    at_once: ClassVar[int] = 256
    lost_at_once: ClassVar[int] = 256

    @abstractmethod
    def finish(self, run: Trained) -> Finished:
        """Write the artifact, fit what turns its logits into answers, and measure it on validation."""

    @abstractmethod
    def merge(self, artifact: Path, base: Path | None, info: ArtifactInfo, target: Path) -> None:
        """Write the merged weights and the tokenizer as a base that another run can start from."""

    @abstractmethod
    def open(
        self, artifact: Path, base: Path | None, *, threads: int, batch_size: int, cancelled: Cancelled
    ) -> A:
        """Raises EngineFault `base_missing` where it needs a base that is not given, or is another."""

    @abstractmethod
    def ask(self, opened: A, asked: Evaluation) -> S:
        """What the model gives to the rows, and, where the report needs them, the models that it is compared
        with.
        """

    @abstractmethod
    def predicted(self, given: S, asked: Evaluation) -> P:
        """The same as the task's measures and its file take it."""

    @abstractmethod
    def beside(self, opened: A, given: S, predicted: P, asked: Evaluation) -> dict[str, Any]:
        """What the report has beside its measures: baselines, where they are asked for, and what only this
        task reports.
        """

    @abstractmethod
    def losses(self, opened: A, rows: Rows) -> Floats:
        """The loss of each row (N,), in nats; NaN where it has none."""

    @abstractmethod
    def remembered(self, run: Trained, rows: Rows, labels: tuple[str, ...]) -> tuple[Countable, Countable]:
        """The run's base and its artifact on rows of these labels that the base was measured on, ready for
        scoring.
        """

    def reads(self, rows: Rows) -> Sequence[Any]:
        """What the model reads of each row: where that is equal, so is the answer."""
        return rows.texts

    @abstractmethod
    def answer(self, opened: A, rows: Rows) -> list[Any]:
        """The answers to rows, also to disturbed ones."""

    def disturb(self, probe: str, rows: Rows, seed: int) -> Rows:
        """The rows under one of perturb.PROBES, each by its id. By default only the texts: the truth
        stays.
        """
        texts = (
            disturb(probe, text, seed=seed, name=name).text
            for name, text in zip(rows.ids, rows.texts, strict=True)
        )
        return replace(rows, texts=tuple(texts))

    @abstractmethod
    def score(self, info: ArtifactInfo, rows: Rows, answers: Sequence[Any]) -> Countable:
        """Answers to the undisturbed rows, ready for scoring."""

    @abstractmethod
    def compare(
        self, info: ArtifactInfo, rows: Rows, clean: Sequence[Any], disturbed: Rows, answers: Sequence[Any]
    ) -> Sides:
        """Answers to disturbed rows beside those to the undisturbed rows."""
