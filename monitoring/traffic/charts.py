"""The charts of an endpoint's traffic. Pure: points in, figures out; colours are tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lifecycle.ui.charts import Chart
from lifecycle.ui.numbers import count, percent, unit
from monitoring.traffic.queries import Point, Total
from monitoring.traffic.rules import SHADOW

COLOURS = ("$c1", "$c2", "$c3", "$c4")


def stamp(point: Point) -> str:
    """A moment as Plotly takes it, UTC."""
    return point.start.strftime("%Y-%m-%d %H:%M")


def by_version(point: Point) -> dict[str, int]:
    """semver → requests, "" for those that no version answered."""
    found: dict[str, int] = {}
    for (version, arm), counts in point.arms.items():
        if arm != SHADOW:
            found[version] = found.get(version, 0) + counts.requests
    return found


def volume(points: Sequence[Point], total: Total) -> Chart:
    """Requests by version, one bar a step."""
    names = {name for point in points for name in by_version(point)}
    versions = [*sorted(names - {""}, reverse=True), *(names & {""})]
    bars = [
        {
            "type": "bar", "name": version or "no answer", "x": [stamp(point) for point in points],
            "y": [by_version(point).get(version, 0) for point in points],
            "marker": {"color": COLOURS[min(at, len(COLOURS) - 1)] if version else "$bad"},
        }
        for at, version in enumerate(versions)
    ]  # fmt: skip
    layout = {
        "barmode": "stack",
        "yaxis": {"rangemode": "tozero"},
        "showlegend": len(versions) > 1,
        "legend": {"orientation": "h", "y": 1.25},
    }
    rows = [[stamp(point), *[by_version(point).get(version, 0) for version in versions]] for point in points]
    return Chart(
        id="volume", lead=f"{count(total.requests)} requests,", caption="by version.",
        head=["UTC", *[name or "no answer" for name in versions]],
        figure={"data": bars, "layout": layout}, rows=rows, size="short",
    )  # fmt: skip


def latency(points: Sequence[Point], total: Total) -> Chart:
    """p50 and p95 of answered requests."""
    times = [stamp(point) for point in points]
    lines = [
        line("p95", "$c1", times, [point.counts.p95_ms for point in points]),
        line("p50", "$c2", times, [point.counts.p50_ms for point in points]),
    ]
    ends = [end(name, colour, points, field) for name, colour, field in (("p95", "$c1", "p95_ms"), ("p50", "$c2", "p50_ms"))]
    rows = [[stamp(point), rounded(point.counts.p50_ms), rounded(point.counts.p95_ms)] for point in points]
    layout = {"yaxis": {"rangemode": "tozero"}, "annotations": [each for each in ends if each]}
    return Chart(
        id="latency", lead=f"p95 {unit(total.p95_ms, 'ms', 1)},",
        caption=f"half within {unit(total.p50_ms, 'ms', 1)}; measured in the server.",
        figure={"data": lines, "layout": layout}, head=["UTC", "p50 ms", "p95 ms"], rows=rows, size="short",
    )  # fmt: skip


def errors(points: Sequence[Point], total: Total) -> Chart:
    """The share of requests without an answer."""
    shares = [100 * point.counts.errors / point.counts.requests if point.counts.requests else None for point in points]
    figure = {
        "data": [line("errors", "$bad", [stamp(point) for point in points], shares)],
        "layout": {"yaxis": {"rangemode": "tozero", "ticksuffix": " %"}},
    }
    rows = [[stamp(point), point.counts.errors, point.counts.requests] for point in points]
    lead = f"{count(total.errors)} of {count(total.requests)} requests failed," if total.errors else "No request failed."
    caption = f"{percent(total.error_share, 2)}." if total.errors else ""
    return Chart(id="errors", lead=lead, caption=caption, figure=figure, head=["UTC", "errors", "requests"], rows=rows, size="short")


def line(name: str, colour: str, times: list[str], values: list[float | None]) -> dict[str, Any]:
    """One curve; gaps where nothing was measured."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": times,
        "y": values,
        "line": {"color": colour},
        "marker": {"size": 4},
    }


def end(name: str, colour: str, points: Sequence[Point], field: str) -> dict[str, Any] | None:
    """The direct label at the last measured point of a curve."""
    last = next((point for point in reversed(points) if getattr(point.counts, field) is not None), None)
    if last is None:
        return None
    place = {"xanchor": "left", "xshift": 4, "name": "end", "showarrow": False}
    return {"x": stamp(last), "y": getattr(last.counts, field), "text": name, "font": {"color": colour}} | place


def rounded(value: float | None) -> float | str:
    """A figure for the data table."""
    return "" if value is None else round(value, 2)
