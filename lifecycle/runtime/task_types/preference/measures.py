"""Preference models are scored like ranking models."""

from lifecycle.runtime.task_types.ranking.measures import Ranking

ENTRY = Ranking("preference")
