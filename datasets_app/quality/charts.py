"""Charts of a queue's quality page. Pure; colors are tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from lifecycle.runtime.words import things
from lifecycle.ui.charts import Chart
from lifecycle.ui.numbers import count

DAY_MS = 86_400_000


def throughput(days: Sequence[tuple[str, int]], week: int) -> Chart:
    """Current annotations by day. days: (ISO date, annotations), without gaps. week: annotations of the last
    7 days.
    """
    numbers = [answers for _, answers in days]
    names = [f"{day.day} {day:%b}" for day in (date.fromisoformat(each) for each, _ in days)]
    bars = {
        "type": "bar",
        "x": [each for each, _ in days],
        "y": numbers,
        "width": 0.8 * DAY_MS,
        "text": names,
        "textposition": "none",
        "marker": {"color": "$c1"},
        "hovertemplate": "%{text}: %{y}<extra></extra>",
    }
    layout = {
        "xaxis": {"type": "date", "tickformat": "%-d %b", "dtick": DAY_MS * -(-len(days) // 6)},
        "yaxis": {"rangemode": "tozero", "dtick": max(1, -(-max(numbers, default=0) // 4))},
    }
    best = max(range(len(days)), key=numbers.__getitem__)
    caption = f"Peak: {count(numbers[best])} on {names[best]}. Excludes annotations that were replaced since."
    return Chart(
        id="throughput",
        lead=f"{things(week, 'annotation')} in the last 7 days.",
        caption=caption,
        figure={"data": [bars], "layout": layout},
        head=["day", "annotations"],
        rows=[[day, answers] for day, answers in days],
        size="short",
    )
