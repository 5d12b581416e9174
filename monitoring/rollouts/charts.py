"""The charts of a rollout. Pure: looks and points in, figures out; colours are tokens. Canary blue, stable
graphite, shadow rust.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from lifecycle.ui.charts import Chart
from lifecycle.ui.numbers import count, decimals, signed
from monitoring.rollouts import rules
from monitoring.rollouts.models import Look, Rollout
from monitoring.rollouts.rules.points import ArmPoint
from monitoring.traffic import histogram

CANARY, STABLE, SHADOW = "$c1", "$c2", "$c3"
END = {"xanchor": "left", "xshift": 4, "showarrow": False, "name": "end"}
NOTE = {"showarrow": False, "font": {"size": 11, "color": "$bad"}}


def stamp(moment: datetime) -> str:
    """A moment as Plotly takes it, UTC."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def difference(rollout: Rollout, looks: Sequence[Look], updates_url: str = "") -> Chart:
    """The error difference of the present segment with its always-valid bounds, by canary requests, against
    the margin.
    """
    plan, x = rollout.rule, [look.canary_units for look in looks]
    low, high, middle = (
        [100 * getattr(look, name) for look in looks] for name in ("low", "high", "difference")
    )
    margin, last = 100 * plan.margin, looks[-1]
    reach = max(2 * margin, *(abs(value) for value in (*middle, high[-1], low[-1])))
    band = {"type": "scatter", "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    data = [
        {**band, "x": x, "y": low},
        {**band, "x": x, "y": high, "fill": "tonexty", "fillcolor": f"{CANARY}/14"},
        {
            "type": "scatter",
            "mode": "lines",
            "name": "difference",
            "x": x,
            "y": middle,
            "line": {"color": CANARY, "width": 2},
        },
    ]
    right = max(1.08 * plan.min_requests, 1.08 * x[-1])
    layout = {
        "xaxis": {"range": [0, right], "title": {"text": "canary requests"}},
        "yaxis": {
            "range": [-1.3 * reach, 1.3 * reach],
            "nticks": 5,
            "zeroline": True,
            "zerolinecolor": "$edge",
            "zerolinewidth": 1,
        },
        "shapes": [
            {
                "type": "line",
                "x0": 0,
                "x1": 1,
                "xref": "paper",
                "y0": margin,
                "y1": margin,
                "line": limit("$bad"),
            },
            {
                "type": "line",
                "x0": plan.min_requests,
                "x1": plan.min_requests,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "line": limit("$edge"),
            },
        ],
        "annotations": [
            {
                "x": plan.min_requests,
                "y": 0,
                "yref": "paper",
                "text": "minimum",
                "xanchor": "right",
                "xshift": -4,
                "yshift": 8,
                "showarrow": False,
                "font": {"size": 11},
            },
            {
                **NOTE,
                "x": right,
                "y": margin,
                "text": f"{signed(margin, 1)} stops widening",
                "xanchor": "right",
                "yshift": 9,
            },
            {"x": x[-1], "y": middle[-1], "text": signed(middle[-1], 2), "font": {"color": CANARY}, **END},
        ],
    }
    clear = last.interval is not None and last.interval.high < plan.margin
    goal = (
        "The band is below the red line."
        if clear
        else "The band must be below the red line before the canary widens."
    )
    rows = [
        [
            look.canary_units,
            *(
                signed(100 * value, 2)
                for value in (look.difference, look.low, look.high)
                if value is not None
            ),
        ]
        for look in looks
    ]
    return Chart(
        id="difference",
        lead=goal,
        caption="Error share, canary minus stable, percentage points; always-valid 95 % interval.",
        figure={"data": data, "layout": layout},
        head=["canary requests", "difference", "low", "high"],
        rows=rows,
        updates_url=updates_url,
    )


