"""The charts of a sweep. Pure: from trials to figures; colours are tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.modeling.training.search import BEST, Choices, Domain, Space, format_value
from lifecycle.runtime.task_types.measures import Metric
from lifecycle.ui.charts import Chart
from lifecycle.ui.numbers import count, decimals, percent

LINE: dict[str, Any] = {"type": "scatter", "mode": "lines"}
DOT: dict[str, Any] = {"type": "scatter", "mode": "markers"}


@dataclass(frozen=True, slots=True)
class Mark:
    """A trial in the charts. value: its main score; of a pruned one, that of its last evaluation."""

    number: int
    params: Mapping[str, Any]
    value: float
    scored: bool


def history(marks: Sequence[Mark], score: Metric, *, wanted: int) -> Chart:
    """The score of each trial in order, and the best so far. There is at least one scored mark."""
    best = best_of(marks)
    scored, pruned = [each for each in marks if each.scored], [each for each in marks if not each.scored]
    so_far = [max(other.value for other in scored[: at + 1]) for at in range(len(scored))]
    known = {each.number: value for each, value in zip(scored, so_far, strict=True)}
    data = [
        LINE
        | {
            "x": [*known, marks[-1].number],
            "y": [*so_far, so_far[-1]],
            "name": "best so far",
            "line": {"color": "$c1", "shape": "hv"},
        },
        DOT
        | {
            "x": list(known),
            "y": [each.value for each in scored],
            "name": score.words,
            "marker": {"color": "$c1"},
        },
        DOT
        | {
            "x": [each.number for each in pruned],
            "y": [each.value for each in pruned],
            "name": "pruned, at its last evaluation",
            "marker": {"color": "$c2", "symbol": "x-thin-open", "line": {"width": 1.5}},
        },
    ]
    layout = {
        "xaxis": {
            "title": {"text": "trial"},
            "range": [0.5, max(wanted, marks[-1].number) + 0.5],
            "tickformat": "d",
        },
        "yaxis": {"title": {"text": f"{score.words} on validation"}},
    }
    return Chart(
        id="history",
        lead=f"Trial {count(best.number)} is the best,",
        caption=f"with {score.one} of {decimals(best.value)} on validation.",
        figure={"data": data, "layout": layout},
        head=["trial", score.words, "best so far", ""],
        rows=[
            [
                each.number,
                decimals(each.value, 4),
                decimals(known.get(each.number), 4) if each.scored else "",
                "" if each.scored else "pruned",
            ]
            for each in marks
        ],
        size="tall",
    )


def parallel(space: Space, labels: Mapping[str, str], marks: Sequence[Mark], score: Metric) -> Chart:
    """Each trial as a line through its settings to its score: the best bold, the better half coloured, the
    rest in the background.
    """
    best, axes = best_of(marks), [*space]
    scored = sorted((each for each in marks if each.scored), key=lambda each: -each.value)
    half = math.ceil(len(scored) / 2)
    low, high = min(each.value for each in marks), max(each.value for each in marks)

    def height(each: Mark) -> list[float]:
        return [
            *(place(space[name], each.params[name]) for name in axes),
            (each.value - low) / (high - low) if high > low else 0.5,
        ]

    def lines(name: str, some: Sequence[Mark], colour: str, width: float) -> dict[str, Any]:
        x: list[float | None] = []
        y: list[float | None] = []
        text: list[str] = []
        for each in some:
            x += [*range(len(axes) + 1), None]
            y += [*height(each), None]
            text += [
                f"Trial {each.number}: {labels[axis]} {format_value(each.params[axis])}" for axis in axes
            ]
            text += [f"Trial {each.number}: {score.words} {decimals(each.value)}", ""]
        return LINE | {
            "x": x,
            "y": y,
            "text": text,
            "hoverinfo": "text",
            "name": name,
            "line": {"color": colour, "width": width},
        }

    data = [
        lines("pruned", [each for each in marks if not each.scored], "$c2/30", 1),
        lines("lower half", scored[half:], "$c2/70", 1),
        lines("better half", [each for each in scored[:half] if each is not best], "$c1/45", 1.5),
        lines("best", [best], "$c1", 3),
    ]
    ends = [ends_of(space[name]) for name in axes] + [(decimals(low), decimals(high))]
    notes = [
        {"x": at, "y": y, "text": text, "yanchor": anchor, "font": {"size": 11, "color": "$ink-3"}}
        for at, (bottom, top) in enumerate(ends)
        for y, text, anchor in ((-0.03, bottom, "top"), (1.03, top, "bottom"))
    ]
    rules = [
        {"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "layer": "below"}
        for at in range(len(axes) + 1)
    ]
    short = {name: labels[name].replace("Learning rate", "Rate") for name in axes}
    names = [*short.values(), score.heading]
    layout = {
        "hovermode": "closest",
        "xaxis": {
            "tickvals": list(range(len(names))),
            "ticktext": names,
            "range": [-0.4, len(axes) + 0.4],
            "showline": False,
            "ticks": "",
        },
        "yaxis": {"range": [-0.15, 1.15], "showgrid": False, "showticklabels": False},
        "shapes": rules,
        "annotations": notes,
    }
    settings = "; ".join(f"{short[name]} {format_value(best.params[name])}" for name in axes)
    return Chart(
        id="parallel",
        lead=f"Best: {settings}.",
        caption="Each line is a trial. The better half is blue; the best is bold.",
        figure={"data": data, "layout": layout},
        head=["trial", *names],
        rows=[
            [each.number, *(format_value(each.params[name]) for name in axes), decimals(each.value, 4)]
            for each in marks
        ],
        size="tall",
    )


def importance(found: Mapping[str, float], labels: Mapping[str, str], *, trials: int) -> Chart:
    """How much each setting distinguishes the best trials, most important on top. found: shares of 1, largest
    first.
    """
    first, share = next(iter(found.items()))
    names = list(found)[::-1]
    bar = {
        "type": "bar",
        "orientation": "h",
        "y": [labels[name] for name in names],
        "x": [found[name] for name in names],
    }
    return Chart(
        id="importance",
        lead=f"{labels[first]} mattered most, {percent(share)}.",
        caption=(
            f"PED-ANOVA importance for reaching the best {BEST} of {count(trials)} scored trials, as shares."
        ),
        figure={
            "data": [bar | {"name": "importance", "marker": {"color": "$c1"}}],
            "layout": {
                "xaxis": {"range": [0, 1], "tickformat": ".0%"},
                "yaxis": {"showgrid": False},
                "hovermode": "closest",
            },
        },
        head=["setting", "share"],
        rows=[[labels[name], percent(value, 1)] for name, value in found.items()],
    )


def best_of(marks: Sequence[Mark]) -> Mark:
    """The scored mark with the highest value; ties go to the first."""
    return max((each for each in marks if each.scored), key=lambda each: (each.value, -each.number))


def place(domain: Domain, value: Any) -> float:
    """The position of a value on its axis, 0 to 1."""
    if isinstance(domain, Choices):
        return domain.values.index(value) / (len(domain.values) - 1)
    if domain.log:
        return math.log(value / domain.low) / math.log(domain.high / domain.low)
    return (value - domain.low) / (domain.high - domain.low)


def ends_of(domain: Domain) -> tuple[str, str]:
    """The labels below and above an axis."""
    ends = (domain.values[0], domain.values[-1]) if isinstance(domain, Choices) else (domain.low, domain.high)
    return format_value(ends[0]), format_value(ends[1])
