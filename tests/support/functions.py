"""Labeling functions in multi-label and span datasets."""

from __future__ import annotations

from typing import Any

from datasets_app.assist.actions.suggesting import apply_functions, write_function
from datasets_app.assist.models import LabelingFunction
from datasets_app.datasets.models import Dataset
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from registry.ground.access.models import Project, User
from tests.support.jobs import run_ok
from tests.support.labeling import make_dataset, make_schema

TEXTS = ["my card is lost", "a lost bill", "👨🏻‍🚒 firemen drive firetrucks", "nothing here"]
NAMES = ["ORG", "PERSON", "TOPIC"]


def multi_label_dataset(project: Project, mia: User) -> Dataset:
    """A multi-label dataset with three labels."""
    dataset = make_dataset(project, mia, TEXTS, task="multi_label", slug="several")
    make_schema(dataset, mia, ["billing", "card", "lost"])
    return dataset


def spans_dataset(project: Project, mia: User) -> Dataset:
    """A span dataset."""
    dataset = make_dataset(project, mia, TEXTS, task="spans", slug="marked")
    make_schema(dataset, mia, NAMES)
    return dataset


def write(dataset: Dataset, actor: User, pattern: str, label: str, **options: Any) -> LabelingFunction:
    """A labeling function that pre-labels with this label; it matches words unless options differ."""
    stable_id = labels_by_name(latest_schema(dataset))[label].stable_id
    options = {"name": f"{label} by {pattern}"[:80], "kind": "words"} | options
    return write_function(dataset_id=dataset.uuid, actor=actor, label=stable_id, pattern=pattern, **options)


def apply(dataset: Dataset, actor: User) -> None:
    """Apply all labeling functions to new items."""
    apply_functions(dataset_id=dataset.uuid, actor=actor)
    run_ok()
