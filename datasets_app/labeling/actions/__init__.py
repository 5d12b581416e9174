"""Everything that changes schemas, queues, answers and decisions."""

from datasets_app.labeling.actions.answers import Undone, skip, submit, undo
from datasets_app.labeling.actions.changes import change_classes, move_decisions, move_queue, plan_changes, run_moves
from datasets_app.labeling.actions.claims import claim, heartbeat, release, sweep
from datasets_app.labeling.actions.imports import Importer, suggest, suggest_values
from datasets_app.labeling.actions.learning import learn, learn_due, run_learn
from datasets_app.labeling.actions.quality import measure_due, measure_quality, run_measure
from datasets_app.labeling.actions.queues import (
    REORDERED,
    close_queue,
    open_queue,
    pause_queue,
    prefer,
    reorder,
    resume_queue,
    run_fill,
    run_reorder,
)
from datasets_app.labeling.actions.receiving import receive
from datasets_app.labeling.actions.remarks import comment, flag
from datasets_app.labeling.actions.reviews import decide, return_to_annotators, undo_decision
from datasets_app.labeling.actions.schemas import publish_schema
from datasets_app.labeling.actions.suggesting import apply_rules, retire_rule, run_rules, write_rule

__all__ = [
    "REORDERED",
    "Importer",
    "Undone",
    "apply_rules",
    "change_classes",
    "claim",
    "close_queue",
    "comment",
    "decide",
    "flag",
    "heartbeat",
    "learn",
    "learn_due",
    "measure_due",
    "measure_quality",
    "move_decisions",
    "move_queue",
    "open_queue",
    "pause_queue",
    "plan_changes",
    "prefer",
    "publish_schema",
    "receive",
    "release",
    "reorder",
    "resume_queue",
    "retire_rule",
    "return_to_annotators",
    "run_fill",
    "run_learn",
    "run_measure",
    "run_moves",
    "run_reorder",
    "run_rules",
    "skip",
    "submit",
    "suggest",
    "suggest_values",
    "sweep",
    "undo",
    "undo_decision",
    "write_rule",
]
