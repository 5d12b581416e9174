"""An evaluation of every task whose answers nobody trained, and answers to disturbed rows that changed, as the engine writes them."""

from __future__ import annotations

from pathlib import Path

from datasets_app.snapshots import queries as snapshots
from lifecycle.engine.flips import Flip
from lifecycle.evaluation.models import Evaluation
from lifecycle.task_types.by_key.types import type_of
from registry.access.models import Project, User
from tests.support.training import make_run
from tests.support.written import make_decoder, make_written_run
from tests.task_types.examples import EXAMPLES


def measured(task: str, project: Project, user: User, scratch: Path | None = None) -> Evaluation:
    """An evaluation on test. user: engineer or lead. scratch: as make_decoder has it."""
    snapshot = EXAMPLES[task].snapshot(project, user)
    if type_of(task).writes_text:
        return make_written_run(snapshot, user, make_decoder(project, user, scratch), splits=("test",)).evaluations.get()
    return make_run(snapshot, user, splits=("test",)).evaluations.get()


def items_of(evaluation: Evaluation) -> list[str]:
    """Digests of its rows."""
    return [row.item for row in snapshots.rows_of(evaluation.snapshot, evaluation.split)]


def flip(task: str, item: str, probe: str = "upper", after: float = 0.25) -> Flip:
    """An answer that was right and lost some of its score."""
    label, clean, predicted = EXAMPLES[task].flipped
    sure = (None, None) if type_of(task).writes_text else (0.9, 0.6)
    return Flip(probe, item, label, clean, sure[0], predicted, sure[1], 1.0, after)
