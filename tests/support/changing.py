"""Merged, split, and retired labels of multi-label and span datasets, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasets_app.datasets.models import Dataset
from datasets_app.queues.models import Queue
from datasets_app.queues.queries.decisions import current_decisions
from datasets_app.review.actions.changes import change_labels
from datasets_app.schemas.models import Label, LabelSchema
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema, names_ever
from datasets_app.schemas.relabeling import Change
from lifecycle.runtime.task_types.values import rename
from registry.ground.access.models import Project, User
from tests.support.labeling import annotate_items, make_dataset, make_schema

NAMES = ("billing", "card", "lost", "transfer")
TEXTS = ["my card is lost", "a lost bill", "one transfer", "nothing", "a fifth"]


def new_dataset(project: Project, mia: User, task: str, texts: Sequence[str] = TEXTS) -> Dataset:
    """A dataset of this task with the labels NAMES; its slug is its task."""
    dataset = make_dataset(project, mia, texts, task=task, slug=task)
    make_schema(dataset, mia, NAMES)
    return dataset


def labels(dataset: Dataset) -> dict[str, Label]:
    """The labels of the newest schema version by name."""
    schema = latest_schema(dataset)
    return labels_by_name(schema) if schema else {}


def change(
    dataset: Dataset, actor: User, *wanted: tuple[str, str, Sequence[str]], **options: Any
) -> LabelSchema:
    """Publish changes. wanted: (label, kind, names)."""
    now = labels(dataset)
    made = [Change(now[name].stable_id, kind, tuple(into)) for name, kind, into in wanted]
    return change_labels(dataset_id=dataset.uuid, actor=actor, wanted=made, **options)


def sets(*names: str) -> dict[str, Any]:
    """The annotation value with these labels."""
    return {"labels": sorted(names)}


def spans(*found: tuple[int, int, str]) -> dict[str, Any]:
    """The annotation value with these spans."""
    return {"spans": [{"start": start, "end": end, "label": label} for start, end, label in found]}


def resolved_labels(dataset: Dataset) -> list[tuple[str, Any, str]]:
    """The text of each resolved item, its value with the latest label names, and how it was resolved."""
    names = names_ever(dataset)
    return [
        (each.item.text, rename(each.value or {}, names), each.how) for each in current_decisions(dataset)
    ]


def label_all(queue: Queue, user: User, values: Sequence[dict[str, Any]]) -> None:
    """One person annotates the items of a queue in order."""
    annotate_items(queue, {user: values})
