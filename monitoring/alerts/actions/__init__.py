"""Raising, telling, acknowledging, silencing."""

from __future__ import annotations

from monitoring.alerts.actions.evaluating import evaluate, forget_checks
from monitoring.alerts.actions.handling import acknowledge, end_silence, resolve, silence
from monitoring.alerts.actions.objectives import set_objective, switch_objective
from monitoring.alerts.actions.raising import note_suppressed, raise_alert, resolve_alert
from monitoring.alerts.actions.reading import read_outbox
from monitoring.alerts.actions.telling import digest, tell
from monitoring.alerts.actions.watching import beat, check_heartbeat, ping

__all__ = [
    "acknowledge", "beat", "check_heartbeat", "digest", "end_silence", "evaluate", "forget_checks", "note_suppressed", "ping",
    "raise_alert", "read_outbox", "resolve", "resolve_alert", "set_objective", "silence", "switch_objective", "tell",
]  # fmt: skip
