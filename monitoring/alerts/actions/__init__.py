"""Raising, notifying, acknowledging, silencing."""

from __future__ import annotations

from monitoring.alerts.actions.evaluating import evaluate, forget_checks
from monitoring.alerts.actions.handling import acknowledge, end_silence, resolve, silence
from monitoring.alerts.actions.notifying import digest, notify_due
from monitoring.alerts.actions.objectives import set_objective, switch_objective
from monitoring.alerts.actions.raising import note_suppressed, raise_alert, resolve_alert
from monitoring.alerts.actions.reading import read_outbox
from monitoring.alerts.actions.watching import beat, is_evaluation_missed, ping

__all__ = [
    "acknowledge",
    "beat",
    "digest",
    "end_silence",
    "evaluate",
    "forget_checks",
    "is_evaluation_missed",
    "note_suppressed",
    "ping",
    "raise_alert",
    "read_outbox",
    "resolve",
    "resolve_alert",
    "set_objective",
    "silence",
    "switch_objective",
    "notify_due",
]
