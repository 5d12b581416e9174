"""The statistics and the decisions of a rollout. Pure: no queries, no clock."""

from __future__ import annotations

from monitoring.rollouts.rules.decision import Condition, Decision, Evidence, Kind, conditions, decide, e_text
from monitoring.rollouts.rules.evidence import RATIOS, log_e, log_limit, tolerated_share
from monitoring.rollouts.rules.forecast import (
    Forecast,
    StepForecast,
    Traffic,
    check_decidable,
    forecast,
    time_left,
)
from monitoring.rollouts.rules.interval import difference
from monitoring.rollouts.rules.state import MOVES, OPEN, REASON_MAX, State, check_same_state
from monitoring.rollouts.rules.units import Counts, Groups, Request, Side, Tally, tally
from registry.promotions.plans import METRICS, MIN_KEYS, MIN_PER_ARM, Plan, share_text

__all__ = [
    "Condition",
    "Counts",
    "Decision",
    "Evidence",
    "Forecast",
    "Groups",
    "Kind",
    "METRICS",
    "MOVES",
    "MIN_KEYS",
    "MIN_PER_ARM",
    "RATIOS",
    "OPEN",
    "Plan",
    "REASON_MAX",
    "Request",
    "Side",
    "State",
    "StepForecast",
    "Tally",
    "Traffic",
    "check_decidable",
    "check_same_state",
    "conditions",
    "decide",
    "difference",
    "e_text",
    "forecast",
    "log_e",
    "log_limit",
    "share_text",
    "tally",
    "time_left",
    "tolerated_share",
]
