"""The charts of drift. Pure: what was measured in, figures out; colours are tokens. The window is blue, the
evaluation graphite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from lifecycle.runtime.words import things
from lifecycle.ui.charts import Chart
from lifecycle.ui.numbers import count, decimals, percent
from monitoring.drift.agreement import Agreement
from monitoring.drift.judging import shown
from monitoring.drift.measuring.bins import CATEGORIES
from monitoring.drift.rules import Monitor
from monitoring.drift.statistics import MISSING, OTHER
from monitoring.traffic.rules import FEEDBACK_LEAST
from monitoring.traffic.senders import asked_by

WINDOW, REFERENCE = "$c1", "$c2"
DEPTH = [[0, "$hair"], [1, WINDOW]]
BEYOND = 2.0  # of the limit: the end of the scale
LIMIT = {"color": "$bad", "width": 1, "dash": "dot"}
END = {"xanchor": "left", "xshift": 4, "showarrow": False, "name": "end"}
ACCURACY = (
    "Blue: expected, with a band of 3 standard errors (window and evaluation); rust: correct from feedback,"
    " 95 % intervals."
)
ACCURACY_HEAD = [
    "UTC",
    "expected",
    "low",
    "high",
    "predictions",
    "correct (from feedback)",
    "low",
    "high",
    "with feedback",
]
NAMES = {OTHER: "all others", MISSING: "missing"}


# ── One window ──────────────────────────────────────────────────────────────
def bins(monitor: str, rows: Sequence[Sequence[Any]], result: Mapping[str, Any]) -> Chart:
    """The shares of the bins of one monitor in the evaluation and in the window. rows: [name, evaluation,
    window], counts.
    """
    names = [named(row[0]) for row in rows]
    before, now = both_shares(rows, result)
    most = max(range(len(rows)), key=lambda at: abs(now[at] - before[at]))
    across = monitor in CATEGORIES
    bars = [
        bar("evaluation", names, before, REFERENCE, across=across),
        bar("window", names, now, WINDOW, across=across),
    ]
    value = {"ticksuffix": " %", "rangemode": "tozero"}
    layout: dict[str, Any] = {
        "barmode": "group",
        "bargap": 0.3,
        "hovermode": "y unified" if across else "x unified",
    }
    if across:
        layout |= {
            "xaxis": value,
            "yaxis": {"autorange": "reversed", "showgrid": False, "type": "category", "nticks": len(rows)},
        }
    else:
        layout |= {
            "yaxis": value,
            "xaxis": {"type": "category", "nticks": 12, "tickangle": 0 if len(rows) < 6 else -35},
        }
    lead = f"{shown(monitor, result['value'])}, limit {shown(monitor, result['limit'])}."
    moved = (
        f"Largest change: {names[most]}, {percent(before[most], 1)} to {percent(now[most], 1)}. Blue: window,"
        " graphite: evaluation."
    )
    table = [
        [name, row[1], percent(before[at], 1), row[2], percent(now[at], 1)]
        for at, (name, row) in enumerate(zip(names, rows, strict=True))
    ]
    tall = "taller" if len(rows) > 12 else "tall"
    return Chart(
        id=f"bins-{monitor}",
        lead=lead,
        caption=moved,
        figure={"data": bars, "layout": layout},
        head=["bin", "evaluation", "share", "window", "share"],
        rows=table,
        size=tall if across and len(rows) > 6 else "",
    )


def bar(
    name: str, names: Sequence[str], values: Sequence[float], colour: str, *, across: bool
) -> dict[str, Any]:
    """One side's bars; across: names on the vertical axis, where they are long."""
    heights = [round(100 * value, 2) for value in values]
    place = (
        {"x": heights, "y": list(names), "orientation": "h"} if across else {"x": list(names), "y": heights}
    )
    value = "%{x:.1f} %" if across else "%{y:.1f} %"
    return {
        "type": "bar",
        "name": name,
        "marker": {"color": colour},
        "hovertemplate": f"{value}<extra>{name}</extra>",
    } | place


