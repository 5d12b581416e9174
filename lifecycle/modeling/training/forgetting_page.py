"""How much a run that continued from another run's model has forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lifecycle.modeling.training import earlier
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.statistics.comparisons import as_change
from lifecycle.runtime.task_types.by_key.measures import metrics_of
from lifecycle.runtime.task_types.measures import Metric
from lifecycle.ui.addresses import find_url
from lifecycle.ui.numbers import GAP, count, decimals, signed

CLASSES = 10  # maximum shown


def shown(run: Run) -> dict[str, Any] | None:
    """The sentence and the tables; None if nothing was measured."""
    found, before = run.result.get("forgetting"), run.base.run
    if not found or before is None:
        return None
    score, metrics = found["metrics"][found["by"]], metrics_of(run.task)
    by = metrics.listed
    classes = sorted(found["per_class"].items(), key=lambda pair: (pair[1]["difference"], pair[0]))
    return {
        "rows": found["rows"],
        "split": earlier.measured_split(before.snapshot),
        "snapshot": str(before.snapshot),
        "snapshot_url": find_url("snapshots:detail", uuid=before.snapshot.uuid),
        "base": str(before),
        "kind": {"worse": "warn", "better": "ok"}.get(score["verdict"], "info"),
        "worse": score["verdict"] == "worse",
        "fact": fact(score, by, str(before), str(run)),
        "text": forgetting_text(run, found),
        "lines": [
            line(
                metrics[name].title, as_change(each, lower_is_better=metrics[name].lower_is_better), by.digits
            )
            for name, each in found["metrics"].items()
        ],
        "classes": [
            line(label, each, by.digits) | {"support": each["support"]} for label, each in classes[:CLASSES]
        ],
        "more": max(0, len(classes) - CLASSES),
    }


def fact(score: Mapping[str, Any], by: Metric, before: str, run: str) -> str:
    """The change of the main score, in one sentence."""
    values = (
        f"{by.words} {decimals(score['baseline'], by.digits)} before,"
        f" {decimals(score['candidate'], by.digits)} now"
    )
    if score["verdict"] == "worse":
        return f"{run} has forgotten some of what {before} learned: {values}."
    if score["verdict"] == "better":
        return f"{run} improves on {before} on the earlier rows: {values}."
    return f"No clear difference between {run} and {before}: {values}."


def forgetting_text(run: Run, found: Mapping[str, Any]) -> str:
    """What was rehearsed, and which rows are compared."""
    rehearsed = run.result.get("rehearsed", 0)
    part = (
        f"Training included {count(rehearsed)} rehearsal rows from earlier data."
        if rehearsed
        else "No rehearsal rows were used."
    )
    about = (
        f" Only the {found['labels']} labels that both models know are compared." if found["labels"] else ""
    )
    return f"{part} None of the compared rows were used in training.{about}"


def line(label: str, each: Mapping[str, Any], digits: int) -> dict[str, Any]:
    """A table row of a score or a class's F1: now minus before."""
    low, high = each["low"], each["high"]
    return {
        "label": label,
        "before": decimals(each["baseline"], digits),
        "after": decimals(each["candidate"], digits),
        "difference": signed(each["difference"], digits),
        "interval": (
            f"{decimals(low, digits)} to {decimals(high, digits)}"
            if low is not None and high is not None
            else f"not{GAP}known"
        ),
        "verdict": each["verdict"],
    }
