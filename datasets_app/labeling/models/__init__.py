"""What labeling keeps: schemas, queues and their slots, answers, suggestions, decisions, remarks, measures of quality, built-in models."""

from __future__ import annotations

from datasets_app.labeling.models.agreed import Agreed
from datasets_app.labeling.models.answers import Annotation
from datasets_app.labeling.models.checks import Sampled, SpotCheck
from datasets_app.labeling.models.corrections import Correction
from datasets_app.labeling.models.decisions import Comment, Decision, Dispute
from datasets_app.labeling.models.exports import Export
from datasets_app.labeling.models.gold import Gold
from datasets_app.labeling.models.learning import Fit, QueueOrder
from datasets_app.labeling.models.proposals import GuidelineProposal
from datasets_app.labeling.models.quality import Difference, QualityReport
from datasets_app.labeling.models.queues import ARRIVING, Queue, Seat, Slot, SlotSkip
from datasets_app.labeling.models.rules import Rule, RulePass
from datasets_app.labeling.models.schemas import Label, LabelChange, LabelSchema
from datasets_app.labeling.models.suggestions import RetiredSource, Suggestion

__all__ = [
    "Agreed",
    "ARRIVING",
    "Annotation",
    "Comment",
    "Correction",
    "Decision",
    "Difference",
    "Dispute",
    "GuidelineProposal",
    "Gold",
    "Fit",
    "Export",
    "Label",
    "LabelChange",
    "LabelSchema",
    "QualityReport",
    "Queue",
    "QueueOrder",
    "RetiredSource",
    "Rule",
    "RulePass",
    "Sampled",
    "Seat",
    "Slot",
    "SlotSkip",
    "SpotCheck",
    "Suggestion",
]
