"""Pages of labeling."""

from datasets_app.labeling.views.bench import bench, comment, flag, heartbeat, release, skip, submit, undo
from datasets_app.labeling.views.pages import close, open_queue, pause, queue_list, queue_page, resume, schema, schema_version
from datasets_app.labeling.views.quality import measure, quality, quality_items
from datasets_app.labeling.views.review import decide, return_item, review, undo_decision

__all__ = [
    "bench",
    "close",
    "comment",
    "decide",
    "flag",
    "heartbeat",
    "measure",
    "open_queue",
    "pause",
    "quality",
    "quality_items",
    "queue_list",
    "queue_page",
    "release",
    "resume",
    "return_item",
    "review",
    "schema",
    "schema_version",
    "skip",
    "submit",
    "undo",
    "undo_decision",
]
