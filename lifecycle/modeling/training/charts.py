"""The charts of a run. Pure: from points to figures; colours are tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.ui.charts import Chart
from lifecycle.ui.numbers import count, decimals

Curve = Sequence[tuple[int, float]]
TICKS = [at * 10.0**power for power in range(-4, 3) for at in (1, 2, 5)]
LOWEST = 1e-6  # of a log axis
LINE: dict[str, Any] = {"type": "scatter", "mode": "lines"}
SMALL = {
    "learning_rate": ("Learning rate", "$c1", ""),
    "gradient_norm": ("Gradient norm", "$c1", ""),
    "examples_per_second": ("Throughput", "$c1", "examples/s"),
    "memory_mb": ("Memory", "$c1", "MB"),
}


def loss_finding(
    validation: Curve, kept: tuple[int, float] | None, by: str, overfit_from: int | None, *, live: bool
) -> tuple[str, str]:
    """The finding as a bold lead and the rest of its sentence. kept: the point with the best score so far.
    by: the name of that score.
    """
    if not validation:
        return "No validation yet.", "The first point appears after the first evaluation."
    if overfit_from is not None:
        return (
            f"Validation loss has been rising since step {count(overfit_from)}",
            "while training loss is still falling.",
        )
    low = min(validation, key=lambda point: (point[1], point[0]))
    if kept is None or kept[0] == low[0] == validation[-1][0]:
        return "Validation loss is", f"lowest, {decimals(low[1])}, at step {count(low[0])}."
    lead = (
        f"Step {count(kept[0])} is the best so far ({by});"
        if live
        else f"Step {count(kept[0])} selected (best {by});"
    )
    lowest = "" if kept[0] == low[0] else f", lowest {decimals(low[1])} at step {count(low[0])}"
    return lead, f"validation loss {decimals(kept[1])}{lowest}."


def loss(
    train: Curve,
    validation: Curve,
    *,
    total: int,
    kept_step: int | None = None,
    by: str = "",
    lowered: str = "cross-entropy",
    overfit_from: int | None = None,
    live: bool,
    updates: str = "",
) -> Chart:
    """Training loss in graphite, validation in blue, on a log scale, with the kept step marked and an
    overfitting range shaded.

    kept_step: the one with the best score so far. by: the name of that score; lowered: what the loss is.
    """
    kept = next((point for point in validation if point[0] == kept_step), None)
    lead, caption = loss_finding(validation, kept, by, overfit_from, live=live)
    last = max([point[0] for point in (*train, *validation)], default=0)
    shapes, notes = (
        [],
        [
            end_label(curve, name, colour)
            for curve, name, colour in ((train, "train", "$c2"), (validation, "validation", "$c1"))
            if curve
        ],
    )
    spread(notes)
    data = [
        LINE
        | {
            "x": steps(train),
            "y": values(train),
            "name": "train",
            "line": {"color": "$c2", "width": 1.5},
        },
        LINE
        | {
            "x": steps(validation),
            "y": values(validation),
            "name": "validation",
            "line": {"color": "$c1", "width": 2},
        },
    ]
    if kept is not None:
        marker = {"symbol": "diamond", "size": 9, "color": "$c1"}
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [kept[0]],
                "y": [kept[1]],
                "name": "kept",
                "marker": marker,
                "hoverinfo": "skip",
            }
        )
        notes.append(
            {
                "x": kept[0],
                "y": on_log(kept[1]),
                "text": f"best {by}, step {count(kept[0])}",
                "yshift": 16,
                "xanchor": "right" if kept[0] > 0.7 * max(total, last, 1) else "center",
            }
        )
    if overfit_from is not None:
        fill = {
            "type": "rect",
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "fillcolor": "$warn/9",
            "line": {"width": 0},
            "layer": "below",
        }
        shapes.append(fill | {"x0": overfit_from, "x1": last})
    layout = {
        "xaxis": {"range": [0, max(total, last, 1)], "title": {"text": "step"}},
        "yaxis": (
            {"type": "log", "title": {"text": f"{lowered}, log scale"}}
            | log_ticks([*values(train), *values(validation)])
        ),
        "shapes": shapes,
        "annotations": notes,
    }
    known = dict(train), dict(validation)
    rows = [
        [step, *(decimals(each[step], 4) if step in each else "" for each in known)]
        for step in sorted({*known[0], *known[1]})
    ]
    return Chart(
        id="loss",
        lead=lead,
        caption=caption,
        figure={"data": data, "layout": layout},
        head=["step", "train", "validation"],
        rows=rows,
        size="tall",
        updates_url=updates if live else "",
    )


def log_ticks(numbers: Sequence[float]) -> dict[str, Any]:
    """Ticks 1, 2, 5 of each power within the values, at most five."""
    known = [number for number in numbers if number > 0]
    if not known:
        return {}
    low, high = min(known) / 1.3, max(known) * 1.3
    inside = [tick for tick in TICKS if low <= tick <= high]
    while len(inside) > 5:
        inside = inside[::2]
    return {
        "range": [math.log10(low), math.log10(high)],
        "tickvals": inside,
        "ticktext": [f"{tick:g}" for tick in inside],
    }


def end_label(curve: Curve, name: str, colour: str) -> dict[str, Any]:
    """The name and last value of a line in the right margin."""
    value = curve[-1][1]
    place = {"name": "end", "x": 1, "xref": "paper", "xanchor": "left", "xshift": 6, "y": on_log(value)}
    return place | {"text": f"{name} {decimals(value)}", "font": {"color": colour}}


def on_log(value: float) -> float:
    """The position of a note on a log axis; a value of 0 is at the bottom."""
    return math.log10(max(value, LOWEST))


def spread(labels: list[dict[str, Any]]) -> None:
    """Move two labels apart if their lines end close together."""
    if len(labels) == 2 and abs(labels[0]["y"] - labels[1]["y"]) < 0.06:
        upper, lower = sorted(labels, key=lambda label: -label["y"])
        upper["yshift"], lower["yshift"] = 8, -8


def small(name: str, curve: Curve, *, total: int, live: bool, updates: str = "") -> Chart:
    """One small multiple on the run's step axis; its caption is the name and the last value."""
    label, colour, unit = SMALL[name]
    last = curve[-1][1] if curve else None
    shown = (
        "Not measured"
        if last is None
        else f"{last:.2g}"
        if not unit
        else f"{count(round(last))} {unit}".strip()
    )
    width = max(total, curve[-1][0] if curve else 0, 1)
    line = LINE | {
        "x": steps(curve),
        "y": values(curve),
        "name": label,
        "line": {"color": colour, "width": 1.5},
    }
    layout = {
        "xaxis": {"range": [0, width], "nticks": 3},
        "yaxis": {"rangemode": "tozero", "nticks": 3, "exponentformat": "power"},
    }
    return Chart(
        id=name.replace("_", "-"),
        lead=label,
        caption=shown,
        figure={"data": [line], "layout": layout},
        head=["step", label],
        rows=[[step, f"{value:.6g}"] for step, value in curve],
        size="short",
        updates_url=updates if live else "",
    )


