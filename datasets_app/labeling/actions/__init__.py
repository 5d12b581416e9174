"""Everything that changes schemas, queues, answers and decisions."""

from datasets_app.labeling.actions.answers import Undone, skip, submit, undo
from datasets_app.labeling.actions.claims import claim, heartbeat, release, sweep
from datasets_app.labeling.actions.imports import Importer, suggest
from datasets_app.labeling.actions.quality import measure_due, measure_quality, run_measure
from datasets_app.labeling.actions.queues import close_queue, open_queue, pause_queue, resume_queue, run_fill
from datasets_app.labeling.actions.remarks import comment, flag
from datasets_app.labeling.actions.reviews import decide, return_to_annotators, undo_decision
from datasets_app.labeling.actions.schemas import publish_schema

__all__ = [
    "Importer",
    "Undone",
    "claim",
    "close_queue",
    "comment",
    "decide",
    "flag",
    "heartbeat",
    "measure_due",
    "measure_quality",
    "open_queue",
    "pause_queue",
    "publish_schema",
    "release",
    "resume_queue",
    "return_to_annotators",
    "run_fill",
    "run_measure",
    "skip",
    "submit",
    "suggest",
    "sweep",
    "undo",
    "undo_decision",
]
