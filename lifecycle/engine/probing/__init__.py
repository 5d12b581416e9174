"""Robustness of each task; see `subject`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lifecycle.engine.artifact import ArtifactInfo
from lifecycle.engine.probing.classes import OneClass, SeveralClasses
from lifecycle.engine.probing.marks import Marks
from lifecycle.engine.probing.orders import Orders
from lifecycle.engine.probing.subject import Subject
from lifecycle.engine.probing.written import Written
from lifecycle.engine.verbs import open_predictor

OF_GRAPHS: dict[str, type[OneClass | Marks | Orders]] = {
    "single_label": OneClass, "multi_label": SeveralClasses, "spans": Marks, "preference": Orders, "ranking": Orders,
}  # fmt: skip


def open_subject(artifact: Path, base: Path | None, *, threads: int, batch_size: int, cancelled: Callable[[], bool]) -> Subject:
    """What is probed of an artifact."""
    info = ArtifactInfo.read(artifact)
    if info.task not in OF_GRAPHS:
        return Written(artifact, base, info, batch_size, cancelled)
    return OF_GRAPHS[info.task](open_predictor(artifact, base, threads), batch_size)