def evidence(rollout: Rollout, looks: Sequence[Look], updates_url: str = "") -> Chart:
    """The e-values of all three kinds over time, on a log scale, against what takes the canary back."""
    plan, last = rollout.rule, looks[-1]
    x = [stamp(look.at) for look in looks]
    values = {metric: [e_value(look.log_e[metric]) for look in looks] for metric in rules.METRICS}
    limits = {metric: 1 / plan.alphas[metric] for metric in rules.METRICS}
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": metric,
            "x": x,
            "y": values[metric],
            "marker": {"size": 3},
            "line": {"color": colour, "width": 1.75},
        }
        for metric, colour in zip(rules.METRICS, (CANARY, STABLE, SHADOW), strict=True)
    ]
    lines = {
        limit: " and ".join(metric for metric in rules.METRICS if limits[metric] == limit)
        for limit in sorted(set(limits.values()))
    }
    high = max(10 * max(lines), *(max(each) for each in values.values()))
    room = timedelta(seconds=30)  # on both sides: the looks of a canary that ended at once lie seconds apart
    layout = {
        "xaxis": {"range": [stamp(looks[0].at - room), stamp(last.at + room)], "nticks": 4, "tickangle": 0},
        "yaxis": {
            "type": "log",
            "range": [-2.5, math.log10(high)],
            "tickvals": [0.01, 0.1, 1, 10, 100, 1000, 10**6],
            "nticks": 5,
        },
        "shapes": [
            {
                "type": "line",
                "x0": 0,
                "x1": 1,
                "xref": "paper",
                "y0": value,
                "y1": value,
                "line": limit("$bad"),
            }
            for value in lines
        ],
        "annotations": [
            *(
                {
                    **NOTE,
                    "x": 0,
                    "xref": "paper",
                    "xanchor": "left",
                    "y": math.log10(value),
                    "yshift": 8,
                    "text": f"{names}: rolls back at {decimals(value, 0)}",
                }
                for value, names in lines.items()
            ),
            *(
                {
                    "x": x[-1],
                    "y": math.log10(values[metric][-1]),
                    "yshift": 8 * place,
                    "text": metric,
                    "font": {"color": colour, "size": 12},
                    **END,
                }
                for metric, colour, place in zip(
                    rules.METRICS, (CANARY, STABLE, SHADOW), places(values), strict=True
                )
            ),
        ],
    }
    nearest = max(rules.METRICS, key=lambda metric: last.log_e[metric] / rules.log_limit(plan.alphas[metric]))
    over = last.log_e[nearest] >= rules.log_limit(plan.alphas[nearest])
    level = f"{nearest}, {rules.e_text(last.log_e[nearest])} of {decimals(limits[nearest], 0)}"
    lead = (
        f"Reached the limit: {level}."
        if over
        else f"Nearest to its limit: {level}."
        if last.log_e[nearest] > 0
        else "No evidence of harm."
    )
    rows = [
        [stamp(look.at), *(rules.e_text(look.log_e[metric]) for metric in rules.METRICS)] for look in looks
    ]
    return Chart(
        id="evidence",
        lead=lead,
        caption="Evidence against the canary, e-value, log scale. 1 means no evidence.",
        figure={"data": data, "layout": layout},
        head=["UTC", *rules.METRICS],
        rows=rows,
        updates_url=updates_url,
    )


def e_value(log_e: float) -> float:
    """For a log axis: cut at a hundredth and ten million, beyond which nothing is to be read."""
    return math.exp(min(math.log(10**7), max(math.log(0.01), log_e)))


def places(values: dict[str, list[float]]) -> list[int]:
    """Labels at the lines' ends, apart from each other: the highest above, the lowest below."""
    order = sorted(rules.METRICS, key=lambda metric: values[metric][-1])
    return [2 * order.index(metric) - 2 for metric in rules.METRICS]


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


def limit(colour: str) -> dict[str, Any]:
    """A dotted line."""
    return {"color": colour, "width": 1, "dash": "dot"}


def newest(values: Sequence[float | None]) -> float | None:
    """The last that was measured."""
    return next((value for value in reversed(values) if value is not None), None)


def format_value(value: float | None, digits: int) -> str:
    """A figure for a table or a label; empty where nothing was measured."""
    return "" if value is None else decimals(value, digits)
