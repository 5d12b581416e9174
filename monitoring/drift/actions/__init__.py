"""Changing what is known of drift."""

from __future__ import annotations

from monitoring.drift.actions.ask import ask
from monitoring.drift.actions.baseline import baseline
from monitoring.drift.actions.measure import measure
from monitoring.drift.actions.texts import check_texts, check_texts_of_day
from monitoring.drift.actions.tick import catch_up, tick

__all__ = ["ask", "baseline", "catch_up", "check_texts", "check_texts_of_day", "measure", "tick"]
