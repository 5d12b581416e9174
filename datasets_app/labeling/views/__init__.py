"""Pages of labeling."""

from datasets_app.labeling.views.bench import bench, comment, flag, heartbeat, release, skip, submit, undo
from datasets_app.labeling.views.changes import change_classes, move_decisions, move_queue
from datasets_app.labeling.views.gold import gold, gold_item, let_go_on, mix_gold, retire_gold, sample_gold
from datasets_app.labeling.views.pages import close, open_queue, pause, queue_list, queue_page, reorder, resume, schema, schema_version
from datasets_app.labeling.views.quality import measure, quality, quality_items
from datasets_app.labeling.views.review import decide, return_item, review, undo_decision
from datasets_app.labeling.views.suggesting import apply_rules, preview_rule, retire_rule, rule, rules, write_rule

__all__ = [
    "apply_rules",
    "bench",
    "change_classes",
    "close",
    "comment",
    "decide",
    "flag",
    "gold",
    "gold_item",
    "heartbeat",
    "let_go_on",
    "measure",
    "mix_gold",
    "move_decisions",
    "move_queue",
    "open_queue",
    "pause",
    "preview_rule",
    "quality",
    "quality_items",
    "queue_list",
    "queue_page",
    "release",
    "reorder",
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
    "submit",
    "undo",
    "undo_decision",
    "write_rule",
]
