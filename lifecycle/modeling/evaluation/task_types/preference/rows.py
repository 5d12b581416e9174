"""Preferences use the row reader of rankings."""

from lifecycle.modeling.evaluation.task_types.ranking.rows import RankedRows

ENTRY = RankedRows("preference")
