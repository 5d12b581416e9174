"""Everything that changes schemas, queues, answers and decisions."""

from datasets_app.labeling.actions.answers import Undone, skip, submit, undo
from datasets_app.labeling.actions.changes import change_classes, move_decisions, move_queue, plan_changes, run_moves
from datasets_app.labeling.actions.checks import accept_check, drop_check, run_accept, start_check
from datasets_app.labeling.actions.claims import claim, heartbeat, release, sweep
from datasets_app.labeling.actions.corrections import (
    accept_corrections,
    bring_corrections,
    correct_cancelled,
    correct_failed,
    discard_corrections,
    look_cancelled,
    look_failed,
    run_correct,
    run_look,
)
from datasets_app.labeling.actions.exports import export_answers, run_export
from datasets_app.labeling.actions.filling import run_fill
from datasets_app.labeling.actions.gold import make_gold, make_golds, retire_gold, sample_gold, write_gold
from datasets_app.labeling.actions.guideline import know_guideline
from datasets_app.labeling.actions.imports import Importer, suggest, suggest_values
from datasets_app.labeling.actions.learning import learn, learn_due, run_learn
from datasets_app.labeling.actions.mixing import let_go_on, mix_gold
from datasets_app.labeling.actions.opening import open_queue
from datasets_app.labeling.actions.ordering import REORDERED, reorder, run_reorder
from datasets_app.labeling.actions.proposals import decline_proposal, propose_change, withdraw_proposal
from datasets_app.labeling.actions.quality import measure_due, measure_quality, run_measure
from datasets_app.labeling.actions.receiving import receive
from datasets_app.labeling.actions.remarks import comment, flag, resolve_comment
from datasets_app.labeling.actions.reviews import decide, return_to_annotators, undo_decision
from datasets_app.labeling.actions.schemas import publish_schema
from datasets_app.labeling.actions.steering import change_queue, close_queue, pause_queue, prefer, resume_queue
from datasets_app.labeling.actions.suggesting import apply_rules, retire_rule, run_rules, write_rule
from datasets_app.labeling.actions.telling import CHANGED, LABELLED, tell_labels

__all__ = [
    "CHANGED",
    "LABELLED",
    "run_look",
    "run_correct",
    "look_failed",
    "look_cancelled",
    "correct_failed",
    "correct_cancelled",
    "bring_corrections",
    "accept_corrections",
    "REORDERED",
    "Importer",
    "Undone",
    "accept_check",
    "apply_rules",
    "change_classes",
    "claim",
    "close_queue",
    "comment",
    "decide",
    "drop_check",
    "decline_proposal",
    "export_answers",
    "flag",
    "heartbeat",
    "know_guideline",
    "let_go_on",
    "make_gold",
    "make_golds",
    "learn",
    "learn_due",
    "measure_due",
    "measure_quality",
    "mix_gold",
    "move_decisions",
    "move_queue",
    "open_queue",
    "pause_queue",
    "plan_changes",
    "propose_change",
    "prefer",
    "publish_schema",
    "receive",
    "release",
    "reorder",
    "resolve_comment",
    "resume_queue",
    "retire_gold",
    "retire_rule",
    "return_to_annotators",
    "run_accept",
    "run_export",
    "run_fill",
    "run_learn",
    "run_measure",
    "run_moves",
    "run_reorder",
    "run_rules",
    "sample_gold",
    "skip",
    "start_check",
    "submit",
    "suggest",
    "suggest_values",
    "sweep",
    "tell_labels",
    "undo",
    "undo_decision",
    "change_queue",
    "discard_corrections",
    "withdraw_proposal",
    "write_gold",
    "write_rule",
]
