"""Settings of preference runs. No torch."""

from lifecycle.runtime.engine.task_types.ranking import settings as ranking

ENTRY = ranking.ENTRY
