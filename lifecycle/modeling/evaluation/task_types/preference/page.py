"""Evaluation pages of preferences, based on those of rankings."""

from lifecycle.modeling.evaluation.task_types.preference.rows import ENTRY as ROWS
from lifecycle.modeling.evaluation.task_types.ranking.page import RankedPage


class PreferencePage(RankedPage):
    """Each row is one pair."""

    loss = "the negative log-probability of the preferred response; for ties, the mean of both"


ENTRY = PreferencePage(ROWS)
