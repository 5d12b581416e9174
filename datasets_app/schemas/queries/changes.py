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

READ = (ChangeKind.MERGE, ChangeKind.RETIRE)  # applied when values are read


def merges_of(dataset_id: int) -> dict[UUID, UUID]:
    """The target of each merged label of a dataset, by stable id."""
    rows = LabelChange.objects.filter(schema__dataset=dataset_id, kind=ChangeKind.MERGE).values_list(
        "source", "targets"
    )
    return {source: UUID(targets[0]) for source, targets in rows}


def classes_now(dataset_id: int) -> ClassesNow:
    """The merged and retired labels of a dataset."""
    return classes_after(LabelChange.objects.filter(schema__dataset=dataset_id))


def classes_since(stable_ids: Iterable[str]) -> ClassesNow:
    """The merged and retired labels of the dataset of these labels; empty if none of them changed.
    stable_ids: of the labels.
    """
    changed = LabelChange.objects.filter(source__in=set(stable_ids), kind__in=READ)
    return classes_after(LabelChange.objects.filter(schema__dataset__in=changed.values("schema__dataset")))


def classes_after(changes: QuerySet[LabelChange]) -> ClassesNow:
    """The merged and retired labels after these changes of one dataset."""
    rows = list(changes.filter(kind__in=READ).values_list("kind", "source", "targets"))
    merges = {source: UUID(targets[0]) for kind, source, targets in rows if kind == ChangeKind.MERGE}
    retired = frozenset(str(source) for kind, source, _ in rows if kind == ChangeKind.RETIRE)
    return ClassesNow({str(source): str(follow(source, merges)) for source in merges}, retired)


def present_labels(labels: Iterable[Label]) -> dict[UUID, Label]:
    """The newest target of each merged label among these, by stable id."""
    stable_ids = {label.stable_id for label in labels}
    schemas = LabelChange.objects.filter(source__in=stable_ids, kind=ChangeKind.MERGE).values(
        "schema__dataset"
    )
    rows = LabelChange.objects.filter(schema__dataset__in=schemas, kind=ChangeKind.MERGE).values_list(
        "source", "targets"
    )
    merges = {source: UUID(targets[0]) for source, targets in rows}
    ends = {source: follow(source, merges) for source in stable_ids if source in merges}
    newest = newest_labels(ends.values())
    return {source: newest[end] for source, end in ends.items()}


def newest_labels(stable_ids: Iterable[UUID]) -> dict[UUID, Label]:
    """The newest version of each of these labels."""
    wanted = set(stable_ids)
    if not wanted:
        return {}
    return {
        label.stable_id: label
        for label in Label.objects.filter(stable_id__in=wanted).order_by("schema__version", "id")
    }


def labels_now(schema: LabelSchema) -> dict[str, Label]:
    """The labels of a version, and their later merge targets, by stable id."""
    labels = labels_by_id(schema)
    return labels | {str(label.stable_id): label for label in present_labels(labels.values()).values()}


def accepted_labels(dataset_id: int, value: Value, labels: Mapping[str, Label]) -> Labels:
    """The ways a value may refer to these labels: name, uuid, stable id, and their ids and merged labels in
    older versions. labels: by stable id. A name that looks like an id isn't accepted: it could be another
    label's.
    """
    known = {str(key): stable for stable, label in labels.items() for key in (label.uuid, stable)}
    known |= {label.name: stable for stable, label in labels.items() if not is_uuid(label.name)}
    if unknown := named_in(value) - known.keys():
        uuids = [key for key in unknown if is_uuid(key)]
        older = list(Label.objects.filter(schema__dataset=dataset_id, uuid__in=uuids)) if uuids else []
        present = present_labels(older) if older else {}
        now = {
            **classes_now(dataset_id).merged,
            **{str(each.uuid): str(present.get(each.stable_id, each).stable_id) for each in older},
        }
        known |= {key: now[key] for key in unknown if now.get(key) in labels}
    return Labels(known)


def with_merged(dataset_id: int, known: dict[str, str]) -> dict[str, str]:
    """known, extended by each label that was merged into one of its labels, all by stable id."""
    merges = merges_of(dataset_id) if known else {}
    return known | {
        str(source): known[end] for source in merges if (end := str(follow(source, merges))) in known
    }


def has_several(dataset: Dataset) -> bool:
    """Whether an annotation may have several labels: then a retired one is removed from the resolved
    label.
    """
    return not dataset.task_type.one_label


def with_labels(rows: QuerySet[Any], stable_ids: Iterable[UUID | str]) -> QuerySet[Any]:
    """Rows with one of these labels, as their label or within their value; for tasks with several labels per
    text.
    """
    names = [str(key) for key in stable_ids]
    naming = Q(label__stable_id__in=names)  # a pre-label with several labels has a row for each
    for name in names:
        naming |= Q(value_text__contains=f'"{name}"')
    return rows.alias(value_text=Cast("value", TextField())).filter(naming) if names else rows.none()


def changes_of(schema: LabelSchema) -> list[tuple[LabelChange, list[str]]]:
    """The changes of a version, each with the names of its targets."""
    rows = list(schema.changes.order_by("id"))
    names = {str(label.stable_id): label.name for label in schema.labels.all()}
    return [(row, [names.get(target, DROPPED) for target in row.targets]) for row in rows]


def present_ids(dataset_id: int) -> dict[UUID, UUID]:
    """The final target of each merged label after all merges, by stable id."""
    merges = merges_of(dataset_id)
    return {source: follow(source, merges) for source in merges}


def renamed(before: LabelSchema | None, schema: LabelSchema) -> list[tuple[str, str]]:
    """(old, new) names of the labels that a version renamed."""
    old = dict(before.labels.values_list("stable_id", "name")) if before else {}
    rows = schema.labels.filter(stable_id__in=list(old)).order_by(F("position"))
    return [(old[label.stable_id], label.name) for label in rows if old[label.stable_id] != label.name]
