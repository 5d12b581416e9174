"""Everything that changes schemas, queues, answers and decisions."""

from datasets_app.labeling.actions.answers import Undone, skip, submit, undo
from datasets_app.labeling.actions.claims import claim, heartbeat, release, sweep
from datasets_app.labeling.actions.imports import Importer, suggest, suggest_values
from datasets_app.labeling.actions.queues import close_queue, open_queue, pause_queue, reorder, resume_queue, run_fill, run_reorder
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
    "open_queue",
    "pause_queue",
    "publish_schema",
    "release",
    "reorder",
    "resume_queue",
    "return_to_annotators",
    "run_fill",
    "run_reorder",
    "skip",
    "submit",
    "suggest",
    "suggest_values",
    "sweep",
    "undo",
    "undo_decision",
]
