"""What a verification finds: named rules that do not hold, each with where and what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """What must hold of the audit log. The name is in front of each fault; docs/runbooks/audit-fault.md
    explains them.
    """

    EVENT_MISSING = "event-missing"
    EVENT_ALTERED = "event-altered"
    EVENT_OUT_OF_ORDER = "event-out-of-order"
    EVENT_OF_UNKNOWN_FORM = "event-of-unknown-form"
    COLUMNS_DIFFER = "columns-differ"
    HEAD_DIFFERS = "head-differs"
    TAIL_CUT = "tail-cut"
    TAIL_UNSIGNED = "tail-unsigned"
    CHAIN_REPLACED = "chain-replaced"
    WRONG_CHAIN = "wrong-chain"
    DATED_BACK = "dated-back"
    ROW_UNREADABLE = "row-unreadable"
    CHECKPOINT_UNREADABLE = "checkpoint-unreadable"
    CHECKPOINT_ALTERED = "checkpoint-altered"
    CHECKPOINTS_CONTRADICT = "checkpoints-contradict"
    CHECKPOINT_NOT_ON_DISK = "checkpoint-not-on-disk"
    CHECKPOINT_NOT_IN_DATABASE = "checkpoint-not-in-database"
    NAME_ALTERED = "name-altered"
    NOT_IN_TRAIL = "not-in-trail"
    NOT_IN_DATABASE = "not-in-database"


def counted(number: int, noun: str) -> str:
    """1 fault, 1,200 faults."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@dataclass(frozen=True)
class Fault:
    """One thing that does not hold. where: chain and event, file and line, or row. detail: a sentence."""

    rule: Rule
    where: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule} at {self.where}: {self.detail}"


@dataclass(frozen=True)
class Part:
    """A part of the audit log that was walked to its end. count: how many of its `what`. faults: how many
    were found in it.
    """

    name: str
    count: int
    what: str
    faults: int

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.count:,} {self.what},"
            f" {counted(self.faults, 'fault') if self.faults else 'whole'}."
        )
