"""What labeling keeps: schemas of classes, queues and their slots, answers, suggestions, decisions, and measures of quality."""

from __future__ import annotations

from datasets_app.labeling.models.answers import Annotation
from datasets_app.labeling.models.decisions import Comment, Decision, Dispute
from datasets_app.labeling.models.exports import Export
from datasets_app.labeling.models.quality import Difference, QualityReport
from datasets_app.labeling.models.queues import ARRIVING, Queue, Seat, Slot, SlotSkip
from datasets_app.labeling.models.schemas import Label, LabelChange, LabelSchema
from datasets_app.labeling.models.suggestions import Rule, RulePass, Suggestion

__all__ = [
    "ARRIVING",
    "Annotation",
    "Comment",
    "Decision",
    "Difference",
    "Dispute",
    "Export",
    "Label",
    "LabelChange",
    "LabelSchema",
    "QualityReport",
    "Queue",
    "Rule",
    "RulePass",
    "Seat",
    "Slot",
    "SlotSkip",
    "Suggestion",
]
