"""Extension points for upper rooms, filled in their AppConfig.ready(): callbacks after a success, and
reference values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lifecycle.ui.marks import Step

if TYPE_CHECKING:
    from lifecycle.modeling.training.models import Run


@dataclass(frozen=True, slots=True)
class Reference:
    """What a run's validation values are read against. name: as used in a sentence, such as "3.2.0" or
    "TF-IDF".
    """

    name: str
    values: Mapping[str, float]


Later = Callable[["Run"], list[Step]]
After = Callable[["Run"], None]
Refer = Callable[["Run"], Reference | None]
_after: dict[str, After] = {}
_later: dict[str, Later] = {}
_references: dict[str, tuple[int, Refer]] = {}


def after_success(name: str, call: After) -> None:
    """Call `call(run)` in the transaction in which a run succeeds. The same name again replaces it."""
    _after[name] = call


def succeeded(run: Run) -> None:
    """Notify every registered room."""
    for call in _after.values():
        call(run)


def add_reference(name: str, call: Refer, *, order: int) -> None:
    """Register a reference for a run's values; the one with the lowest order is shown. The same name again
    replaces it.
    """
    _references[name] = (order, call)


def reference(run: Run) -> Reference | None:
    """The reference of this run: a live version, a baseline, or None."""
    answers = (call(run) for _, call in sorted(_references.values(), key=lambda pair: pair[0]))
    return next((answer for answer in answers if answer is not None), None)


def add_steps(name: str, call: Later) -> None:
    """Register steps after the run: version, promotion, deployment. The same name again replaces it."""
    _later[name] = call


def later_steps(run: Run) -> list[Step]:
    """What rooms above made of this run, in the order of the thread; empty if there is nothing."""
    return [step for call in _later.values() for step in call(run)]
