"""What a task contributes to training. All else (strategies, checkpoints, events, rates) is the same for
every task.

read, check, truth   a row's target, whether it can be learned, and all targets in the form that scores read
encode, stack, pad   rows to token ids with what the loss reads of them, and both as tensors of a batch
build, loss          the network that learns, and what it minimises; `frozen` is what it reads where only its
                     head learns
meanings             what each logit represents, by which a head is carried over to other labels
observe, validate    a model's outputs for the validation rows during training, and their scores:
                     `metrics.trained` selects the best
sample               truth and prediction of a few of these rows
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from torch import Tensor, nn

from lifecycle.runtime.engine.batches import Collate, Encoded, EncodedRows, stacked
from lifecycle.runtime.engine.classifier import Classifier, Network, collate, encode
from lifecycle.runtime.engine.embedding import Embedder
from lifecycle.runtime.engine.forward import evaluation_logits, frozen_features
from lifecycle.runtime.engine.layers import Activations
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.engine.strategies import build
from lifecycle.runtime.statistics import metrics
from lifecycle.runtime.statistics.metrics import Countable
from lifecycle.runtime.task_types.measures import Metrics
from lifecycle.runtime.task_types.rows import Rows, Vectors
from lifecycle.runtime.task_types.spans.tagging import Unit

T = TypeVar("T")  # the target of one row


class Learner(ABC, Generic[T]):
    """Rows are N, labels C, in the order of the spec; `labels` is C, or the labels' names.

    metrics: the best step is the best by its `trained`. network: what `build` builds, and an artifact is
    loaded as.
    """

    metrics: ClassVar[Metrics]
    network: ClassVar[type[Any]]

    @abstractmethod
    def read(self, row: Mapping[str, Any], labels: Mapping[str, int]) -> T:
        """The target of one row, by the labels' numbers. Raises ValueError with why it cannot be read."""

    @abstractmethod
    def check(self, targets: Sequence[T], labels: tuple[str, ...]) -> None:
        """Raises EngineFault where nothing could be learned from these training rows."""

    def truth(self, targets: Sequence[T], labels: int) -> Any:
        """The rows' targets, as the scores read them."""
        return tuple(targets)

    def support(self, truth: Any, labels: int) -> list[int]:
        """Rows of each label; none where the task has no labels."""
        return []

    def unit(self, rows: Rows) -> Unit:
        """The unit of a tag where these training rows have spans; of other tasks a piece."""
        return Unit.PIECE

    def note(self, unit: Unit) -> str:
        """The line in a run's events about the unit; empty where nothing is tagged."""
        return ""

    @abstractmethod
    def encode(
        self, tokenizer: Any, rows: Rows, labels: int, max_tokens: int, unit: Unit = Unit.PIECE
    ) -> Encoded:
        """The rows as a model reads them, cut at max_tokens. unit: what has a tag."""

    def outputs(self, labels: int) -> int:
        """How many logits the head gives."""
        return labels

    def meanings(self, labels: Sequence[str]) -> Sequence[str]:
        """A unique name for each logit of the head."""
        return labels

    def stack(self, labels: Sequence[Any]) -> Tensor:
        """The labels of a batch's rows as one tensor, padded where they differ in length."""
        return stacked(labels)

    @staticmethod
    def pad(encoded: Any, pad_id: int, *, token_types: bool) -> dict[str, Tensor]:
        """The token ids of a batch's rows as a model's arguments."""
        return collate(encoded, pad_id, token_types=token_types)

    @abstractmethod
    def loss(self, spec: TrainSpec, labels: Any) -> nn.Module:
        """Of logits and a batch's labels. labels: of the training rows. Its `weight(labels)` is the weight of
        rows in its mean, so that the parts of a batch add up to the batch.
        """

    @abstractmethod
    def build(self, base: Path, spec: TrainSpec, loss: nn.Module) -> Network:
        """The network over the base's folder, with gradients only where the strategy trains. Random parts
        come from torch's seed.
        """

    def frozen(
        self, model: Any, encoded: Encoded, batches: Collate, cache: Path, at_once: int
    ) -> Tensor | Activations:
        """What the head reads of each row, of a frozen encoder; read from the cache file where it is whole.
        Raises NotImplementedError where no strategy trains a head alone.
        """
        raise NotImplementedError

    @abstractmethod
    def observe(self, model: Any, rows: EncodedRows, batches: Collate, at_once: int) -> Any:
        """The model's outputs for all rows in order, without dropout, at_once rows at a time: what `validate`
        reads.
        """

    def vectors(self, base: Path, pooling: str, max_tokens: int, unit: Unit, folder: Path) -> Vectors | None:
        """Features of rows from an untuned base for the task's baselines; None where these read only texts.
        folder: for what does not fit in memory.
        """
        return None

    @abstractmethod
    def sound(self, outputs: Any) -> bool:
        """Whether all outputs of `observe` are finite."""

    @abstractmethod
    def validate(self, outputs: Any, truth: Any) -> dict[str, float]:
        """loss, `metrics.watched` and how many different answers are given, of a model in training."""

    @abstractmethod
    def sample(
        self, outputs: Any, truth: Any, rows: Sequence[int], labels: tuple[str, ...]
    ) -> list[dict[str, Any]]:
        """Of these rows, of what `observe` gave: {"truth", "answer", "confidence"}. truth and answer: a
        label's name or a list of names, equal where the answer is right; of generated texts, None and the
        text. confidence: 0 to 1 before calibration, None where there is none.
        """


