"""A model of preferences is loaded as one of rankings."""

from lifecycle.runtime.task_types.ranking import loading as ranking

ENTRY = ranking.ENTRY
