"""An evaluation of every task whose answers nobody trained, and answers to disturbed rows that changed, as the engine writes them."""

from __future__ import annotations

from pathlib import Path

from datasets_app.snapshots import queries as snapshots
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.runtime.engine.flips import Flip
from registry.ground.access.models import Project, User
from tests.support.marks import marked_snapshot
from tests.support.ranked import ranked_snapshot
from tests.support.training import make_run, make_snapshot, several_snapshot
from tests.support.written import chat_snapshot, make_decoder, make_written_run, written_snapshot

TASKS = ("single_label", "multi_label", "spans", "preference", "ranking", "generation", "chat")
SAID = {  # label, before and after, as the engine writes them
    "single_label": ("card", "card", "refund"), "multi_label": ('["card"]', '["card"]', '["card", "refund"]'),
    "spans": ('[[0, 2, "thing"]]', '[[0, 2, "thing"]]', "[]"), "preference": ("1 > 2", "1 > 2", "2 > 1"),
    "ranking": ("1 > 2 > 3", "1 > 2 > 3", "2 > 1 > 3"), "generation": ("", "as it was before", "as it became"),
    "chat": ("", "as it was before", ""),
}  # fmt: skip


def measured(task: str, project: Project, user: User, scratch: Path | None = None) -> Evaluation:
    """An evaluation on test. user: engineer or lead. scratch: as make_decoder has it."""
    if task in ("generation", "chat"):
        snapshot = (chat_snapshot if task == "chat" else written_snapshot)(project, user)
        return make_written_run(snapshot, user, make_decoder(project, user, scratch), splits=("test",)).evaluations.get()
    make = {"single_label": make_snapshot, "multi_label": several_snapshot, "spans": marked_snapshot}.get(task)
    snapshot = make(project, user) if make else ranked_snapshot(project, user, task)
    return make_run(snapshot, user, splits=("test",)).evaluations.get()


def items_of(evaluation: Evaluation) -> list[str]:
    """Digests of its rows."""
    return [row.item for row in snapshots.rows_of(evaluation.snapshot, evaluation.split)]


def flip(task: str, item: str, probe: str = "upper", after: float = 0.25) -> Flip:
    """An answer that was right and lost some of its score."""
    label, clean, predicted = SAID[task]
    sure = (None, None) if task in ("generation", "chat") else (0.9, 0.6)
    return Flip(probe, item, label, clean, sure[0], predicted, sure[1], 1.0, after)
