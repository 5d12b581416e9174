"""The page that overlays the curves of several runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.http import QueryDict

from lifecycle.modeling.training import charts, queries
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.task_types.by_key.measures import MEASURES, NAMED, measures_of
from lifecycle.ui.numbers import decimals, duration, percent, size
from registry.ground.access.models import User

MOST = 6  # runs; more colours are hard to distinguish
OFFERED = 100
SCORES = dict.fromkeys(name for each in MEASURES.values() for name in each.metrics.drawn)
METRICS = {
    "validation_loss": "Validation loss",
    "train_loss": "Training loss",
    **{name: f"{NAMED[name].title}, validation" for name in SCORES if name != "ece"},
    "learning_rate": "Learning rate",
    "gradient_norm": "Gradient norm",
    "examples_per_second": "Examples per second",
    "memory_mb": "Memory, MB",
}
LOWER = {"train_loss", *(name for name, each in NAMED.items() if each.lower_is_better)}
# of the spec: the same, or shown by the rows above
LEFT_OUT = frozenset({"format", "labels", "base", "task"})


def overlay(user: User, given: QueryDict) -> dict[str, Any]:
    """The selected runs, their curves of one metric, results, and the settings in which they differ."""
    runs = chosen(user, given.getlist("run"))
    metric, offered = given.get("metric", ""), metrics_of(runs)
    metric = metric if metric in offered else "validation_loss"
    curves = queries.curves_of(runs, metric)
    taken = {run.pk for run in runs}
    others = (
        [run for run in queries.runs(user)[: OFFERED + MOST] if run.pk not in taken][:OFFERED]
        if len(runs) < MOST
        else []
    )
    lines = [(str(run), curves.get(run.pk, [])) for run in runs]
    differing, same = settings(runs)
    return {
        "runs": [
            {"run": run, "colour": at, "without": query([each for each in runs if each != run], metric)}
            for at, run in enumerate(runs, 1)
        ],
        "metric": metric,
        "metrics": offered.items(),
        "others": others,
        "most": MOST,
        "chart": charts.overlay(METRICS[metric], lines, lower_is_better=metric in LOWER) if runs else None,
        "reached": reached(runs),
        "differing": differing,
        "same": same,
    }


def scores_of(runs: Sequence[Run]) -> list[str]:
    """The scores that at least one of the runs has, main ones first."""
    found = [measures_of(run.task).metrics.drawn for run in runs]
    return [*dict.fromkeys([each[0] for each in found] + [name for each in found for name in each])]


def metrics_of(runs: Sequence[Run]) -> dict[str, str]:
    """The metrics of these runs with their names; all metrics if no run is selected."""
    scores = scores_of(runs)
    return {
        name: label for name, label in METRICS.items() if name not in SCORES or name in scores or not runs
    }


def chosen(user: User, wanted: Sequence[str]) -> list[Run]:
    """The requested runs that the user may see, without duplicates, in the requested order."""
    uuids = dict.fromkeys(found for each in wanted[:MOST] if (found := read_uuid(each)))
    known = {run.uuid: run for run in queries.runs(user).filter(uuid__in=uuids)}
    return [known[uuid] for uuid in uuids if uuid in known]


def read_uuid(text: str) -> UUID | None:
    """Parse a uuid; None if invalid."""
    try:
        return UUID(text)
    except ValueError:
        return None


def query(runs: Sequence[Run], metric: str) -> str:
    """The URL of the page with these runs."""
    found = QueryDict(mutable=True)
    found.setlist("run", [str(run.uuid) for run in runs])
    found["metric"] = metric
    return f"?{found.urlencode()}"


def reached(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """One line per result: its name, and the value of each run."""

    def line(name: str, values: Iterator[str | None]) -> tuple[str, list[str]]:
        return name, [value or "Not measured" for value in values]

    def figure(name: str) -> Iterator[str | None]:
        return (decimals(run.metrics[name]) if run.metrics.get(name) is not None else None for run in runs)

    best = {measures_of(run.task).metrics.drawn[0] for run in runs}
    costs = [queries.cost_of(run) or {} for run in runs]
    return [
        ("State", [run.standing for run in runs]),
        *(
            line(f"{NAMED[name].title}, best" if name in best else NAMED[name].title, figure(name))
            for name in scores_of(runs)
        ),
        line(NAMED["validation_loss"].title, figure("validation_loss")),
        line("Trainable parameters", (trainable(run.result or {}) for run in runs)),
        line("Time", (duration(cost["seconds"]) if cost.get("seconds") else None for cost in costs)),
        line(
            "Core time",
            (duration(cost["cpu_seconds"]) if cost.get("cpu_seconds") else None for cost in costs),
        ),
        line(
            "Peak memory",
            (
                size(int(cost["peak_memory_mb"] * 2**20)) if cost.get("peak_memory_mb") else None
                for cost in costs
            ),
        ),
    ]


def trainable(result: Mapping[str, Any]) -> str | None:
    """The share of trained weights."""
    part, whole = result.get("trainable_parameters"), result.get("total_parameters")
    return percent(part / whole, 2) if part and whole else None


def settings(runs: Sequence[Run]) -> tuple[list[tuple[str, list[str]]], int]:
    """The settings in which the runs differ, as name and value of each run, and the number of equal ones."""
    each = [dict(flat(run)) for run in runs]
    names = dict.fromkeys(name for found in each for name in found)
    rows = [(name, [found.get(name, "") for found in each]) for name in names]
    differing = [(name, values) for name, values in rows if len(set(values)) > 1]
    return differing, len(rows) - len(differing)


def flat(run: Run) -> Iterator[tuple[str, str]]:
    """All settings of a run, by their names in the spec."""
    yield "snapshot", f"{run.snapshot.dataset.name} v{run.snapshot.number}"
    yield "base", run.base.name
    yield "strategy", run.get_strategy_display()
    for name, value in run.spec.items():
        if name == "strategy":
            yield from (
                (f"strategy.{inner}", shown(each)) for inner, each in value.items() if inner != "kind"
            )
        elif name not in LEFT_OUT:
            yield name, shown(value)


def shown(value: Any) -> str:
    """A setting's value."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else "default" if value is None else str(value)
