"""The curve of an operating point. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.modeling.evaluation.threshold_words import Question
from lifecycle.runtime.statistics.operating.curves import Curve
from lifecycle.ui.charts import Chart
from lifecycle.ui.numbers import decimals

POINTS, LISTED = 200, 20  # of a curve: drawn, and listed in its table


def operating_chart(
    curves: Mapping[str, Curve], question: Question, report: Mapping[str, Any]
) -> Chart | None:
    """Precision against recall; for any class, accuracy against coverage. Blue: where it is measured,
    graphite: where it was chosen. None if there is no score to measure it on.

    curves: by split. report: from `confidence.operating_point`.
    """
    divides, measured, outcome = question.divides, report["measured_on"]["split"], report["outcome"]
    curves = {split: curve for split, curve in curves.items() if curve.rows}
    if measured not in curves:
        return None
    across, up = question.recall.lower(), question.precision.lower()
    data = [
        line(split, curve, divides, "$c1" if split == measured else "$c2") for split, curve in curves.items()
    ]
    lowest = min(min(each["y"]) for each in data)
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": across}, "range": [0, 1.02]},
        "yaxis": {"title": {"text": up}, "range": [max(0.0, lowest - 0.05), 1.02]},
        "hovermode": "closest",
    }
    lead = f"No threshold reaches {decimals(report['target'])}."
    if outcome:
        lead = (
            f"On {measured}, the {up} is"
            f" {decimals(outcome['precision']['value'] if outcome['precision'] else None)}."
        )
    reached = outcome and outcome["recall" if divides else "called"]
    if outcome and outcome["precision"] and reached:
        at = {"x": reached["value"], "y": outcome["precision"]["value"]}
        dot = {
            "type": "scatter",
            "mode": "markers",
            "x": [at["x"]],
            "y": [at["y"]],
            "marker": {"size": 10, "color": "$c1"},
        }
        data.append(dot | {"hoverinfo": "skip"})
        text = f"from {decimals(report['high'])}"
        layout["annotations"] = [at | {"text": text, "yshift": -14, "font": {"color": "$c1", "size": 11}}]
    shown = curves[measured]
    listed = spread(len(shown.thresholds), LISTED)
    columns = [shown.thresholds, across_of(shown, divides), shown.precision]
    return Chart(
        id="operating",
        lead=lead,
        caption="Each point is a threshold" + ("; the selection split is grey." if len(curves) > 1 else "."),
        figure={"data": data, "layout": layout},
        head=["threshold", across, up],
        rows=[[decimals(column[at]) for column in columns] for at in listed],
        size="tall",
    )


def line(split: str, curve: Curve, divides: bool, colour: str) -> dict[str, Any]:
    """A curve for Plotly, thinned."""
    kept = spread(len(curve.thresholds), POINTS)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": across_of(curve, divides)[kept].tolist(),
        "y": curve.precision[kept].tolist(),
        "line": {"color": colour, "width": 1.75},
        "customdata": curve.thresholds[kept].tolist(),
        "hovertemplate": f"{split}, from %{{customdata:.3f}} on: %{{x:.3f}}, %{{y:.3f}}<extra></extra>",
    }


def across_of(curve: Curve, divides: bool) -> NDArray[np.float64]:
    """The quantity on the horizontal axis."""
    return curve.recall if divides else curve.coverage


def spread(count: int, at_most: int) -> NDArray[np.int64]:
    """This many evenly spread positions, including the first and the last."""
    return np.unique(np.linspace(0, count - 1, at_most).astype(np.int64))
