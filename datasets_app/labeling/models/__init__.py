"""What labeling keeps: schemas, queues and their slots, answers, suggestions, decisions, measures of quality, built-in models."""

from __future__ import annotations

from datasets_app.labeling.models.answers import Annotation
from datasets_app.labeling.models.decisions import Comment, Decision, Dispute
from datasets_app.labeling.models.learning import Fit
from datasets_app.labeling.models.quality import Difference, QualityReport
from datasets_app.labeling.models.queues import Queue, Seat, Slot, SlotSkip
from datasets_app.labeling.models.schemas import Label, LabelChange, LabelSchema
from datasets_app.labeling.models.suggestions import Rule, RulePass, Suggestion

__all__ = [
    "Annotation",
    "Comment",
    "Decision",
    "Difference",
    "Dispute",
    "Fit",
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
