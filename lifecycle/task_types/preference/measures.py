"""A model of preferences is measured as one of rankings: two responses are in order, too."""

from dataclasses import replace

from lifecycle.task_types.ranking import measures as ranking

ENTRY = replace(ranking.ENTRY, task="preference")