class EncoderLearner(Learner[T]):
    """An encoder's vectors, and a linear head on them. Without more, the pooled vector of each text, and the
    rows' truth is also what the loss reads of them.
    """

    network: ClassVar[type[Classifier]] = Classifier

    def ask(self, rows: Rows) -> Sequence[Any]:
        """What the model reads of the rows: texts, or pairs of them."""
        return rows.texts

    def gather(self, logits: Any, rows: Rows) -> Any:
        """The answers to `ask` as they are decoded."""
        return logits

    def encode(
        self, tokenizer: Any, rows: Rows, labels: int, max_tokens: int, unit: Unit = Unit.PIECE
    ) -> Encoded:
        """Texts as token ids, with special tokens."""
        truth = self.truth(rows.targets, labels)
        return Encoded(encode(tokenizer, rows.texts, max_tokens), truth, truth)

    def build(self, base: Path, spec: TrainSpec, loss: nn.Module) -> Classifier:
        """As `strategies.build`."""
        outputs, checkpointing = self.outputs(len(spec.labels)), spec.gradient_checkpointing
        return build(
            base,
            spec.strategy,
            spec.pooling,
            outputs,
            loss,
            checkpointing=checkpointing,
            network=self.network,
        )

    def frozen(
        self, model: Any, encoded: Encoded, batches: Collate, cache: Path, at_once: int
    ) -> Tensor | Activations:
        """Pooled vectors (N, H)."""
        return frozen_features(model, encoded.ids, batches, cache, at_once)

    def vectors(self, base: Path, pooling: str, max_tokens: int, unit: Unit, folder: Path) -> Vectors:
        """As `Embedder.embed`."""
        embedder = Embedder(base, pooling, max_tokens)
        return lambda rows: embedder.embed(rows.texts)

    def observe(self, model: Any, rows: EncodedRows, batches: Collate, at_once: int) -> Any:
        """Logits (N, C)."""
        return evaluation_logits(model, rows, batches, at_once)

    def sound(self, outputs: Any) -> bool:
        """Whether all logits are numbers."""
        return bool(np.isfinite(outputs).all())

    @abstractmethod
    def score(self, outputs: Any, truth: Any) -> Countable:
        """The rows ready for scoring, from the outputs of `observe`."""

    def variety(self, scored: Any) -> dict[str, float]:
        """How many different answers are given, under the name that findings read; empty where no finding
        does.
        """
        return {}

    def validate(self, outputs: Any, truth: Any) -> dict[str, float]:
        """As `score` counts them."""
        scored = self.score(outputs, truth)
        values = metrics.point_estimates(scored)
        return {
            "loss": values[self.metrics.loss],
            **{name: values[name] for name in self.metrics.watched},
        } | self.variety(scored)