def overlay(label: str, curves: Sequence[tuple[str, Curve]], *, lower_is_better: bool = False) -> Chart:
    """One metric of several runs, each in its own colour; the run with the best value is named first.

    curves: (name of the run, points). Losses, which fall by powers, have a logarithmic axis.
    """
    known = [(name, curve) for name, curve in curves if curve]
    is_loss, most = "loss" in label.lower(), min if lower_is_better else max
    best = most(known, key=lambda each: most(values(each[1])), default=None)
    if best is None:
        lead, caption = "No values yet.", "They appear with the first steps of these runs."
    else:
        lead = f"{best[0]} reaches the {'lowest' if lower_is_better else 'highest'} value,"
        caption = f"{decimals(most(values(best[1])))}."
    data = [
        LINE | {"x": steps(curve), "y": values(curve), "name": name, "line": {"color": f"$c{at}", "width": 2}}
        for at, (name, curve) in enumerate(curves, 1)
    ]
    axis = (
        {"type": "log"} | log_ticks([value for _, curve in known for value in values(curve)])
        if is_loss
        else {"exponentformat": "power"}
    )
    return Chart(
        id="overlaid",
        lead=lead,
        caption=caption,
        figure={
            "data": data,
            "layout": {
                "xaxis": {"title": {"text": "step"}, "rangemode": "tozero"},
                "yaxis": axis,
                "showlegend": True,
                "legend": {"orientation": "h", "y": 1.12},
            },
        },
        head=["run", "step", label],
        rows=[[name, step, f"{value:.6g}"] for name, curve in known for step, value in curve],
        size="taller",
    )


def steps(curve: Curve) -> list[int]:
    """The steps of a curve."""
    return [step for step, _ in curve]


def values(curve: Curve) -> list[float]:
    """The values of a curve."""
    return [value for _, value in curve]


def updates(traces: Sequence[Curve], following: str | None) -> Mapping[str, Any]:
    """New points for the page's script: trace n is extended by the n-th curve. following: the next URL; None
    at the end.
    """
    return {
        "traces": list(range(len(traces))),
        "x": [steps(curve) for curve in traces],
        "y": [values(curve) for curve in traces],
        "next": following,
    }
