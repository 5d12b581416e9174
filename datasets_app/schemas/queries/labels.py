"""The labels of schema versions, by name and by id, and the values of labeled rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol
from uuid import UUID

from django.db.models import Q

from datasets_app.datasets.models import Dataset
from datasets_app.schemas.models.schemas import Label, LabelSchema
from lifecycle.runtime.task_types import values
from lifecycle.runtime.task_types.answers import Value

CHUNK = 500


class LabelRow(Protocol):
    """A labeled row: an annotation, a decision, gold, or a suggestion."""

    @property
    def label(self) -> Label | None:
        """Its label, if an annotation is one label."""

    @property
    def value(self) -> Value | None:
        """The value, if it's anything else."""


def value_of(row: LabelRow) -> Value:
    """The value of a labeled row. Raises ValueError for a skip, which has none."""
    if row.value is None and row.label is None:
        raise ValueError("A skip isn't an annotation.")
    return values.value_of(row.label.stable_id if row.label else None, row.value)


def chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    """Split ids into lists of at most CHUNK."""
    source = iter(ids)
    while some := list(islice(source, CHUNK)):
        yield some


def latest_schema(dataset: Dataset) -> LabelSchema | None:
    """The newest version of a dataset's labels."""
    return dataset.schemas.order_by("-version").first()


def labels_by_name(schema: LabelSchema) -> dict[str, Label]:
    """The labels of a version, in their order."""
    return {label.name: label for label in schema.labels.all()}


def labels_by_id(schema: LabelSchema) -> dict[str, Label]:
    """The labels of a version by stable id, in their order."""
    return {str(label.stable_id): label for label in schema.labels.all()}


def labels_named(schema_id: int, ids: Iterable[str]) -> dict[str, Label]:
    """The labels of a version with one of these ids (its uuid or stable id), by stable id."""
    keys = [key for key in ids if is_uuid(key)]
    rows = Label.objects.filter(Q(uuid__in=keys) | Q(stable_id__in=keys), schema=schema_id) if keys else ()
    return {str(label.stable_id): label for label in rows}


def is_uuid(text: str) -> bool:
    """Whether the text is a UUID."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def names_in(schema: LabelSchema | None) -> dict[str, str]:
    """The names of a version's labels by stable id."""
    return {key: label.name for key, label in labels_by_id(schema).items()} if schema else {}


def names_ever(dataset: Dataset) -> dict[str, str]:
    """The latest names of all labels that a dataset ever had, by stable id."""
    rows = (
        Label.objects.filter(schema__dataset=dataset)
        .order_by("schema__version")
        .values_list("stable_id", "name")
    )
    return {str(key): name for key, name in rows}
