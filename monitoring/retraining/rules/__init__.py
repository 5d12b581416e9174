"""What decides about retraining. Pure: no queries and no clock."""

from __future__ import annotations

from monitoring.retraining.rules.picks import Candidate, Choice, choose
from monitoring.retraining.rules.reasons import Drift, Facts, Policy, Reason, Shift, Verdict, consider, weigh
from monitoring.retraining.rules.settings import KINDS, LIMITS, Kind, Start, check_settings, out_of_range
from monitoring.retraining.rules.state import (
    BUSY,
    ENDED,
    MARKS,
    MOVES,
    OWN,
    REASON_MAX,
    Outcome,
    State,
    Step,
    check_seen,
    judge,
    slot_of,
    step_of,
)

__all__ = [
    "BUSY",
    "ENDED",
    "KINDS",
    "LIMITS",
    "MARKS",
    "OWN",
    "MOVES",
    "REASON_MAX",
    "Candidate",
    "Choice",
    "Drift",
    "Facts",
    "Kind",
    "Outcome",
    "Policy",
    "Reason",
    "Shift",
    "Start",
    "State",
    "Step",
    "Verdict",
    "check_seen",
    "check_settings",
    "choose",
    "consider",
    "judge",
    "out_of_range",
    "slot_of",
    "step_of",
    "weigh",
]
