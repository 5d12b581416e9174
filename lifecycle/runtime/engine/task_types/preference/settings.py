"""What is set of a run that learns which of two responses is better. No torch."""

from lifecycle.runtime.engine.task_types.ranking import settings as ranking

ENTRY = ranking.ENTRY
