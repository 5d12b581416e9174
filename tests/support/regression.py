"""Texts with a number each, for the task of the package in tests/task_types/regression."""

from __future__ import annotations

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory

from datasets_app.datasets.models import Dataset
from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.training import actions
from lifecycle.modeling.training.models import Run
from registry.ground.access.models import Project, User
from tests.support.datasets import import_texts, make_dataset
from tests.support.jobs import run_ok
from tests.support.snapshots import freeze
from tests.support.tiny_models import make_tiny_base
from tests.support.training import make_base

TASK = "regression"
QUICK = {
    "epochs": 15,
    "batch_size": 8,
    "learning_rate": 5e-3,
    "head_learning_rate": 0.05,
    "precision": "fp32",
    "patience": 0,
    "threads": 1,
}
WORTH = {"thanks": 9.0, "help": 6.0, "late": 3.0, "broken": 0.5}


def rows(copies: int = 16) -> list[tuple[str, float]]:
    """Texts whose number depends on one word, and a little on another."""
    pairs = itertools.product(WORTH, ("card", "order", "login"), range(copies))
    return [
        (f"my {thing} {word} {at % 10} please {at // 10}", WORTH[word] + 0.1 * (thing == "card"))
        for word, thing, at in pairs
    ]


def numbered_dataset(project: Project, user: User, *, copies: int = 16, name: str = "") -> Dataset:
    """A dataset of them, imported from a file."""
    dataset = make_dataset(project, user, name, task=TASK)
    import_texts(
        dataset, [(text, f"{number:g}") for text, number in rows(copies)], user, header=("text", "score")
    )
    return dataset


def numbered_snapshot(project: Project, user: User, **options: int) -> Snapshot:
    """Its first version."""
    return freeze(
        numbered_dataset(project, user, **options), user, shares={"train": 50, "validation": 20, "test": 30}
    )


def trained(snapshot: Snapshot, user: User, **options: object) -> Run:
    """A trained and evaluated run of a tiny model."""
    with TemporaryDirectory() as scratch:
        base = make_base(snapshot.dataset.project, user, folder=make_tiny_base(Path(scratch) / "base"))
    run = actions.launch(snapshot=snapshot, base=base, strategy="full", actor=user, options=QUICK | options)
    run_ok("training", "evaluation")
    run.refresh_from_db()
    return run
