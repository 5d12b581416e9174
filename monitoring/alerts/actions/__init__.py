"""Raising, telling, acknowledging, silencing."""

from __future__ import annotations

from monitoring.alerts.actions.raising import note_suppressed, raise_alert, resolve_alert

__all__ = ["note_suppressed", "raise_alert", "resolve_alert"]
