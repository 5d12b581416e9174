"""Charts of the arms over time: latency, errors, agreement of the shadow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from lifecycle.ui.charts import Chart
from lifecycle.ui.numbers import count, decimals, signed
from monitoring.rollouts import rules
from monitoring.rollouts.charts.style import CANARY, END, SHADOW, STABLE, limit, stamp
from monitoring.rollouts.models import Look
from monitoring.rollouts.rules.points import ArmPoint
from monitoring.traffic import histogram


def latency(points: Sequence[ArmPoint], began: datetime, updates_url: str = "") -> Chart:
    """p95 of both arms on one scale."""
    values = {arm: [point.p95_ms.get(arm) for point in points] for arm in ("stable", "canary")}
    return by_arm(
        "latency",
        latency_lead(points),
        "p95 latency, ms, measured on the server.",
        points,
        values,
        began,
        1,
        updates_url,
    )


def latency_lead(points: Sequence[ArmPoint]) -> str:
    """p95 of the canary minus that of stable over the steps in which both answered; not of fewer than errors
    are compared by.
    """
    both = [point.latency for point in points if point.latency.get("canary") and point.latency.get("stable")]
    canary, stable = (histogram.merge(latency[arm] for latency in both) for arm in ("canary", "stable"))
    of = [sum(each.values()) for each in (canary, stable)]
    if min(of) < rules.MIN_PER_ARM:
        return too_few()
    apart = (histogram.quantile(canary, 0.95) or 0.0) - (histogram.quantile(stable, 0.95) or 0.0)
    comparison = f"{signed(apart, 1)}\u00a0ms against stable" if round(apart, 1) else "as fast as stable"
    return f"Canary {comparison}: p95 of {count(of[0])} and {count(of[1])} responses."


def too_few(more: str = "") -> str:
    """The text where an arm is too small to be compared. more: what else it may lack."""
    return f"Not enough data: fewer than {rules.MIN_PER_ARM} requests{more} on an arm."


def errors(
    points: Sequence[ArmPoint], began: datetime, look: Look | None, margin: float, updates_url: str = ""
) -> Chart:
    """The error shares of both arms on one scale, with what the always-valid interval says of the
    difference.
    """
    values = {
        arm: [None if (share := point.errors.get(arm)) is None else 100 * share for point in points]
        for arm in ("stable", "canary")
    }
    return by_arm("errors", error_lead(look), "Errors, %.", points, values, began, 2, updates_url)


def error_lead(look: Look | None) -> str:
    """No difference shown, +0.02 [−0.42, +0.46]."""
    if look is None or look.interval is None:
        return too_few(f" or {rules.MIN_KEYS} sticky keys")
    found, bounds = (
        look.interval,
        f"[{signed(100 * look.interval.low, 2, (0,))}, {signed(100 * look.interval.high, 2, (0,))}]",
    )
    verdict = (
        "More errors on the canary"
        if found.low > 0
        else "Fewer errors on the canary"
        if found.high < 0
        else "No difference shown"
    )
    return f"{verdict}, {signed(100 * found.value, 2)} {bounds}."


def agreement(points: Sequence[ArmPoint], name: str, updates_url: str = "") -> Chart:
    """How often the shadow gave the client's answer."""
    values = [None if point.agreement is None else 100 * point.agreement for point in points]
    last = newest(values)
    lead = "Not compared yet." if last is None else f"Shadow {name} {decimals(last, 1)}."
    known = [value for value in values if value is not None]
    low = 10 * int(min(known) / 10) if known else 0
    figure = {
        "data": [curve(f"shadow {name}", SHADOW, points, values)],
        "layout": {
            "yaxis": {"range": [low, 100], "nticks": 4},
            "annotations": end_label(f"shadow {decimals(last, 1)}", SHADOW, points, values, 0),
        },
    }
    rows = [[stamp(point.start), format_value(value, 1)] for point, value in zip(points, values, strict=True)]
    return Chart(
        id="agreement",
        lead=lead,
        caption="Same prediction as the client's, %.",
        figure=figure,
        head=["UTC", "shadow"],
        rows=rows,
        size="short",
        updates_url=updates_url,
    )


def by_arm(
    name: str,
    lead: str,
    caption: str,
    points: Sequence[ArmPoint],
    values: dict[str, list[float | None]],
    began: datetime,
    digits: int,
    updates_url: str,
) -> Chart:
    """Two curves over time, the canary's begin dotted."""
    colours = {"stable": STABLE, "canary": CANARY}
    lasts = {arm: newest(values[arm]) for arm in colours}
    lower, upper = sorted(colours, key=lambda arm: (lasts[arm] or 0, arm == "canary"))
    top = max((value for arm in colours for value in values[arm] if value is not None), default=0)
    # so near the axis that a label below the line would stand among its dates
    low = {arm: (lasts[arm] or 0) <= top / 8 for arm in colours}
    shifts = {lower: 7 if low[lower] else -8, upper: 21 if low[upper] else 8}
    labels = [
        note
        for arm, colour in colours.items()
        for note in end_label(
            f"{arm} {format_value(lasts[arm], digits)}", colour, points, values[arm], shifts[arm]
        )
    ]
    layout = {
        "yaxis": {"rangemode": "tozero", "nticks": 4},
        "shapes": [
            {
                "type": "line",
                "x0": stamp(began),
                "x1": stamp(began),
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "line": limit("$blue"),
            }
        ],
        "annotations": labels,
    }
    rows = [
        [
            stamp(point.start),
            format_value(values["stable"][at], digits),
            format_value(values["canary"][at], digits),
        ]
        for at, point in enumerate(points)
    ]
    data = [curve(arm, colour, points, values[arm]) for arm, colour in colours.items()]
    return Chart(
        id=name,
        lead=lead,
        caption=f"{caption} Dotted: canary start.",
        figure={"data": data, "layout": layout},
        head=["UTC", "stable", "canary"],
        rows=rows,
        size="short",
        updates_url=updates_url,
    )


def curve(name: str, colour: str, points: Sequence[ArmPoint], values: list[float | None]) -> dict[str, Any]:
    """One curve; gaps where nothing was measured."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [stamp(point.start) for point in points],
        "y": values,
        "line": {"color": colour, "width": 1.75},
        "marker": {"size": 3},
    }


def end_label(
    text: str, colour: str, points: Sequence[ArmPoint], values: list[float | None], shift: int
) -> list[dict[str, Any]]:
    """The direct label at the last measured point; nothing without one."""
    found = [(point, value) for point, value in zip(points, values, strict=True) if value is not None]
    if not found:
        return []
    point, value = found[-1]
    return [
        {
            "x": stamp(point.start),
            "y": value,
            "text": text,
            "yshift": shift,
            "font": {"color": colour, "size": 12},
            **END,
        }
    ]


def newest(values: Sequence[float | None]) -> float | None:
    """The last that was measured."""
    return next((value for value in reversed(values) if value is not None), None)


def format_value(value: float | None, digits: int) -> str:
    """A figure for a table or a label; empty where nothing was measured."""
    return "" if value is None else decimals(value, digits)
