"""The charts of an endpoint's traffic. Pure: points in, figures out; colours are tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.ui.charts import Chart
from lifecycle.ui.numbers import count, percent, unit
from monitoring.traffic import histogram
from monitoring.traffic.queries import Point, Total, Week
from monitoring.traffic.rules import CONFIDENCE_BINS, SHADOW

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
            "type": "bar",
            "name": version or "no prediction",
            "x": [stamp(point) for point in points],
            "y": [by_version(point).get(version, 0) for point in points],
            "marker": {"color": COLOURS[min(at, len(COLOURS) - 1)] if version else "$bad"},
        }
        for at, version in enumerate(versions)
    ]
    layout = {
        "barmode": "stack",
        "yaxis": {"rangemode": "tozero"},
        "showlegend": len(versions) > 1,
        "legend": {"orientation": "h", "y": 1.25},
    }
    rows = [[stamp(point), *[by_version(point).get(version, 0) for version in versions]] for point in points]
    return Chart(
        id="volume",
        lead=f"{count(total.requests)} request{'' if total.requests == 1 else 's'},",
        caption="by version.",
        head=["UTC", *[name or "no prediction" for name in versions]],
        figure={"data": bars, "layout": layout},
        rows=rows,
        size="short",
    )


def latency(points: Sequence[Point], total: Total) -> Chart:
    """p50, p95 and p99 of answered requests."""
    named = (("p99", "$c3", "p99_ms"), ("p95", "$c1", "p95_ms"), ("p50", "$c2", "p50_ms"))
    times = [stamp(point) for point in points]
    values = {name: [getattr(point.counts, field) for point in points] for name, _, field in named}
    lines = [line(name, colour, times, values[name]) for name, colour, _ in named]
    ends = [end(name, colour, times, values[name]) for name, colour, _ in named]
    rows = [
        [at, *(rounded(values[name][place]) for name in ("p50", "p95", "p99"))]
        for place, at in enumerate(times)
    ]
    layout = {"yaxis": {"rangemode": "tozero"}, "annotations": [each for each in ends if each]}
    return Chart(
        id="latency",
        lead=f"p95 {unit(total.p95_ms, 'ms', 1)},",
        caption=f"half within {unit(total.p50_ms, 'ms', 1)}; measured on the server.",
        figure={"data": lines, "layout": layout},
        head=["UTC", "p50 ms", "p95 ms", "p99 ms"],
        rows=rows,
        size="short",
    )


def errors(points: Sequence[Point], total: Total) -> Chart:
    """The share of requests without an answer."""
    shares = [
        None if point.counts.error_share is None else 100 * point.counts.error_share for point in points
    ]
    figure = {
        "data": [line("errors", "$bad", [stamp(point) for point in points], shares)],
        "layout": {"yaxis": {"rangemode": "tozero", "ticksuffix": "\u00a0%"}},
    }
    rows = [
        [stamp(each), each.counts.errors, each.counts.shed, each.counts.refused, each.counts.requests]
        for each in points
    ]
    lead = (
        f"{count(total.errors)} of {count(total.taken)} requests failed,"
        if total.errors
        else "No failed requests."
    )
    caption = f"{percent(total.error_share, 2, (0, 1))}." if total.errors else ""
    aside = (
        f"{count(total.shed)} rejected due to overload, {count(total.refused)} client errors."
        if total.shed or total.refused
        else ""
    )
    return Chart(
        id="errors",
        lead=lead,
        caption=f"{caption} {aside}".strip(),
        figure=figure,
        head=["UTC", "errors", "overloaded", "client errors", "requests"],
        rows=rows,
        size="short",
    )


def labels(points: Sequence[Point], total: Total) -> Chart:
    """What was answered: the share of each of the commonest labels by step, the rest as one."""
    common = sorted(total.labels, key=lambda name: (-total.labels[name], name))[: len(COLOURS)]
    rest = len(total.labels) > len(common)
    times = [stamp(point) for point in points]
    shares = [split(point.counts.labels, common) for point in points]
    bars = [
        {
            "type": "bar",
            "name": visible_name(name),
            "x": times,
            "y": [row and row[at] for row in shares],
            "marker": {"color": colour},
        }
        for at, (name, colour) in enumerate(zip(common, COLOURS, strict=False))
    ]
    if rest:
        bars.append(
            {
                "type": "bar",
                "name": "other",
                "x": times,
                "y": [row and row[-1] for row in shares],
                "marker": {"color": "$ink-3"},
            }
        )
    layout = {
        "barmode": "stack",
        "yaxis": {"range": [0, 100], "ticksuffix": "\u00a0%"},
        "legend": {"orientation": "h", "y": 1.25},
    }
    answered = sum(total.labels.values())
    lead = (
        f"{visible_name(common[0])} in {percent(total.labels[common[0]] / answered, 1)} of predictions."
        if common
        else "No predictions."
    )
    caption = f"{len(total.labels)} labels predicted." if len(total.labels) > 1 else ""
    head = ["UTC", *[visible_name(name) for name in common], *(["other"] if rest else [])]
    rows = [
        [at, *(round(share, 1) for share in (row or [])[: len(head) - 1])]
        for at, row in zip(times, shares, strict=True)
    ]
    return Chart(
        id="labels",
        lead=lead,
        caption=caption,
        figure={"data": bars, "layout": layout},
        head=head,
        rows=rows,
        size="short",
    )


def visible_name(label: str) -> str:
    """A label as Plotly and a table cell show it: no markup, no control characters obeyed."""
    return "".join(each if each.isprintable() else "·" for each in label).replace("<", "‹").replace(">", "›")


def split(counts: Mapping[str, int], common: Sequence[str]) -> list[float] | None:
    """The shares of these labels and of all others, in per cent; None where nothing was answered."""
    total = sum(counts.values())
    if not total:
        return None
    parts = [100 * counts.get(name, 0) / total for name in common]
    return [*parts, max(0.0, 100 - sum(parts))]


def confidence(points: Sequence[Point], total: Total) -> Chart:
    """The mean confidence of answers, and what the least confident tenth stays below."""
    times = [stamp(point) for point in points]
    mean = [scaled(point.counts.mean_confidence) for point in points]
    low = [
        scaled(histogram.share_quantile(point.counts.confidence, CONFIDENCE_BINS, 0.1)) for point in points
    ]
    lines = [line("mean", "$c1", times, mean), line("10th percentile", "$c2", times, low)]
    ends = [end("mean", "$c1", times, mean), end("10th percentile", "$c2", times, low)]
    layout = {
        "yaxis": {"range": [0, 100], "ticksuffix": "\u00a0%"},
        "annotations": [each for each in ends if each],
    }
    tenth = histogram.share_quantile(total.confidence, CONFIDENCE_BINS, 0.1)
    rows = [[at, rounded(mean[place]), rounded(low[place])] for place, at in enumerate(times)]
    return Chart(
        id="confidence",
        lead=f"Mean confidence {percent(total.mean_confidence, 1)},",
        caption=f"10th percentile {percent(tenth)}.",
        figure={"data": lines, "layout": layout},
        head=["UTC", "mean %", "10th percentile %"],
        rows=rows,
        size="short",
    )


def kpi(name: str, unit_name: str, is_share: bool, weeks: Sequence[Week]) -> Chart:
    """A business figure by week, with the model and held out from it."""
    times = [week.start.strftime("%Y-%m-%d") for week in weeks]
    factor = 100.0 if is_share else 1.0
    found = {"model": [week.model for week in weeks], "hold-out": [week.holdout for week in weeks]}
    sides = {
        side: [None if mean is None else factor * mean for mean, _ in sums] for side, sums in found.items()
    }
    lines = [
        line("with the model", "$c1", times, sides["model"]),
        line("hold-out", "$c2", times, sides["hold-out"]),
    ]
    ends = [
        end("with the model", "$c1", times, sides["model"]),
        end("hold-out", "$c2", times, sides["hold-out"]),
    ]
    suffix = "%" if is_share else unit_name
    layout = {
        "yaxis": {"ticksuffix": f"\u00a0{suffix}" if suffix else ""},
        "annotations": [each for each in ends if each],
    }
    rows = [
        [
            at,
            rounded(sides["model"][place]),
            weeks[place].model[1],
            rounded(sides["hold-out"][place]),
            weeks[place].holdout[1],
        ]
        for place, at in enumerate(times)
    ]
    return Chart(
        id="kpi",
        lead=f"{name} by week,",
        caption="with and without the model; gaps: no cases reported.",
        figure={"data": lines, "layout": layout},
        rows=rows,
        size="tall",
        head=["week from", f"with the model {suffix}", "cases", f"hold-out {suffix}", "cases"],
    )


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


def end(
    name: str, colour: str, times: Sequence[str], values: Sequence[float | None]
) -> dict[str, Any] | None:
    """The direct label at the last measured point of a curve."""
    last = next((place for place in range(len(values) - 1, -1, -1) if values[place] is not None), None)
    if last is None:
        return None
    place = {"xanchor": "left", "xshift": 4, "name": "end", "showarrow": False}
    return {"x": times[last], "y": values[last], "text": name, "font": {"color": colour}} | place


def scaled(share: float | None) -> float | None:
    """In per cent."""
    return None if share is None else 100 * share


def rounded(value: float | None) -> float | str:
    """A figure for the data table."""
    return "" if value is None else round(value, 2)
