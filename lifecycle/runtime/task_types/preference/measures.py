"""A model of preferences is measured as one of rankings: two responses are in order, too."""

from lifecycle.runtime.task_types.ranking.measures import Ranking

ENTRY = Ranking("preference")
