"""What decides about retraining. Pure: no queries and no clock."""

from __future__ import annotations

from monitoring.retraining.rules.picks import Candidate, Choice, choose
from monitoring.retraining.rules.reasons import Drift, Facts, Policy, Reason, Verdict, consider, weigh
from monitoring.retraining.rules.settings import KINDS, LIMITS, Kind, check_settings
from monitoring.retraining.rules.state import (
    BUSY,
    ENDED,
    MARKS,
    Outcome,
    State,
    Step,
    check_move,
    check_reason,
    check_seen,
    slot_of,
    step_of,
)

__all__ = [
    "BUSY",
    "ENDED",
    "KINDS",
    "LIMITS",
    "MARKS",
    "Candidate",
    "Choice",
    "Drift",
    "Facts",
    "Kind",
    "Outcome",
    "Policy",
    "Reason",
    "State",
    "Step",
    "Verdict",
    "check_move",
    "check_reason",
    "check_seen",
    "check_settings",
    "choose",
    "consider",
    "slot_of",
    "step_of",
    "weigh",
]
