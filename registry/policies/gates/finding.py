"""A gate with its settings, what it found, and the words that all gates use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lifecycle.runtime.task_types.by_key.measures import NAMED
from lifecycle.ui.numbers import NOT_MEASURED, decimals
from registry.policies.gates.evidence import Measure


class Outcome(StrEnum):
    """passed; watch: within the limit, but the interval reaches beyond it; failed: beyond it, or not run."""

    PASSED = "passed"
    WATCH = "watch"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one gate found. evidence: a sentence; value and threshold: as people read them; source: a digest
    of where it comes from.
    """

    gate: str
    title: str
    outcome: Outcome
    blocking: bool
    evidence: str
    value: str = ""
    threshold: str = ""
    source: str = ""

    @property
    def blocks(self) -> bool:
        """Whether it keeps the request from review."""
        return self.blocking and self.outcome is Outcome.FAILED


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate with its settings in one policy."""

    name: str
    settings: Mapping[str, Any]

    def found(self, title: str, outcome: Outcome, evidence: str, **more: str) -> Finding:
        """A finding of this gate."""
        return Finding(self.name, title, outcome, bool(self.settings.get("blocking", True)), evidence, **more)

    def skipped(self, evidence: str) -> Finding:
        """A finding that the gate has nothing to judge."""
        return self.found(self.name.capitalize(), Outcome.PASSED, evidence, value="not applied")


def unreported(metric: str) -> str:
    """Why a gate on a metric without a value fails."""
    return NOT_RUN.format(f"no test-split evaluation reports {NAMED[metric].words}")


NOT_RUN = "Not run: {}."


def with_interval(
    measure: Measure,
    write: Callable[[float, int, Sequence[float]], str] = decimals,
    unlike: Sequence[float] = (),
) -> str:
    """0.927 [0.914, 0.939]; the number alone where there is no interval. unlike: limits, as for
    `decimals`.
    """
    if measure.low is None or measure.high is None:
        return f"{write(measure.value, 3, unlike)}, interval {NOT_MEASURED.lower()}"
    return (
        f"{write(measure.value, 3, unlike)} [{write(measure.low, 3, unlike)},"
        f" {write(measure.high, 3, unlike)}]"
    )
