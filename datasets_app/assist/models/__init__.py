from __future__ import annotations

from datasets_app.assist.models.learning import Fit, QueueOrder
from datasets_app.assist.models.rules import Rule, RulePass

__all__ = [
    "Fit",
    "QueueOrder",
    "Rule",
    "RulePass",
]
