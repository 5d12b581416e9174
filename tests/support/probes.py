"""Synthetic evaluations of every task, and robustness results with changed predictions, as the engine
writes them.
"""

from __future__ import annotations

from pathlib import Path

from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training.models import BaseModel
from lifecycle.runtime.engine.flips import Flip
from lifecycle.runtime.task_types.by_key.types import type_of
from registry.ground.access.models import Project, User
from tests.support.generation import make_decoder, make_generation_run
from tests.support.training import make_run
from tests.task_types.examples import EXAMPLES


def measured(task: str, project: Project, user: User, scratch: Path | None = None) -> Evaluation:
    """An evaluation on test with right rows and wrong ones. user: engineer or lead. scratch: as make_decoder
    has it.
    """
    snapshot = EXAMPLES[task].snapshot(project, user)
    base = make_decoder(project, user, scratch) if type_of(task).writes_text else None
    return evaluated(snapshot, user, share=0.1 if type_of(task).has_responses else 0.4, base=base)


def evaluated(
    snapshot: Snapshot, user: User, *, share: float, seed: int = 1, base: BaseModel | None = None
) -> Evaluation:
    """The test evaluation of another synthetic run. share: of correct predictions. base: a decoder, for
    generation.
    """
    if base and base.facts.get("decoder"):
        return make_generation_run(
            snapshot, user, base, quality=share, seed=seed, splits=("test",)
        ).evaluations.get()
    return make_run(snapshot, user, accuracy=share, seed=seed, splits=("test",), base=base).evaluations.get()


def items_of(evaluation: Evaluation) -> list[str]:
    """Digests of its rows."""
    return [row.item for row in snapshots.rows_of(evaluation.snapshot, evaluation.split)]


def flip(task: str, item: str, probe: str = "upper", after: float = 0.25) -> Flip:
    """An answer that was right and lost some of its score."""
    label, clean, predicted = EXAMPLES[task].flipped
    sure = (None, None) if type_of(task).writes_text else (0.9, 0.6)
    return Flip(probe, item, label, clean, sure[0], predicted, sure[1], 1.0, after)
