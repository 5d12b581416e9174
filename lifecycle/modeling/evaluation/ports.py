"""Extension points for upper rooms, filled in their AppConfig.ready(): further models for pre-labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from lifecycle.modeling.training.models import Run
    from registry.ground.access.models import Project
    from registry.ground.access.policy import Person


@dataclass(frozen=True, slots=True)
class Model:
    """A model for pre-labels. name: as shown on the bench. run: that trained it. digest: root digest of its
    files.
    """

    kind: str
    uuid: UUID
    name: str
    run: Run
    digest: str
    url: str


class Shelf(Protocol):
    """One kind of models. label: of the kind, plural."""

    label: str

    def models(self, user: Person, project: Project) -> Sequence[Model]:
        """The newest usable models of a project that the user may see; at most 30."""

    def get(self, uuid: UUID, user: Person | None = None) -> Model:
        """One of them. user: the requester; None is the system itself. Raises Refused if it isn't visible or
        usable.
        """

    def folder(self, model: Model) -> Path:
        """Its complete files on this machine. Raises Refused."""


_shelves: dict[str, tuple[int, Shelf]] = {}


def add_shelf(kind: str, shelf: Shelf, *, order: int) -> None:
    """Register another kind of models. The same kind again replaces it."""
    _shelves[kind] = (order, shelf)


def shelves() -> dict[str, Shelf]:
    """All kinds, in order."""
    return {kind: shelf for kind, (_, shelf) in sorted(_shelves.items(), key=lambda pair: pair[1][0])}
