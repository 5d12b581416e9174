"""What upper rooms bring into this one, filled in their AppConfig.ready(): further models that can suggest labels."""

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
    """A model that could suggest labels. name: as the bench shows it. run: the one that trained it. digest: root digest of its files."""

    kind: str
    uuid: UUID
    name: str
    run: Run
    digest: str
    url: str


class Shelf(Protocol):
    """One kind of models. label: of the kind, in the plural."""

    label: str

    def models(self, user: Person, project: Project) -> Sequence[Model]:
        """The newest models of a project that the user may see and that can answer; at most 30."""

    def get(self, uuid: UUID, user: Person | None = None) -> Model:
        """One of them. user: who asks; None is the system itself. Raises Refused where it is not there for them or cannot answer."""

    def folder(self, model: Model) -> Path:
        """Its files on this machine, whole. Raises Refused."""


_shelves: dict[str, tuple[int, Shelf]] = {}


def add_shelf(kind: str, shelf: Shelf, *, order: int) -> None:
    """Offer one more kind of models. The same kind again replaces it."""
    _shelves[kind] = (order, shelf)


def shelves() -> dict[str, Shelf]:
    """All kinds, in their order."""
    return {kind: shelf for kind, (_, shelf) in sorted(_shelves.items(), key=lambda pair: pair[1][0])}
