"""What can go wrong in a run, each with a code, a sentence and a next step. Any other exception is a defect
and ends as `crashed`.
"""

from __future__ import annotations

import errno
from dataclasses import asdict, dataclass
from typing import Any

FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_MEMORY_WORDS = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "Cannot allocate memory",
    "bad_alloc",
    "_STATUS_ALLOC_FAILED",
)
NO_SPACE_WORDS = (
    "No space left on device",
    "file write failed",
    "File too large",
    "PytorchStreamWriter failed",
    "unexpected pos",
    "Disk quota exceeded",
)


class EngineFault(Exception):
    """A run cannot continue. `str(self)` is the message for the user; `next_step` is what they can do."""

    def __init__(self, code: str, message: str, next_step: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.next_step = next_step


class Unstable(EngineFault):
    """Training diverged at a step: earlier weights are usable, later ones aren't."""

    def __init__(self, code: str, message: str, step: int) -> None:
        super().__init__(
            code,
            message,
            "Lower both learning rates (a tenth is a good next try) or use fp32 precision, and start a new"
            " run.",
        )
        self.step = step


@dataclass(frozen=True)
class Fault:
    """The `error` of a result.json."""

    code: str
    message: str
    next_step: str

    def to_json(self) -> dict[str, Any]:
        """The three fields as in result.json."""
        return asdict(self)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it means out of memory: Python's, the accelerator's, or the message of torch's CPU
    allocator.
    """
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or any(word in str(error) for word in NO_MEMORY_WORDS)


def describe(error: BaseException) -> Fault:
    """The fault to show for this exception; unknown ones become `crashed`, named by type, with their text."""
    if isinstance(error, EngineFault):
        return Fault(error.code, error.message, error.next_step)
    text = str(error)
    if is_out_of_memory(error):
        return Fault(
            "out_of_memory",
            "The machine ran out of memory for this model and batch size.",
            "Halve the batch size or the max sequence length (max_tokens), or use LoRA or head only instead"
            " of full fine-tuning. Then start again.",
        )
    if (isinstance(error, OSError) and error.errno in FULL_DISK) or any(
        word in text for word in NO_SPACE_WORDS
    ):
        return Fault(
            "disk_full",
            "The disk is full.",
            "Free some disk space, then resume. The run continues from its last complete checkpoint.",
        )
    return Fault(
        "crashed",
        f"The run failed with an unexpected error: {type(error).__name__}: {text[:500].rstrip('.')}.",
        "Resume the run. If it fails at the same step, report this run's log.",
    )
