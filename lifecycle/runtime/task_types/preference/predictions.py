"""The file of preferences is that of rankings."""

from lifecycle.runtime.task_types.ranking.predictions import RankingFile

ENTRY = RankingFile("preference")
