"""Pages of labeling."""

from datasets_app.labeling.views.bench import bench, flag, heartbeat, release, skip, submit, undo
from datasets_app.labeling.views.changes import change_classes, move_decisions, move_queue
from datasets_app.labeling.views.checks import accept_check, drop_check, start_check
from datasets_app.labeling.views.comments import comment, comments, people, resolve_comment
from datasets_app.labeling.views.corrections import accept_corrections, bring_corrections, correction, corrections, discard_corrections
from datasets_app.labeling.views.exports import brought, download, exports, queue_exports
from datasets_app.labeling.views.gold import gold, gold_item, let_go_on, mix_gold, retire_gold, sample_gold
from datasets_app.labeling.views.learning import learn, prefer, queue_learning
from datasets_app.labeling.views.pages import open_queue, queue_list, queue_page, schema, schema_version
from datasets_app.labeling.views.proposals import decline_proposal, know_guideline, propose, withdraw_proposal
from datasets_app.labeling.views.quality import measure, quality, quality_items
from datasets_app.labeling.views.review import decide, return_item, review, undo_decision
from datasets_app.labeling.views.steering import change_queue, close, pause, reorder, resume
from datasets_app.labeling.views.suggesting import apply_rules, preview_rule, retire_rule, rule, rules, write_rule

__all__ = [
    "accept_check",
    "corrections",
    "correction",
    "bring_corrections",
    "accept_corrections",
    "change_queue",
    "discard_corrections",
    "withdraw_proposal",
    "apply_rules",
    "bench",
    "brought",
    "change_classes",
    "close",
    "comment",
    "comments",
    "decide",
    "drop_check",
    "decline_proposal",
    "download",
    "exports",
    "flag",
    "gold",
    "gold_item",
    "heartbeat",
    "know_guideline",
    "let_go_on",
    "learn",
    "measure",
    "mix_gold",
    "move_decisions",
    "move_queue",
    "open_queue",
    "pause",
    "people",
    "prefer",
    "preview_rule",
    "propose",
    "quality",
    "quality_items",
    "queue_learning",
    "queue_exports",
    "queue_list",
    "queue_page",
    "release",
    "reorder",
    "resolve_comment",
    "resume",
    "retire_gold",
    "retire_rule",
    "return_item",
    "review",
    "rule",
    "rules",
    "sample_gold",
    "schema",
    "schema_version",
    "skip",
    "start_check",
    "submit",
    "undo",
    "undo_decision",
    "write_rule",
]
