"""The pages of preferences are those of rankings."""

from lifecycle.modeling.evaluation.task_types.preference.rows import ENTRY as ROWS
from lifecycle.modeling.evaluation.task_types.ranking.page import RankedPage


class PreferencePage(RankedPage):
    """A row is one pair."""

    loss = "minus the logarithm of the probability that the preferred response is the better one; a half of each where neither is"


ENTRY = PreferencePage(ROWS)
