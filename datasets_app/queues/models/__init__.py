from __future__ import annotations

from datasets_app.queues.models.agreed import Agreed
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.decisions import Comment, Decision, Dispute
from datasets_app.queues.models.gold import Gold
from datasets_app.queues.models.queues import ARRIVING, Queue, Seat, Slot, SlotSkip

__all__ = [
    "ARRIVING",
    "Agreed",
    "Annotation",
    "Comment",
    "Decision",
    "Dispute",
    "Gold",
    "Queue",
    "Seat",
    "Slot",
    "SlotSkip",
]
