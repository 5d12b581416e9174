"""The charts of the dashboard. Pure: figures in, charts out; colours are tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from lifecycle.ui.charts import Chart
from lifecycle.ui.numbers import count, decimals, money, percent

Values = Sequence[float | None]


def kpi(
    name: str,
    unit: str,
    is_share: bool,
    weeks: Sequence[date],
    model: Values,
    holdout: Values,
    releases: Mapping[str, str],
) -> Chart:
    """A business figure by week, with the model and without it. releases: week → what took all traffic in
    it.
    """
    days = [week.isoformat() for week in weeks]
    factor, digits = (100.0, 1) if is_share else (1.0, 2)
    lines = [
        line("hold-out", "$c2", days, [scaled(value, factor) for value in holdout]),
        line("with model", "$c1", days, [scaled(value, factor) for value in model]),
    ]
    ends = [end(each, digits) for each in lines]
    marks = [vertical(day) for day in releases]
    names = [above(day, text) for day, text in releases.items()]
    known = [value for value in model if value is not None]
    lead = f"{name}: {shown(known[-1], is_share, unit)} with the model," if known else f"{name}."
    first = (
        f"{shown(known[0], is_share, unit)} {len(weeks)} weeks ago."
        if len(known) > 1
        else "in the only week with outcomes."
    )
    layout = {
        "yaxis": {"ticksuffix": "\u00a0%"} if is_share else {},
        "xaxis": {"type": "date", "range": [days[0], days[-1]]},
        "margin": {"t": 24},
        "shapes": marks,
        "annotations": [*[each for each in ends if each], *names],
    }
    rows = [
        [day, rounded(scaled(a, factor), digits), rounded(scaled(b, factor), digits)]
        for day, a, b in zip(days, model, holdout, strict=True)
    ]
    caption = first + (" Vertical lines mark releases." if releases else "")
    return Chart(
        id="kpi",
        lead=lead,
        caption=caption,
        figure={"data": lines, "layout": layout},
        head=["week from", "with model", "hold-out"],
        rows=rows,
        size="tall",
    )


def runs(
    months: Sequence[date], by_hand: Sequence[int], planned: Sequence[int], after_drift: Sequence[int]
) -> Chart:
    """Runs that ended well, by month and by what caused them."""
    names = [f"{month:%b}" for month in months]
    parts = (("manual", "$c2", by_hand), ("planned", "$c4", planned), ("after drift", "$c1", after_drift))
    totals = [sum(values) for values in zip(by_hand, planned, after_drift, strict=True)]
    figure = {
        "data": [
            {"type": "bar", "name": name, "x": names, "y": list(values), "marker": {"color": colour}}
            for name, colour, values in parts
            if any(values)
        ],
        "layout": {
            "barmode": "stack",
            "yaxis": {"rangemode": "tozero", "dtick": max(1, max(totals, default=0) // 4)},
            "annotations": [
                {"x": name, "y": total, "text": count(total), "showarrow": False, "yshift": 9}
                for name, total in zip(names, totals, strict=True)
                if total
            ],
        },
    }
    drifted = sum(after_drift)
    caption = (
        f"{count(drifted)} of {count(sum(totals))} in this period were triggered by drift or a drop in"
        " quality."
        if sum(totals)
        else ""
    )
    lead = f"{count(totals[-1])} in {months[-1]:%B}." if months else "None."
    rows = [list(row) for row in zip(names, by_hand, planned, after_drift, strict=True)]
    return Chart(
        id="runs",
        lead=lead,
        caption=caption,
        figure=figure,
        head=["month", "manual", "planned", "after drift"],
        rows=rows,
    )


def cost(weeks: Sequence[date], per_million: Values, currency: str) -> Chart:
    """The price of a million answers by week."""
    days = [week.isoformat() for week in weeks]
    known = [value for value in per_million if value is not None]
    curve = line("cost", "$c1", days, per_million)
    change = (known[-1] - known[0]) / known[0] if len(known) > 1 and known[0] else None
    caption = (
        ""
        if change is None
        else f"{percent(abs(change))} {'more' if change > 0 else 'less'} than {len(weeks)} weeks ago."
    )
    layout = {
        "yaxis": {"rangemode": "tozero", "title": {"text": f"{currency} per million"}},
        "xaxis": {"type": "date"},
    }
    return Chart(
        id="cost",
        lead=f"{money(known[-1])} {currency} per million,",
        caption=caption or "in the only week with predictions.",
        figure={"data": [curve], "layout": layout},
        head=["week from", f"{currency} per million"],
        rows=[[day, rounded(value, 4)] for day, value in zip(days, per_million, strict=True)],
    )


def shown(value: float | None, is_share: bool, unit: str) -> str:
    """A value of a business figure with its unit."""
    return percent(value, 1) if is_share else f"{decimals(value, 2)} {unit}".strip()


def scaled(value: float | None, factor: float) -> float | None:
    """The value in the unit of the axis."""
    return None if value is None else value * factor


def rounded(value: float | None, digits: int) -> float | str:
    """A figure for the data table."""
    return "" if value is None else round(value, digits)


def line(name: str, colour: str, days: list[str], values: Values) -> dict[str, Any]:
    """One curve; gaps where nothing was measured."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": days,
        "y": list(values),
        "line": {"color": colour},
        "marker": {"size": 4},
    }


def end(curve: dict[str, Any], digits: int) -> dict[str, Any] | None:
    """The direct label at the last measured point of a curve."""
    last = next(
        (
            (day, value)
            for day, value in zip(reversed(curve["x"]), reversed(curve["y"]), strict=True)
            if value is not None
        ),
        None,
    )
    if last is None:
        return None
    text = f"{curve['name']} {decimals(last[1], digits)}"
    place = {"xanchor": "left", "xshift": 4, "name": "end", "showarrow": False}
    return {"x": last[0], "y": last[1], "text": text, "font": {"color": curve["line"]["color"]}} | place


def vertical(day: str) -> dict[str, Any]:
    """A hairline down through the chart."""
    return {
        "type": "line",
        "x0": day,
        "x1": day,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": {"color": "$edge", "width": 1},
    }


def above(day: str, text: str) -> dict[str, Any]:
    """The name of a line down, above the plot."""
    return {
        "x": day,
        "y": 1,
        "yref": "paper",
        "text": text,
        "showarrow": False,
        "yanchor": "bottom",
        "font": {"size": 11, "color": "$ink-2"},
    }
