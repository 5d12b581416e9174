"""Preferences use the predictions file of rankings."""

from lifecycle.runtime.task_types.ranking.predictions import RankingFile

ENTRY = RankingFile("preference")
