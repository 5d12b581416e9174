"""Settings for a dataset version and a base: the engine's suggestions, and the estimated time."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from django.db.models import Max

from datasets_app.schemas.queries.changes import present_ids
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.remembered import cache
from lifecycle.modeling.training.models import BaseModel, Run
from lifecycle.modeling.training.queries import curves_of, trained_labels, trained_task
from lifecycle.modeling.training.rules import RunState
from lifecycle.runtime.engine.task_types.by_key.settings import settings_of
from lifecycle.runtime.engine.task_types.settings import Choice, Facts, Lengths, Suggestion
from lifecycle.runtime.statistics.calibration import THRESHOLD_ROWS
from lifecycle.runtime.task_types.by_key.types import TYPES

SAMPLE = 400  # rows read for their lengths


def lengths(snapshot: Snapshot) -> Lengths:
    """Lengths of the first rows of the train split, which is sorted by digest, so a fair sample."""
    key = f"training:lengths:2:{snapshot.uuid}"
    known: Lengths | None = cache.get(key)
    if known is None:
        rows = (
            row for row in islice(snapshots.engine_rows(snapshot, "train"), SAMPLE) if "left_out" not in row
        )
        known = settings_of(snapshot.dataset.task).lengths(rows)
        cache.set(key, known, 3600)
    return known


def unlearnable(snapshot: Snapshot) -> tuple[int, str] | None:
    """The number of training chats checked and the problem of the first, if none of them has anything to
    train on; None otherwise.
    """
    rows = list(islice(snapshots.engine_rows(snapshot, "train"), SAMPLE))
    return (len(rows), rows[0]["left_out"]) if rows and all("left_out" in row for row in rows) else None


def measured_rates(base: BaseModel, strategies: Iterable[str], task: str) -> dict[str, tuple[float, str]]:
    """By strategy, if known: examples per second of the newest finished run on this base, and that run's
    strategy: the same one if possible, else another. Two queries for any number of strategies.

    Another strategy's rate is scaled by the engine's known ratio. Head only isn't comparable: its encoder
    runs once.
    """
    settings = settings_of(task)
    alike = [key for key in TYPES if settings_of(key).example == settings.example]
    runs = Run.objects.filter(base=base, state=RunState.SUCCEEDED, snapshot__dataset__task__in=alike).exclude(
        strategy="head"
    )
    newest = Run.objects.filter(
        pk__in=runs.order_by().values("strategy").annotate(newest=Max("pk")).values("newest")
    ).order_by("-pk")
    found = {run.strategy: run for run in newest}
    if not found:
        return {}
    points, rates, paces = curves_of(found.values(), "examples_per_second"), {}, settings.paces
    for strategy in set(strategies) - {"head"}:
        run = found.get(strategy) or next(iter(found.values()))
        if run.pk in points and {strategy, run.strategy} <= paces.keys():
            rate = statistics.median(value for _, value in points[run.pk])
            rates[strategy] = rate * paces[strategy] / paces[run.strategy], run.strategy
    return rates


def strategy_settings(run: Run) -> dict[str, Any]:
    """The settings of a run's strategy, as `launch` takes them."""
    inner = run.spec["strategy"]
    return {
        name: inner[name] for name in settings_of(run.task).inner(run.strategy) if inner.get(name) is not None
    }


def threshold_settings(spec: Mapping[str, Any], earlier: Snapshot, snapshot: Snapshot) -> dict[str, Any]:
    """The class threshold of a spec, for another dataset version: the class by its stable id, through renames
    and merges.

    Empty if the spec has none; without a threshold if the version lacks the class or has too few validation
    rows of it. For another dataset, the class by name.
    """
    chosen = spec.get("operating_class")
    if not chosen:
        return {}
    name = chosen
    if earlier.dataset_id == snapshot.dataset_id:
        stable = dict(earlier.schema.labels.values_list("name", "stable_id")).get(chosen)
        names = dict(snapshot.schema.labels.values_list("stable_id", "name"))
        merged = present_ids(snapshot.dataset_id).get(stable) if stable and stable not in names else stable
        name = names.get(merged, "") if merged else ""
    rows = snapshot.counts["labels"].get(name, {}).get("validation", 0)
    is_there = name in trained_labels(snapshot) and rows >= THRESHOLD_ROWS
    return {"operating_class": name} if is_there else {"operating_class": "", "operating_point": "f1"}


def suggestion(snapshot: Snapshot, base: BaseModel | None, strategy: str) -> Suggestion:
    """The engine's settings for this data, each with its reason, and the estimated time."""
    return suggestions(snapshot, base, [strategy])[strategy]


def suggestions(
    snapshot: Snapshot, base: BaseModel | None, strategies: Iterable[str]
) -> dict[str, Suggestion]:
    """The same for several strategies."""
    strategies, task = list(strategies), snapshot.dataset.task
    rates = measured_rates(base, strategies, task) if base and strategies != ["head"] else {}
    settings, facts = settings_of(task), facts_of(snapshot)
    found = {}
    for strategy in strategies:
        rate, measured = rates.get(strategy, (None, strategy))
        each = settings.suggest(replace(facts, rate=rate), base.facts if base else {}, strategy)
        if measured != strategy:
            reason = f"Scaled from an earlier {Run.Strategy(measured).label} run on this machine."
            each = replace(each, seconds_reason=reason)
        found[strategy] = (
            each if base is None else continued(within(each, base), snapshot, base, facts.labels)
        )
    return found


def facts_of(snapshot: Snapshot) -> Facts:
    """The input of suggestions, without the pace of a strategy."""
    splits, by_label = snapshot.counts["splits"], snapshot.counts["labels"]
    return Facts(
        rows=max(1, splits.get("train", 0)),
        validation_rows=splits.get("validation", 0),
        lengths=lengths(snapshot),
        counts=[counts.get("train", 0) for counts in by_label.values()],
        labels=trained_labels(snapshot),
    )


def within(found: Suggestion, base: BaseModel) -> Suggestion:
    """Limit the maximum length to the base's."""
    limit = base.facts.get("max_tokens")
    if not limit or found.choices["max_tokens"].value <= limit:
        return found
    return replace(
        found,
        choices=found.choices | {"max_tokens": Choice(limit, f"{base.name} accepts no more than this.")},
    )


def continued(found: Suggestion, snapshot: Snapshot, base: BaseModel, labels: Sequence[str]) -> Suggestion:
    """Add the settings for continuing from a run's model of the same task."""
    if base.run is None or base.run.task != trained_task(snapshot):
        return found
    more = settings_of(base.run.task).continuing(str(base.run), base.run.spec, labels, found.choices)
    return replace(found, choices=found.choices | more)
