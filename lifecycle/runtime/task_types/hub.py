"""Columns of a dataset on the Hugging Face Hub, with features as `datasets` defines them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.runtime.task_types.exports import Entry, Tally

Feature = Any  # a JSON object, or a list of the object that its entries have
TEXT: Feature = {"dtype": "string", "_type": "Value"}
PLACE: Feature = {"dtype": "int64", "_type": "Value"}


@dataclass(frozen=True, slots=True)
class HubColumns:
    """The columns of a task. features: by name, besides the text; an import reads the label from its column.
    row: their values. text: the text column. note: for the README.
    """

    features: Mapping[str, Feature]
    row: Callable[[Entry, Tally], Mapping[str, Any]]
    text: str = "text"
    note: str = ""


def class_label(names: Sequence[str]) -> Feature:
    """Label numbers with names."""
    return {"names": list(names), "_type": "ClassLabel"}


def sequence(feature: Feature) -> Feature:
    """A list of these."""
    return {"feature": feature, "_type": "Sequence"}


def numbered(names: Sequence[str]) -> dict[str, int]:
    """The number of each name."""
    return {name: number for number, name in enumerate(names)}
