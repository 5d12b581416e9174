"""The verb `losses`: the loss of each row under an artifact as it serves, for every task; see
`row_losses`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lifecycle.runtime.engine import row_losses
from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.data import read_rows
from lifecycle.runtime.engine.events import EventWriter, Stopped, progress_reporter
from lifecycle.runtime.engine.spec import PredictSpec
from lifecycle.runtime.engine.task_types.by_key.answerers import answerer_of
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
from lifecycle.runtime.engine.verbs import quiet
from lifecycle.runtime.task_types.rows import parts


def losses(folder: Path, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """losses.parquet, by the same graph and precision as `evaluate` answers."""
    started = time.monotonic()
    spec = PredictSpec.read(folder / "spec.json")
    quiet(spec.threads)
    events = EventWriter(folder / "events.jsonl")
    info = ArtifactInfo.read(folder / spec.artifact)
    rows = read_rows(folder / spec.data, info.labels, learner_of(info.task).read)
    answerer, base = answerer_of(info.task), folder / spec.base.path if spec.base else None
    opened = answerer.open(
        folder / spec.artifact, base, threads=spec.threads, batch_size=spec.batch_size, cancelled=cancelled
    )
    events.write("stage", name="losses", message=f"Measuring the loss of {len(rows):,} rows.")
    report, found = progress_reporter(events, len(rows), cancelled), []
    try:
        for some in parts(rows, answerer.lost_at_once):
            found.append(answerer.losses(opened, some))
            report(len(some))
    except Stopped:
        events.write("end", status="cancelled", message="Stopped on request.")
        return {"format": 1, "status": "cancelled", "error": None}
    row_losses.write(folder / "losses.parquet", rows.ids, np.concatenate(found))
    events.write("end", status="succeeded", message="Finished.")
    return {
        "format": 1,
        "status": "succeeded",
        "error": None,
        "rows": len(rows),
        "seconds": round(time.monotonic() - started, 3),
    }
