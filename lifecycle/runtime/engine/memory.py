"""How a run continues after running out of memory: batches are processed in smaller parts, and every step
stays the same.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lifecycle.runtime.engine import checkpoint
from lifecycle.runtime.engine.diagnosis import Diagnosis
from lifecycle.runtime.engine.events import write_json
from lifecycle.runtime.engine.faults import EngineFault

FILE = "batch.json"
EVALUATION_BATCH = 64
# Attention memory grows with rows × tokens²: at most so much at a time where all of it is in host memory.
# Training keeps it, and more, of every layer for the backward pass.
SQUARES = 64 * 128**2
TRAINED_SQUARES = 32 * 128**2


@dataclass(frozen=True)
class Parts:
    """How a batch passes through the model. batch: its rows, from which one gradient is made. rows: how many
    of them at a time. step: the training step from which this applies.
    """

    batch: int
    rows: int
    step: int = 0

    @property
    def count(self) -> int:
        """The number of parts of a whole batch."""
        return math.ceil(self.batch / self.rows)

    @property
    def evaluation(self) -> int:
        """Rows at a time in evaluation, reduced as in training."""
        return max(1, EVALUATION_BATCH // self.count)

    def halved(self) -> Parts:
        """Half the rows at a time. Raises EngineFault `out_of_memory` where there is but one."""
        if self.rows == 1:
            raise EngineFault(
                "out_of_memory",
                "The machine ran out of memory for this model, even with one row at a time.",
                "Lower the max sequence length (max_tokens), use LoRA or head only instead of full"
                " fine-tuning, turn on gradient checkpointing, or use a machine with more memory.",
            )
        return replace(self, rows=math.ceil(self.rows / 2))

    def finding(self) -> Diagnosis:
        """The diagnosis of a run that continues with smaller parts of each batch."""
        return Diagnosis(
            "out_of_memory",
            "watch",
            f"Out of memory: each batch of {self.batch} is now processed {self.rows} rows at a time.",
            f"The run resumed from step {self.step}. Every step still uses the same {self.batch} rows; only"
            " the dropout masks differ, and steps take slightly longer.",
            self.step,
            self.step,
            f"Next time, set the batch size to {self.rows} and multiply gradient accumulation by"
            f" {self.count}, or lower the max sequence length (max_tokens).",
        )


def rows_within(tokens: int, rows: int, squares: int | None) -> int:
    """How many rows of so many tokens pass at a time: `rows`, fewer where they are long. squares: of tokens,
    None for no bound.
    """
    return rows if squares is None else max(1, min(rows, squares // max(tokens, 1) ** 2))


def kept(folder: Path, batch: int) -> Parts:
    """The parts that a run continued with, which every later start takes up; whole batches where memory never
    ran out.
    """
    path = folder / FILE
    return Parts(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else Parts(batch, batch)


def keep_half(folder: Path, batch: int) -> Parts:
    """Have every later start of this run pass half as many rows at a time. Raises EngineFault `out_of_memory`
    where there is but one.
    """
    point = checkpoint.newest(folder / "checkpoints")
    parts = replace(kept(folder, batch).halved(), step=checkpoint.step_of(point) if point else 0)
    write_json(folder / FILE, asdict(parts))
    return parts
