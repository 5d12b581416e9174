"""Preferences as monitoring counts them: of two candidates, the place of the better one."""

from lifecycle.runtime.task_types.preference.served import ENTRY as SERVED
from lifecycle.runtime.task_types.ranking.watched import WatchedOrders


class WatchedPreferences(WatchedOrders):
    """Without the number of candidates."""

    served = SERVED


ENTRY = WatchedPreferences()
