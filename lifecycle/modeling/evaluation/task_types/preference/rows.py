"""The rows of preferences are those of rankings."""

from lifecycle.modeling.evaluation.task_types.ranking.rows import RankedRows

ENTRY = RankedRows("preference")
