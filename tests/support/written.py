"""Datasets of prompts with completions, their snapshots and decoders, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets_app.datasets.models import Dataset
from datasets_app.snapshots.models import Snapshot
from lifecycle.training.models import BaseModel
from registry.access.models import Project, User
from tests.support.datasets import import_texts, make_dataset
from tests.support.snapshots import freeze
from tests.support.tiny_decoders import QUESTIONS, make_tiny_decoder
from tests.support.training import make_base

SHARES = {"train": 60, "validation": 20, "test": 20}


def written_dataset(project: Project, user: User, *, copies: int = 4, name: str = "") -> Dataset:
    """A dataset whose completions are all there: each question `copies` times, made different by a number. user: may upload.

    The context of every other row is its answer, with a word more.
    """
    dataset = make_dataset(project, user, name, task="free_text")
    rows = [
        (f"{question} {at}" if at else question, answer, f"please {answer}" if number % 2 else "")
        for number, (question, answer) in enumerate(QUESTIONS) for at in range(copies)
    ]  # fmt: skip
    import_texts(dataset, rows, user, header=("instruction", "output", "input"))
    return dataset


def written_snapshot(project: Project, user: User, **options: Any) -> Snapshot:
    """A frozen snapshot with rows in all three splits."""
    shares = options.pop("shares", SHARES)
    return freeze(written_dataset(project, user, **options), user, shares=shares)


def make_decoder(project: Project, user: User, scratch: Path, name: str = "tiny-decoder") -> BaseModel:
    """A decoder of two random layers, kept."""
    return make_base(project, user, folder=make_tiny_decoder(scratch / name), name=name)
