"""Counts of events by window at past moments, from steps that add up. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate

from monitoring.alerts.rules.burn import WINDOWS, Count

STEP = timedelta(minutes=5)  # the shortest window, of which all others are multiples
# an evaluation that comes later than this after the one before looks at what it missed
LATE = timedelta(minutes=5)
FAR_MAX = timedelta(days=1)  # farther back nothing is made up for: budgets count those events all the same


def missed(last: datetime | None, now: datetime) -> list[datetime]:
    """The moments that were not evaluated while no one evaluated, five minutes apart, oldest first; none
    before the first evaluation.
    """
    if last is None or now - last <= LATE:
        return []
    begin = max(last + STEP, now - FAR_MAX)
    return [begin + at * STEP for at in range(int((now - begin) / STEP))]


def windows_at(moment: datetime, first: datetime, counts: Sequence[Count]) -> dict[timedelta, Count]:
    """Every window up to a moment. counts: of steps of five minutes from `first` on; the step that holds the
    moment counts whole.
    """
    bad = [0, *accumulate(count.bad for count in counts)]
    total = [0, *accumulate(count.total for count in counts)]
    end = min(len(counts), max(0, -((first - moment) // STEP)))

    def window(length: timedelta) -> Count:
        begin = max(0, end - length // STEP)
        return Count(bad[end] - bad[begin], total[end] - total[begin])

    return {length: window(length) for length in WINDOWS}
