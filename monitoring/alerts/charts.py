"""The charts of alerts. Pure: points in, figures out; colours are tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from lifecycle.ui.charts import Chart
from lifecycle.ui.numbers import decimals, percent
from monitoring.alerts.models import Check
from monitoring.alerts.rules.burn import ROWS, BurnRule, Count

END = {"xanchor": "left", "xshift": 4, "showarrow": False, "name": "end"}


def stamp(moment: datetime) -> str:
    """A moment as Plotly takes it, UTC."""
    return moment.strftime("%Y-%m-%d %H:%M")


def budget(
    kind: str, starts: Sequence[datetime], counts: Sequence[Count], target: float, window_days: int
) -> Chart:
    """How the budget of a window was spent, step by step. Each step counts at its end; the budget is that of
    all the window's traffic.
    """
    allowed = sum(count.total for count in counts) * (1 - target)
    left, spent = [], 0
    for count in counts:
        spent += count.bad
        left.append(100 * (1 - spent / allowed) if allowed else None)
    last = left[-1] if left else None
    bound = min(0.0, min((value for value in left if value is not None), default=0.0))
    times = [stamp(start) for start in starts]
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "left",
            "x": times,
            "y": left,
            "line": {"color": "$c1", "width": 1.75},
        }
    ]
    layout: dict[str, Any] = {
        "yaxis": {"range": [bound * 1.1, 105], "nticks": 4, "ticksuffix": " %"},
        "shapes": [
            {"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": 0, "y1": 0, "line": dotted("$bad")}
        ],
        "annotations": [],
    }
    if last is not None:
        colour = "$bad" if last <= 0 else "$c1"
        layout["annotations"] = [
            {
                "x": times[-1],
                "y": last,
                "text": f"{decimals(last, 0)} %",
                "yshift": 8,
                "font": {"color": colour},
                **END,
            }
        ]
    if last is None:
        lead = "No data, so no budget."
    else:
        over = (
            f"The budget is overspent by {percent(-last / 100, 1, (0,))},"
            if last < 0
            else "The budget is spent,"
        )
        lead = f"{percent(last / 100, 1, (0, 1))} of the budget is left," if last > 0 else over
    caption = (
        "" if last is None else f"{decimals(spent, 0)} spent of {decimals(allowed, 1)} in {window_days} days."
    )
    rows = [
        [time, count.bad, count.total, "" if value is None else decimals(value, 1)]
        for time, count, value in zip(times, counts, left, strict=True)
    ]
    return Chart(
        id=f"budget-{kind}",
        lead=lead,
        caption=caption,
        figure={"data": data, "layout": layout},
        head=["UTC", "bad", "events", "left, %"],
        rows=rows,
        size="short",
    )


def burns(checks: Sequence[Check], at: int, window_days: int) -> Chart:
    """The burn rates of one row of the table around an alert. checks: oldest first; at: which row."""
    row: BurnRule = ROWS[at]
    limit = row.burn(timedelta(days=window_days))
    known = [check for check in checks if len(check.burns) > at]
    times = [stamp(check.at) for check in known]
    long, short = ([check.burns[at][side] for check in known] for side in (0, 1))
    name_long, name_short = row.name.split(" / ")
    data = [curve(name_short, "$c2", times, short), curve(name_long, "$c1", times, long)]
    layout = {
        "yaxis": {"rangemode": "tozero", "nticks": 4},
        "shapes": [
            {
                "type": "line",
                "x0": 0,
                "x1": 1,
                "xref": "paper",
                "y0": limit,
                "y1": limit,
                "line": dotted("$bad"),
            }
        ],
        "annotations": [
            {
                "x": 0,
                "xref": "paper",
                "xanchor": "left",
                "y": limit,
                "yshift": 9,
                "showarrow": False,
                "text": f"{row.severity.label.lower()} above {decimals(limit, 1)}",
                "font": {"size": 11, "color": "$bad"},
            },
            *ends(times, {name_long: (long, "$c1"), name_short: (short, "$c2")}),
        ],
    }
    peak = max((value for value in long if value is not None), default=None)
    lead = f"The burn rate peaked at {decimals(peak, 1)}." if peak is not None else "No data."
    rows = [
        [time, format_value(one), format_value(other)]
        for time, one, other in zip(times, long, short, strict=True)
    ]
    return Chart(
        id="burns",
        lead=lead,
        caption=(
            "At burn rate 1 the budget lasts exactly its window. Both windows must exceed the limit to fire."
        ),
        figure={"data": data, "layout": layout},
        head=["UTC", name_long, name_short],
        rows=rows,
        size="short",
    )


def curve(name: str, colour: str, times: list[str], values: list[float | None]) -> dict[str, Any]:
    """One curve; gaps where nothing was measured."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": times,
        "y": values,
        "line": {"color": colour, "width": 1.75},
        "marker": {"size": 3},
    }


def ends(times: list[str], lines: dict[str, tuple[list[float | None], str]]) -> list[dict[str, Any]]:
    """The direct labels at the last measured points, kept apart."""
    found: list[dict[str, Any]] = []
    for name, (values, colour) in lines.items():
        at = next((at for at in range(len(values) - 1, -1, -1) if values[at] is not None), None)
        if at is not None:
            found.append(
                {"x": times[at], "y": values[at], "text": name, "font": {"color": colour, "size": 12}, **END}
            )
    if len(found) == 2:
        higher = found[0]["y"] >= found[1]["y"]
        found[0]["yshift"], found[1]["yshift"] = (7, -7) if higher else (-7, 7)
    return found


def dotted(colour: str) -> dict[str, Any]:
    """A limit."""
    return {"color": colour, "width": 1, "dash": "dot"}


def format_value(value: float | None) -> str:
    """A figure for the table."""
    return "" if value is None else decimals(value, 2)
