"""Everything that changes triggers and proposals. Locks: the proposal, then what the rooms below take, then
the audit log's chain.
"""

from __future__ import annotations

from monitoring.retraining.actions.consider import consider, propose
from monitoring.retraining.actions.decide import approve, collect_texts, decline, override, retry, withdraw
from monitoring.retraining.actions.settings import set_trigger
from monitoring.retraining.actions.steps import advance
from monitoring.retraining.actions.tick import tick

__all__ = [
    "advance",
    "approve",
    "withdraw",
    "collect_texts",
    "consider",
    "decline",
    "override",
    "propose",
    "retry",
    "set_trigger",
    "tick",
]
