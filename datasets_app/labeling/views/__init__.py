"""Pages of labeling."""

from datasets_app.labeling.views.bench import bench, comment, flag, heartbeat, release, skip, submit, undo
from datasets_app.labeling.views.changes import change_classes, move_decisions, move_queue
from datasets_app.labeling.views.exports import brought, download, exports, queue_exports
from datasets_app.labeling.views.pages import close, open_queue, pause, queue_list, queue_page, reorder, resume, schema, schema_version
from datasets_app.labeling.views.quality import measure, quality, quality_items
from datasets_app.labeling.views.review import decide, return_item, review, undo_decision
from datasets_app.labeling.views.suggesting import apply_rules, preview_rule, retire_rule, rule, rules, write_rule

__all__ = [
    "apply_rules",
    "bench",
    "brought",
    "change_classes",
    "close",
    "comment",
    "decide",
    "download",
    "exports",
    "flag",
    "heartbeat",
    "measure",
    "move_decisions",
    "move_queue",
    "open_queue",
    "pause",
    "preview_rule",
    "quality",
    "quality_items",
    "queue_exports",
    "queue_list",
    "queue_page",
    "release",
    "reorder",
    "resume",
    "retire_rule",
    "return_item",
    "review",
    "rule",
    "rules",
    "schema",
    "schema_version",
    "skip",
    "submit",
    "undo",
    "undo_decision",
    "write_rule",
]
