"""What the recipes share that give one vector of logits a text: the pooled vector of an encoder, and a linear head on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from lifecycle.engine.batches import Collate, Encoded, EncodedRows, stacked
from lifecycle.engine.classifier import Classifier, collate, encode
from lifecycle.engine.embedding import Embedder
from lifecycle.engine.forward import evaluation_logits, frozen_features
from lifecycle.engine.layers import Activations
from lifecycle.engine.spec import TrainSpec
from lifecycle.engine.strategies import build
from lifecycle.task_types.measures import Metrics
from lifecycle.task_types.rows import Rows, Vectors
from lifecycle.task_types.spans.tagging import Unit


class OfTexts:
    """Rows are N, labels C. The rows' truth is also what the loss reads of them."""

    metrics: Metrics
    served_by: str = "onnx"
    network: type[Classifier] = Classifier
    gated: bool = True

    def truth(self, targets: Sequence[Any], classes: int) -> Any:
        """What the rows say, as one array."""
        raise NotImplementedError

    def unit(self, rows: Rows) -> Unit:
        """Nothing is marked."""
        return Unit.PIECE

    def encode(self, tokenizer: Any, rows: Rows, classes: int, max_tokens: int, unit: Unit = Unit.PIECE) -> Encoded:
        """Texts as token ids, with special tokens, cut at max_tokens."""
        truth = self.truth(rows.targets, classes)
        return Encoded(encode(tokenizer, rows.texts, max_tokens), truth, truth)

    def ask(self, rows: Rows) -> Sequence[Any]:
        """The texts."""
        return rows.texts

    def gather(self, logits: Any, rows: Rows) -> Any:
        """As they are."""
        return logits

    def outputs(self, classes: int) -> int:
        """One for each label."""
        return classes

    def meanings(self, labels: Sequence[str]) -> Sequence[str]:
        """The labels."""
        return labels

    def stack(self, labels: Sequence[Any]) -> Tensor:
        """Of one shape."""
        return stacked(labels)

    @staticmethod
    def pad(encoded: Any, pad_id: int, *, token_types: bool) -> dict[str, Tensor]:
        """As collate."""
        return collate(encoded, pad_id, token_types=token_types)

    def build(self, base: Path, spec: TrainSpec, loss: nn.Module) -> Classifier:
        """As `strategies.build`."""
        outputs, checkpointing = self.outputs(len(spec.labels)), spec.gradient_checkpointing
        return build(base, spec.strategy, spec.pooling, outputs, loss, checkpointing=checkpointing, network=self.network)

    def frozen(self, model: Any, encoded: Encoded, batches: Collate, cache: Path, at_once: int) -> Tensor | Activations:
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