def both_shares(rows: Sequence[Sequence[Any]], result: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """The bins' shares of the evaluation and of the window: of their sums, or of all predictions where one
    may be in several bins.
    """
    before, now = [row[1] for row in rows], [row[2] for row in rows]
    n, m = (result["n"], result["m"]) if result.get("rates") else (sum(before), sum(now))
    return [each / (n or 1) for each in before], [each / (m or 1) for each in now]


def named(name: str) -> str:
    """A bin as people read it."""
    return NAMES.get(name, name)


# ── Weeks ───────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Day:
    """The windows that ended on a day. ratios: monitor → the largest, 1 is its limit; what was not measured
    is missing.
    """

    day: date
    ratios: Mapping[str, float]


def heat(days: Sequence[Day], monitors: Sequence[Monitor]) -> Chart:
    """Monitor by day: how far each was on the way to its limit. Empty cells were not measured."""
    z = [
        [None if (ratio := day.ratios.get(each)) is None else round(ratio, 3) for day in days]
        for each in monitors
    ]
    drawn = [[None if value is None else min(BEYOND, max(0.0, value)) for value in line] for line in z]
    trace = {
        "type": "heatmap",
        "x": [day.day.isoformat() for day in days],
        "y": [each.label for each in monitors],
        "z": drawn,
        "customdata": z,
        "colorscale": DEPTH,
        "zmin": 0,
        "zmax": BEYOND,
        "hoverongaps": False,
        "colorbar": {"tickvals": [0, 1, 2], "ticktext": ["as evaluated", "limit", "twice"]},
        "hovertemplate": "%{y}, %{x}: %{customdata:.2f} of its limit<extra></extra>",
    }
    layout = {
        "hovermode": "closest",
        "yaxis": {"autorange": "reversed", "showgrid": False, "nticks": len(monitors)},
        "xaxis": {"type": "date"},
    }
    rows = [[day.day.isoformat(), *(format_value(day.ratios.get(each)) for each in monitors)] for day in days]
    return Chart(
        id="weeks",
        lead=heat_lead(days, monitors),
        caption="Largest value of each day relative to the limit; empty: not measured.",
        figure={"data": [trace], "layout": layout},
        head=["UTC", *(each.label for each in monitors)],
        rows=rows,
    )


def heat_lead(days: Sequence[Day], monitors: Sequence[Monitor]) -> str:
    """The finding: what was beyond its limit most often."""
    beyond = {each: sum(day.ratios.get(each, 0.0) > 1 for day in days) for each in monitors}
    most = max(beyond, key=lambda each: beyond[each])
    measured = sum(bool(day.ratios) for day in days)
    if not beyond[most]:
        return f"Nothing exceeded its limit on {count(measured)} day{'s' * (measured != 1)}."
    return f"{most.label} exceeded its limit on {count(beyond[most])} of {count(measured)} days."


def format_value(value: float | None) -> str:
    """A ratio for the data table."""
    return "" if value is None else decimals(value, 2)


# ── Accuracy ────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Accuracy:
    """A stretch of time. estimate, realised: {value, low, high, rows}, shares; None where there is none."""

    at: datetime
    estimate: Mapping[str, Any] | None
    realised: Mapping[str, Any] | None


def accuracy(points: Sequence[Accuracy], known: float | None, cut: datetime | None = None) -> Chart:
    """Expected accuracy with its band, and the share correct by feedback where there is any. known: on the
    evaluation.

    cut: where the estimates begin, if there are more windows before than are drawn.
    """
    estimated = [point for point in points if point.estimate]
    judged = [point for point in points if point.realised]
    band = {
        "type": "scatter",
        "mode": "lines",
        "line": {"width": 0},
        "hoverinfo": "skip",
        "x": [stamp(point.at) for point in estimated],
    }
    data: list[dict[str, Any]] = []
    if estimated:
        data += [
            {**band, "y": [scaled(point.estimate, "low") for point in estimated]},
            {
                **band,
                "y": [scaled(point.estimate, "high") for point in estimated],
                "fill": "tonexty",
                "fillcolor": f"{WINDOW}/14",
            },
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": "expected",
                "x": [stamp(point.at) for point in estimated],
                "y": [scaled(point.estimate, "value") for point in estimated],
                "line": {"color": WINDOW},
                "marker": {"size": 4},
            },
        ]
    if judged:
        data.append(realised(judged))
    layout: dict[str, Any] = {
        "yaxis": {"ticksuffix": " %", "range": bounds(points, known)},
        "xaxis": {"type": "date"},
        "shapes": [],
        "annotations": [],
    }
    if known is not None:
        layout |= level(100 * known)
    rows = [[stamp(point.at), *part(point.estimate), *part(point.realised)] for point in points]
    cut_at = f" Estimates before {stamp(cut)} UTC aren't drawn because there are too many." if cut else ""
    return Chart(
        id="accuracy",
        lead=accuracy_lead(estimated, judged),
        caption=f"{ACCURACY}{cut_at}",
        figure={"data": data, "layout": layout},
        head=ACCURACY_HEAD,
        rows=rows,
    )


