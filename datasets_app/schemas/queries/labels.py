"""The versions of a dataset's labels, by name and by id, and what a row says in them."""

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


class Says(Protocol):
    """A row that says something of an item: an annotation, a decision, gold, or a suggestion."""

    @property
    def label(self) -> Label | None:
        """Its label, where an annotation is one label."""

    @property
    def value(self) -> Value | None:
        """The whole value, where it is anything else."""


def value_of(row: Says) -> Value:
    """What a row says. Raises ValueError for a skip, which says nothing."""
    if row.value is None and row.label is None:
        raise ValueError("A skip isn't an annotation.")
    return values.value_of(row.label.stable_id if row.label else None, row.value)


def chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    """Lists short enough for one statement."""
    source = iter(ids)
    while some := list(islice(source, CHUNK)):
        yield some


def latest_schema(dataset: Dataset) -> LabelSchema | None:
    """The newest version of a dataset's labels."""
    return dataset.schemas.order_by("-version").first()


def labels_by_name(schema: LabelSchema) -> dict[str, Label]:
    """The classes of a version, in their order."""
    return {label.name: label for label in schema.labels.all()}


def labels_by_id(schema: LabelSchema) -> dict[str, Label]:
    """The classes of a version by their stable ids, in their order."""
    return {str(label.stable_id): label for label in schema.labels.all()}


def labels_named(schema_id: int, asked: Iterable[str]) -> dict[str, Label]:
    """Those classes of a version that these texts name, by their uuid there or their stable id; by stable id."""
    keys = [key for key in asked if is_uuid(key)]
    rows = Label.objects.filter(Q(uuid__in=keys) | Q(stable_id__in=keys), schema=schema_id) if keys else ()
    return {str(label.stable_id): label for label in rows}


def is_uuid(text: str) -> bool:
    """Whether the text is one."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def names_in(schema: LabelSchema | None) -> dict[str, str]:
    """The names of a version's classes by their stable ids."""
    return {key: label.name for key, label in labels_by_id(schema).items()} if schema else {}


def names_ever(dataset: Dataset) -> dict[str, str]:
    """The names of all classes that a dataset ever had, by their stable ids, each as it was called last."""
    rows = Label.objects.filter(schema__dataset=dataset).order_by("schema__version").values_list("stable_id", "name")
    return {str(key): name for key, name in rows}
