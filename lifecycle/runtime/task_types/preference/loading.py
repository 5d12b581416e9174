"""Preference models are loaded like ranking models."""

from lifecycle.runtime.task_types.ranking import loading as ranking

ENTRY = ranking.ENTRY
