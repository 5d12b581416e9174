"""Rules in datasets where a text may have several classes, or marked parts."""

from __future__ import annotations

from typing import Any

from datasets_app.assist.actions.suggesting import apply_rules, write_rule
from datasets_app.assist.models import Rule
from datasets_app.datasets.models import Dataset
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from registry.ground.access.models import Project, User
from tests.support.jobs import run_ok
from tests.support.labeling import make_dataset, make_schema

TEXTS = ["my card is lost", "a lost bill", "👨🏻‍🚒 firemen drive firetrucks", "nothing here"]
NAMES = ["ORG", "PERSON", "TOPIC"]


def several_classes(project: Project, mia: User) -> Dataset:
    """A dataset whose texts may have any of three classes."""
    dataset = make_dataset(project, mia, TEXTS, task="multi_label", slug="several")
    make_schema(dataset, mia, ["billing", "card", "lost"])
    return dataset


def marked_parts(project: Project, mia: User) -> Dataset:
    """A dataset in whose texts parts are marked."""
    dataset = make_dataset(project, mia, TEXTS, task="spans", slug="marked")
    make_schema(dataset, mia, NAMES)
    return dataset


def write(dataset: Dataset, actor: User, pattern: str, label: str, **options: Any) -> Rule:
    """A rule of words, unless options say otherwise, that suggests the class of this name."""
    stable_id = labels_by_name(latest_schema(dataset))[label].stable_id
    options = {"name": f"{label} by {pattern}"[:80], "kind": "words"} | options
    return write_rule(dataset_id=dataset.uuid, actor=actor, label=stable_id, pattern=pattern, **options)


def apply(dataset: Dataset, actor: User) -> None:
    """Have all rules read what they have not read."""
    apply_rules(dataset_id=dataset.uuid, actor=actor)
    run_ok()
