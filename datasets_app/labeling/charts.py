"""The charts of labeling. Pure: figures in, charts out; colours are tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from lifecycle.ui.charts import Chart
from lifecycle.ui.numbers import count


def throughput(days: Sequence[tuple[str, int]], week: int) -> Chart:
    """Standing answers by the day on which they were given. days: (ISO date, answers), without gaps. week: answers of the last 7 days."""
    numbers = [answers for _, answers in days]
    names = [f"{day:%b} {day.day}" for day in (date.fromisoformat(each) for each, _ in days)]
    bars = {
        "type": "bar",
        "x": [each for each, _ in days],
        "y": numbers,
        "text": names,
        "textposition": "none",
        "marker": {"color": "$c1"},
        "hovertemplate": "%{text}: %{y}<extra></extra>",
    }
    layout = {
        "xaxis": {"type": "date", "tickformat": "%-d %b", "nticks": 6},
        "yaxis": {"rangemode": "tozero", "dtick": max(1, -(-max(numbers, default=0) // 4))},
        "bargap": 0.2,
    }
    best = max(days, key=lambda each: each[1])
    caption = f"Most on one day: {count(best[1])}, on {best[0]}. Answers that were replaced since are not counted."
    return Chart(
        id="throughput", lead=f"{count(week)} answers in the last 7 days.", caption=caption,
        figure={"data": [bars], "layout": layout}, head=["day", "answers"], rows=[[day, answers] for day, answers in days], size="short",
    )  # fmt: skip