def realised(judged: Sequence[Accuracy]) -> dict[str, Any]:
    """Dots with intervals: the share called right."""
    values = [scaled(point.realised, "value") for point in judged]
    error = {
        "type": "data",
        "symmetric": False,
        "thickness": 1,
        "width": 3,
        "array": [
            round(scaled(point.realised, "high") - value, 2)
            for point, value in zip(judged, values, strict=True)
        ],
        "arrayminus": [
            round(value - scaled(point.realised, "low"), 2)
            for point, value in zip(judged, values, strict=True)
        ],
    }
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "correct (from feedback)",
        "x": [stamp(point.at) for point in judged],
        "y": values,
        "marker": {"color": "$c3", "size": 6, "symbol": "diamond"},
        "error_y": error,
    }


def agreement(days: Sequence[tuple[date, Agreement]], total: Agreement, known: float | None) -> Chart:
    """Kendall's tau of orders with those of feedback, by day, with intervals. known: on the evaluation."""
    values = [round(each.value, 3) for _, each in days]
    trace = {
        "type": "scatter",
        "mode": "markers",
        "name": "Kendall's tau",
        "x": [day.isoformat() for day, _ in days],
        "y": values,
        "marker": {"color": "$c3", "size": 6, "symbol": "diamond"},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "thickness": 1,
            "width": 3,
            "array": [0 if each.high is None else round(each.high - each.value, 3) for _, each in days],
            "arrayminus": [0 if each.low is None else round(each.value - each.low, 3) for _, each in days],
        },
    }
    layout: dict[str, Any] = {"yaxis": {"range": [-1.05, 1.05]}, "xaxis": {"type": "date"}}
    if known is not None:
        layout |= level(known)
    without = (
        f" {things(total.without, 'incorrect prediction')} without the correct order not included."
        if total.without
        else ""
    )
    return Chart(
        id="orders",
        lead=f"{tau_words(total)}." + (f" Evaluation {decimals(known, 2)}." if known is not None else ""),
        caption=f"Kendall's tau by day, 95 % intervals; a correct prediction has 1.{without}",
        figure={"data": [trace], "layout": layout},
        head=["UTC", "Kendall's tau", "low", "high", "with feedback"],
        rows=[
            [day.isoformat(), *(format_value(at) for at in (each.value, each.low, each.high)), each.rows]
            for day, each in days
        ],
    )


def tau_words(found: Agreement) -> str:
    """A tau with its interval and rows: 0.62 [0.55 to 0.69] of 120, by at least 40 senders."""
    between = "" if found.low is None else f" [{decimals(found.low, 2)} to {decimals(found.high or 0, 2)}]"
    return f"{decimals(found.value, 2)}{between} of {count(found.rows)}, {asked_by(found.senders)}"


def level(value: float) -> dict[str, Any]:
    """A dotted line across, named evaluation, as part of a layout."""
    line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": value, "y1": value}
    return {
        "shapes": [line | {"line": {"color": REFERENCE, "width": 1, "dash": "dot"}}],
        "annotations": [{"xref": "paper", "x": 1, "y": value, "text": "evaluation", **END}],
    }


def accuracy_lead(estimated: Sequence[Accuracy], judged: Sequence[Accuracy]) -> str:
    """The newest of both; of feedback the newest day with enough of it."""
    parts = []
    if estimated and estimated[-1].estimate:
        found = estimated[-1].estimate
        parts.append(
            f"Expected {percent(found['value'], 1)} [{percent(found['low'], 1)} to"
            f" {percent(found['high'], 1)}]."
        )
    enough = [each.realised for each in judged if each.realised and each.realised["rows"] >= FEEDBACK_LEAST]
    if enough:
        found = enough[-1]
        parts.append(f"Correct (from feedback): {percent(found['value'], 1)} of {count(found['rows'])}.")
    return " ".join(parts)


def bounds(points: Sequence[Accuracy], known: float | None) -> list[float]:
    """The axis: from the lowest end, a step of five down, to 100."""
    lows = [scaled(each, "low") for point in points for each in (point.estimate, point.realised) if each]
    lowest = min([*lows, 100 * known if known is not None else 100.0])
    return [max(0.0, 5.0 * int((lowest - 2) // 5)), 100.5]


def scaled(found: Mapping[str, Any] | None, name: str) -> float:
    """A share as a percentage."""
    return round(100 * float(found[name]), 2) if found else 0.0


def part(found: Mapping[str, Any] | None) -> list[Any]:
    """value, low, high, rows for the data table."""
    return (
        [percent(found["value"], 1), percent(found["low"], 1), percent(found["high"], 1), found["rows"]]
        if found
        else ["", "", "", ""]
    )


def stamp(moment: datetime) -> str:
    """A moment as Plotly takes it, UTC."""
    return moment.strftime("%Y-%m-%d %H:%M")
