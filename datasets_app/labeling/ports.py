"""What upper rooms bring to labeling: sources of suggestions. Filled in AppConfig.ready() above."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets_app.datasets.models import Dataset
    from registry.access.models import User


@dataclass(frozen=True, slots=True)
class Suggester:
    """A way to have labels suggested, offered on the page of a queue.

    name: "training.run"; label: "From a run". url: the form above where it is started, empty where this person cannot. What it finds is
    written through `labeling.actions.suggest`.
    """

    name: str
    label: str
    url: Callable[[User, Dataset], str]


_suggesters: dict[str, Suggester] = {}


def register_suggester(suggester: Suggester) -> None:
    """Offer a source; registering the same name again replaces it."""
    _suggesters[suggester.name] = suggester


def suggesters() -> list[Suggester]:
    """All sources, by label."""
    return sorted(_suggesters.values(), key=lambda suggester: suggester.label)
