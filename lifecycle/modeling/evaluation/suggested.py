"""What a model suggests for texts that wait for people: how its labels fit the classes of now. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

ROWS = 1_000  # suggestions in one transaction


@dataclass(frozen=True, slots=True)
class Match:
    """How a model's labels fit the classes of a dataset's newest version. names: of the model's labels → of the classes.

    unknown: labels of the model that are no class any more. never: classes that the model does not know.
    """

    names: Mapping[str, str]
    unknown: tuple[str, ...] = ()
    never: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether the model can suggest anything here: it knows a class, or gives none at all."""
        return bool(self.names) or not self.unknown


def match(labels: Sequence[str], ids: Mapping[str, UUID], classes: Mapping[UUID, str], merged: Mapping[UUID, UUID]) -> Match:
    """Find each label of a model among the classes: by its stable id where that is known, through merges; else by its name.

    ids: the stable ids of the labels that the model learned, by name; empty for a model of another dataset. classes: names of the newest
    version by stable id. merged: each merged class → where it leads.
    """
    present = set(classes.values())
    names: dict[str, str] = {}
    for label in labels:
        by_name = label if label in present else None
        found = classes.get(merged.get(ids[label], ids[label])) if label in ids else by_name
        if found is not None:
            names[label] = found
    reached = set(names.values())
    return Match(
        names, tuple(label for label in labels if label not in names), tuple(name for name in classes.values() if name not in reached)
    )
