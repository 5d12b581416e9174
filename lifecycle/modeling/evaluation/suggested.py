"""Matching a model's labels with the current schema. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

ROWS = 1_000  # pre-labels per transaction


@dataclass(frozen=True, slots=True)
class Match:
    """How a model's labels match the newest schema. names: the model's labels → current labels.

    unknown: labels of the model that no longer exist. never: labels that the model doesn't have.
    """

    names: Mapping[str, str]
    unknown: tuple[str, ...] = ()
    never: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether the model can pre-label anything here: it shares a label, or has none at all."""
        return bool(self.names) or not self.unknown


def match(
    labels: Sequence[str], ids: Mapping[str, UUID], classes: Mapping[UUID, str], merged: Mapping[UUID, UUID]
) -> Match:
    """Match each label of a model: by its stable id if known, through merges; else by its name.

    ids: the stable ids of the model's labels by name; empty for a model of another dataset. classes: current
    names by stable id. merged: each merged label → its target.
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
        names,
        tuple(label for label in labels if label not in names),
        tuple(name for name in classes.values() if name not in reached),
    )
