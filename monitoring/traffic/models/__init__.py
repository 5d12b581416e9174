"""Predictions, feedback on them, their figures by minute, hour, and day, and their business outcomes."""

from __future__ import annotations

from monitoring.traffic.models.outcome import Kpi, Outcome, OutcomeDay, Side
from monitoring.traffic.models.prediction import ANSWERED, Feedback, GuardTrip, Prediction, ShadowAnswer
from monitoring.traffic.models.probe import ProbeMinute
from monitoring.traffic.models.rollup import DayRollup, HourRollup, MinuteRollup, Rollup, RollupMark

__all__ = [
    "ANSWERED",
    "DayRollup",
    "Feedback",
    "GuardTrip",
    "HourRollup",
    "Kpi",
    "MinuteRollup",
    "Outcome",
    "OutcomeDay",
    "Prediction",
    "ProbeMinute",
    "Rollup",
    "RollupMark",
    "ShadowAnswer",
    "Side",
]
