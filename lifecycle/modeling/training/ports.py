"""What upper rooms bring into this one, filled in their AppConfig.ready(): what follows a success, and what values are read against."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from lifecycle.modeling.training.rules import Workers
from lifecycle.ui.marks import Step

if TYPE_CHECKING:
    from lifecycle.modeling.training.models import Run


@dataclass(frozen=True, slots=True)
class Reference:
    """What a run's validation values are read against. name: as it stands in a sentence, such as "3.2.0" or "TF-IDF"."""

    name: str
    values: Mapping[str, float]


Earlier = Callable[[Collection[UUID]], Workers]
Later = Callable[["Run"], list[Step]]
After = Callable[["Run"], None]
Refer = Callable[["Run"], Reference | None]
_after: dict[str, After] = {}
_earlier: dict[str, Earlier] = {}
_later: dict[str, Later] = {}
_references: dict[str, tuple[int, Refer]] = {}


def after_success(name: str, call: After) -> None:
    """Have `call(run)` run in the transaction in which a run succeeds. The same name again replaces it."""
    _after[name] = call


def succeeded(run: Run) -> None:
    """Tell every room that asked to know."""
    for call in _after.values():
        call(run)


def add_workers(name: str, call: Earlier) -> None:
    """Have `call(runs)` say who worked on these runs, by uuid: of those whose launch was recorded before its event named who is behind
    them. The same name again replaces it."""
    _earlier[name] = call


def earlier_workers(runs: Collection[UUID]) -> list[Workers]:
    """What rooms above say of runs from before."""
    return [call(runs) for call in _earlier.values()] if runs else []


def add_reference(name: str, call: Refer, *, order: int) -> None:
    """Offer something to read a run's values against; the lowest order that answers is shown. The same name again replaces it."""
    _references[name] = (order, call)


def reference(run: Run) -> Reference | None:
    """What this run is read against: a live version, a baseline, or nothing."""
    answers = (call(run) for _, call in sorted(_references.values(), key=lambda pair: pair[0]))
    return next((answer for answer in answers if answer is not None), None)


def add_steps(name: str, call: Later) -> None:
    """Continue the thread of a run beyond the run: version, promotion, deployment. The same name again replaces it."""
    _later[name] = call


def later_steps(run: Run) -> list[Step]:
    """What rooms above made of this run, in the order of the thread; empty where none of them says anything."""
    return [step for call in _later.values() for step in call(run)]
