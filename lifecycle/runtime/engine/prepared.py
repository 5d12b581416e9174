"""The data of a run before training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lifecycle.runtime.engine.base import BaseFolder
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.task_types.rows import Rows
from lifecycle.runtime.task_types.spans.tagging import Unit


@dataclass(frozen=True)
class Prepared:
    """Everything a run needs before its first step. rehearsed: training rows that the base learned from
    before; they are the last. device: what it trains on. unit: what has a tag of its own, where parts of rows
    are marked.
    """

    base: BaseFolder
    tokenizer: Any
    train: Rows
    validation: Rows
    precision: str
    rehearsed: int = 0
    device: str = "cpu"
    unit: Unit = Unit.PIECE

    def limit(self, spec: TrainSpec) -> int:
        """Tokens of a text that are read: as many as are asked for and as the base can."""
        return min(spec.max_tokens, self.base.max_tokens or spec.max_tokens)
