"""Charts of a rollout's looks: the difference with its bounds, and the e-values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta

from lifecycle.ui.charts import Chart
from lifecycle.ui.numbers import decimals, signed
from monitoring.rollouts import rules
from monitoring.rollouts.charts.style import CANARY, END, SHADOW, STABLE, limit, stamp
from monitoring.rollouts.models import Look, Rollout

NOTE = {"showarrow": False, "font": {"size": 11, "color": "$bad"}}


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
