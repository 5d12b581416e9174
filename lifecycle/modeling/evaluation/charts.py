"""The charts of an evaluation. Pure: from a report to figures; colours are tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.modeling.evaluation import rules
from lifecycle.runtime.words import things
from lifecycle.ui.charts import Chart
from lifecycle.ui.numbers import count, decimals
from lifecycle.ui.text import shortened

LOW_F1 = 0.8
NAMED = 3
TEXT_LIMIT = 12
NAME_LIMIT = 22
GRAPHITE = {"font": {"color": "$c2", "size": 11}}
TABLE = 500  # most frequent pairs in the table of a chart; the report has all
LINE_ROWS = 5  # bins with fewer rows are dots off the line: their share is uncertain


@dataclass(frozen=True, slots=True)
class Confusion:
    """Wording of a confusion matrix. true, predicted: headings of rows and columns; read_as: phrase between
    the two; errors: how many rows have one, a sentence with {rows}; empty: shown without errors.
    """

    true: str = "true label"
    read_as: str = "predicted as"
    predicted: str = "predicted as"
    errors: str = ""
    caption: str = "Only errors are coloured; the diagonal isn't shaded."


@dataclass(frozen=True, slots=True)
class Reliability:
    """Wording of a reliability chart. sure: what is predicted; right: what is correct; counted: what is
    counted.
    """

    sure: str = "confidence"
    right: str = "correct"
    counted: str = "rows"


def confusion(
    report: Mapping[str, Any], words: Confusion, *, limit: int | None, chart_id: str = "confusion"
) -> Chart:
    """The classes with most errors (all if limit is None). Only errors are coloured; counts are printed if
    they fit.
    """
    positions = rules.worst(report, limit) if limit else list(range(len(report["confusion"]["labels"])))
    labels, counts = rules.matrix(report, positions)
    errors = [
        [0 if row == column else value for column, value in enumerate(line)]
        for row, line in enumerate(counts)
    ]
    names: dict[str, Any] = {
        "tickvals": labels,
        "ticktext": [shortened(name, NAME_LIMIT + 1) for name in labels],
    }
    if len(labels) > 3 * TEXT_LIMIT:
        names = {"showticklabels": False}
    layout: dict[str, Any] = {
        "xaxis": (
            {"side": "top", "tickangle": -35, "showline": False, "ticks": "", "tickfont": {"size": 10}}
            | names
        ),
        "yaxis": (
            {
                "autorange": "reversed",
                "showgrid": False,
                "tickfont": {"size": 10},
                "title": {"text": words.true},
            }
            | names
        ),
        "hovermode": "closest",
        "margin": {"r": 60},
    }
    if len(labels) <= TEXT_LIMIT:
        layout["annotations"] = cell_texts(labels, counts, errors)
    top = max((max(line) for line in errors), default=1) or 1
    heat = {
        "type": "heatmap",
        "z": errors,
        "x": labels,
        "y": labels,
        "colorscale": "seq",
        "zmin": 0,
        "zmax": top * 1.3,
        "colorbar": {"tickvals": [0, top], "ticktext": ["no errors", things(top, "row")]},
        "hovertemplate": f"%{{y}} {words.read_as} %{{x}}: %{{z}}<extra></extra>",
    }
    rows = [[pair.true, pair.predicted, pair.count] for pair in rules.confused(report, TABLE)]
    total, pairs = rules.errors(report), rules.count_confused(report)
    lead = f"{things(total, 'error')} in {things(pairs, 'pair')}." if pairs else "No errors."
    return Chart(
        id=chart_id,
        lead=words.errors.format(rows=things(total, "row")) or lead,
        caption=words.caption,
        figure={"data": [heat], "layout": layout},
        head=[words.true, words.predicted, "rows"],
        rows=rows,
        size="taller",
    )


def cell_texts(
    labels: Sequence[str], counts: Sequence[Sequence[int]], errors: Sequence[Sequence[int]]
) -> list[dict[str, Any]]:
    """The counts of a small matrix, light on dark cells; zeros are empty."""
    top = max((max(line) for line in errors), default=0) * 1.3 or 1
    return [
        {
            "x": labels[column],
            "y": labels[row],
            "text": str(value),
            "showarrow": False,
            "font": {"size": 11, "color": ink(errors[row][column] / top)},
        }
        for row, line in enumerate(counts)
        for column, value in enumerate(line)
        if value
    ]


def ink(share: float) -> str:
    """The colour of a number on a cell of this depth."""
    return "$paper" if share > 0.5 else "$ink"


def f1_by_class(report: Mapping[str, Any], *, limit: float = LOW_F1) -> Chart:
    """One dot per class, sorted; those below the limit are red, the lowest named."""
    classes = sorted(
        (each for each in report["per_class"] if each["support"]),
        key=lambda each: (each["f1"], each["label"]),
    )
    low = [each for each in classes if each["f1"] < limit]
    numbers = [each["f1"] for each in classes]
    colours = ["$bad" if each["f1"] < limit else "$c2" for each in classes]
    notes = [
        {
            "x": at + 1,
            "y": each["f1"],
            "text": each["label"],
            "xanchor": "left",
            "xshift": 8,
            "font": {"size": 11, "color": "$ink-2"},
        }
        for at, each in enumerate(low[:NAMED])
    ]
    floor = max(0.0, min([*numbers, limit]) - 0.05)
    layout = {
        "xaxis": {
            "title": {"text": "labels by F1"},
            "showticklabels": False,
            "ticks": "",
            "range": [0, len(classes) + 1],
        },
        "yaxis": {"range": [floor, 1.02]},
        "hovermode": "closest",
        "annotations": notes,
        "shapes": [
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": limit,
                "y1": limit,
                "line": {"color": "$bad", "width": 1, "dash": "dot"},
            }
        ],
    }
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": list(range(1, len(classes) + 1)),
        "y": numbers,
        "text": [each["label"] for each in classes],
        "marker": {"size": 6, "color": colours},
        "hovertemplate": "%{text}: %{y:.3f}<extra></extra>",
    }
    lead = (
        f"{count(len(low))} of {count(len(classes))} labels are below {decimals(limit, 2)}."
        if low
        else f"No label is below {decimals(limit, 2)}."
    )
    rows = [[each["label"], decimals(each["f1"]), each["support"]] for each in classes]
    return Chart(
        id="f1",
        lead=lead,
        caption="Each dot is a label, sorted.",
        figure={"data": [dots], "layout": layout},
        head=["label", "F1", "rows"],
        rows=rows,
    )


def reliability(
    report: Mapping[str, Any], words: Reliability, before: Sequence[Mapping[str, Any]] = ()
) -> Chart:
    """Confidence against accuracy per bin. Dotted: perfect calibration; before: bins without temperature
    scaling.
    """
    sure, right, rows_name = words.sure, words.right, words.counted
    bins = [each for each in report["reliability"] if each["count"]]
    xs, ys, counts = (
        [each["confidence"] for each in bins],
        [each["accuracy"] for each in bins],
        [each["count"] for each in bins],
    )
    perfect = {
        "type": "scatter",
        "mode": "lines",
        "x": [0, 1],
        "y": [0, 1],
        "line": {"color": "$c2", "width": 1, "dash": "dot"},
        "hoverinfo": "skip",
    }
    error = {
        "type": "data",
        "symmetric": False,
        "array": [each["high"] - each["accuracy"] for each in bins],
        "arrayminus": [each["accuracy"] - each["low"] for each in bins],
        "color": "$c1/40",
        "thickness": 1,
        "width": 0,
    }
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": xs,
        "y": ys,
        "error_y": error,
        "marker": {"size": 7, "color": "$c1"},
        "customdata": counts,
        "hovertemplate": f"{sure} %{{x:.2f}}, {right} %{{y:.2f}}, %{{customdata}} {rows_name}<extra></extra>",
    }
    rows_of_bins = {
        "type": "bar",
        "x": [(each["from"] + each["to"]) / 2 for each in bins],
        "y": counts,
        "width": [(each["to"] - each["from"]) * 0.9 for each in bins],
        "yaxis": "y2",
        "marker": {"color": "$c1/40"},
        "hovertemplate": "%{y} rows<extra></extra>",
    }
    held = [each for each in before if each["count"]]
    axis = {"range": [0, 1.02], "dtick": 0.25}
    layout = {
        "xaxis": axis | {"title": {"text": sure}, "anchor": "y2"},
        "yaxis": axis | {"title": {"text": f"share {right}"}, "domain": [0.3, 1]},
        "yaxis2": {"title": {"text": rows_name}, "domain": [0, 0.2], "rangemode": "tozero", "nticks": 3},
        "hovermode": "closest",
        "annotations": [
            {"x": 0.3, "y": 0.34, "text": "perfect", "yshift": 12, "font": {"color": "$ink-3", "size": 11}},
            *(
                [
                    {"x": held[-1]["confidence"], "y": held[-1]["accuracy"], "text": "before", "yshift": -12}
                    | GRAPHITE
                ]
                if held
                else []
            ),
        ],
    }
    rows = [
        [
            f"{decimals(each['from'], 2)} to {decimals(each['to'], 2)}",
            count(each["count"]),
            decimals(each["confidence"]),
            decimals(each["accuracy"]),
            f"{decimals(each['low'])} to {decimals(each['high'])}",
        ]
        for each in bins
    ]
    lead, caption = calibration_finding(bins, report.get("ece"))
    lines = [line_of(held, "$c2")] if held else []
    return Chart(
        id="reliability",
        lead=lead,
        caption=caption,
        figure={"data": [perfect, *lines, line_of(bins, "$c1"), dots, rows_of_bins], "layout": layout},
        head=[sure, rows_name, f"mean {sure}", f"share {right}", "95 % interval"],
        rows=rows,
        size="tall",
    )


def line_of(bins: Sequence[Mapping[str, Any]], colour: str) -> dict[str, Any]:
    """The bins with enough rows, connected."""
    many = [each for each in bins if each["count"] >= LINE_ROWS]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [each["confidence"] for each in many],
        "y": [each["accuracy"] for each in many],
        "line": {"color": colour, "width": 1.75},
        "hoverinfo": "skip",
    }


def calibration_finding(bins: Sequence[Mapping[str, Any]], ece: float | None) -> tuple[str, str]:
    """Where the model is significantly over- or under-confident: bins whose 95 % interval excludes their
    confidence.
    """
    measured = f"ECE {decimals(ece)}."
    over = [each for each in bins if each["confidence"] > each["high"]]
    under = [each for each in bins if each["confidence"] < each["low"]]
    if not over and not under:
        return "No bin is significantly over- or under-confident.", measured
    found, word = (
        (over, "Over")
        if sum(each["count"] for each in over) >= sum(each["count"] for each in under)
        else (under, "Under")
    )
    start, end = (
        decimals(min(each["from"] for each in found), 2),
        decimals(max(each["to"] for each in found), 2),
    )
    return f"{word}-confident between {start} and {end};", measured
