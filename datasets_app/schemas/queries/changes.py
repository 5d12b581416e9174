"""What labels became in later versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet, TextField
from django.db.models.functions import Cast

from datasets_app.datasets.models import Dataset
from datasets_app.schemas.models.schemas import Label, LabelChange, LabelSchema
from datasets_app.schemas.queries.labels import is_uuid, labels_by_id
from datasets_app.schemas.relabeling import ChangeKind, follow
from datasets_app.schemas.rules import ClassesNow
from lifecycle.runtime.task_types.answers import DROPPED, Labels, Value
from lifecycle.runtime.task_types.values import named_in

READ = (ChangeKind.MERGE, ChangeKind.RETIRE)  # through which values are read


def merges_of(dataset_id: int) -> dict[UUID, UUID]:
    """Each merged class of a dataset with the class that it went into: stable ids."""
    rows = LabelChange.objects.filter(schema__dataset=dataset_id, kind=ChangeKind.MERGE).values_list("source", "targets")
    return {source: UUID(targets[0]) for source, targets in rows}


def classes_now(dataset_id: int) -> ClassesNow:
    """What became of the classes of a dataset, as values name them."""
    return became(LabelChange.objects.filter(schema__dataset=dataset_id))


def classes_since(asked: Iterable[str]) -> ClassesNow:
    """The same for the dataset of which these classes are, where one of them was merged or retired."""
    changed = LabelChange.objects.filter(source__in=set(asked), kind__in=READ)
    return became(LabelChange.objects.filter(schema__dataset__in=changed.values("schema__dataset")))


def became(changes: QuerySet[LabelChange]) -> ClassesNow:
    """What these changes, all of one dataset, did to classes."""
    rows = list(changes.filter(kind__in=READ).values_list("kind", "source", "targets"))
    merges = {source: UUID(targets[0]) for kind, source, targets in rows if kind == ChangeKind.MERGE}
    retired = frozenset(str(source) for kind, source, _ in rows if kind == ChangeKind.RETIRE)
    return ClassesNow({str(source): str(follow(source, merges)) for source in merges}, retired)


def present_labels(labels: Iterable[Label]) -> dict[UUID, Label]:
    """What each of these classes is called since it was merged, by stable id, as its newest version writes it; the others are left out."""
    asked = {label.stable_id for label in labels}
    schemas = LabelChange.objects.filter(source__in=asked, kind=ChangeKind.MERGE).values("schema__dataset")
    rows = LabelChange.objects.filter(schema__dataset__in=schemas, kind=ChangeKind.MERGE).values_list("source", "targets")
    merges = {source: UUID(targets[0]) for source, targets in rows}
    ends = {source: follow(source, merges) for source in asked if source in merges}
    newest = newest_labels(ends.values())
    return {source: newest[end] for source, end in ends.items()}


def newest_labels(stable_ids: Iterable[UUID]) -> dict[UUID, Label]:
    """The newest row of each of these classes."""
    wanted = set(stable_ids)
    if not wanted:
        return {}
    return {label.stable_id: label for label in Label.objects.filter(stable_id__in=wanted).order_by("schema__version", "id")}


def labels_now(schema: LabelSchema) -> dict[str, Label]:
    """The labels of a version by stable id, and those into which any of them was merged since."""
    labels = labels_by_id(schema)
    return labels | {str(label.stable_id): label for label in present_labels(labels.values()).values()}


def accepted_labels(dataset_id: int, value: Value, labels: Mapping[str, Label]) -> Labels:
    """The ways a value may refer to these labels: name, uuid, stable id, and what older versions call them, also where they
    were merged. labels: by stable id. A name that looks like an id isn't accepted: it could be another label's.
    """
    known = {str(key): stable for stable, label in labels.items() for key in (label.uuid, stable)}
    known |= {label.name: stable for stable, label in labels.items() if not is_uuid(label.name)}
    if unknown := named_in(value) - known.keys():
        uuids = [key for key in unknown if is_uuid(key)]
        older = list(Label.objects.filter(schema__dataset=dataset_id, uuid__in=uuids)) if uuids else []
        present = present_labels(older) if older else {}
        now = {**classes_now(dataset_id).merged, **{str(each.uuid): str(present.get(each.stable_id, each).stable_id) for each in older}}
        known |= {key: now[key] for key in unknown if now.get(key) in labels}
    return Labels(known)


def with_merged(dataset_id: int, known: dict[str, str]) -> dict[str, str]:
    """known, by stable id, and beside it each class that was merged into one of them."""
    merges = merges_of(dataset_id) if known else {}
    return known | {str(source): known[end] for source in merges if (end := str(follow(source, merges))) in known}


def has_several(dataset: Dataset) -> bool:
    """Whether an answer may name several classes: then one that is retired is taken out of the resolved label."""
    return not dataset.task_type.one_label


def saying(rows: QuerySet[Any], stable_ids: Iterable[UUID | str]) -> QuerySet[Any]:
    """Those of these rows that name one of these classes where a text may have several: as their class, or within their value."""
    names = [str(key) for key in stable_ids]
    said = Q(label__stable_id__in=names)  # a suggestion of several classes has a row for each
    for name in names:
        said |= Q(said__contains=f'"{name}"')
    return rows.alias(said=Cast("value", TextField())).filter(said) if names else rows.none()


def changes_of(schema: LabelSchema) -> list[tuple[LabelChange, list[str]]]:
    """What a version did to classes that it no longer has, with the names into which they went."""
    rows = list(schema.changes.order_by("id"))
    names = {str(label.stable_id): label.name for label in schema.labels.all()}
    return [(row, [names.get(target, DROPPED) for target in row.targets]) for row in rows]


def present_ids(dataset_id: int) -> dict[UUID, UUID]:
    """Each merged class with where it leads through all merges: stable ids."""
    merges = merges_of(dataset_id)
    return {source: follow(source, merges) for source in merges}


def renamed(before: LabelSchema | None, schema: LabelSchema) -> list[tuple[str, str]]:
    """(old, new) names of the classes that a version calls otherwise than the one before."""
    old = dict(before.labels.values_list("stable_id", "name")) if before else {}
    rows = schema.labels.filter(stable_id__in=list(old)).order_by(F("position"))
    return [(old[label.stable_id], label.name) for label in rows if old[label.stable_id] != label.name]
