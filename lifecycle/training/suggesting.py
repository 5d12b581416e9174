"""The settings that fit a snapshot and a base: what the engine suggests for this data, and about how long it takes."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from django.db.models import Max

from datasets_app.labeling.queries import present_ids
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.engine import defaults, text_defaults
from lifecycle.remembered import cache
from lifecycle.statistics.calibration import THRESHOLD_ROWS
from lifecycle.task_types.by_key.types import TYPES
from lifecycle.training.models import BaseModel, Run
from lifecycle.training.queries import curves_of, learnt_labels, learnt_task
from lifecycle.training.rules import RunState

SAMPLE = 400  # rows whose lengths are looked at
OF_LABELS = ("class_weights", "label_smoothing", "focal_gamma")  # settings that mean nothing without labels


def text_lengths(snapshot: Snapshot) -> tuple[float, float]:
    """Median and 99th percentile of characters in the first rows of the train split, whose order is that of digests, so a fair sample."""
    key = f"training:lengths:{snapshot.uuid}"
    known: tuple[float, float] | None = cache.get(key)
    if known is None:
        rows = islice(snapshots.with_items(snapshot, snapshots.rows_of(snapshot, "train")), SAMPLE)
        lengths = sorted(len(item.text) for _, item in rows) or [1]
        known = (float(statistics.median(lengths)), float(lengths[min(len(lengths) - 1, int(len(lengths) * 0.99))]))
        cache.set(key, known, 3600)
    return known


def written_lengths(snapshot: Snapshot) -> tuple[float, float, float]:
    """Of the first rows of the train split, in characters: the median and the 99th percentile of prompt and answer together, and the 99th
    percentile of answers."""
    key = f"training:written:{snapshot.uuid}"
    known: tuple[float, float, float] | None = cache.get(key)
    if known is None:
        rows = islice(snapshots.engine_rows(snapshot, "train"), SAMPLE)
        pairs = [(len(row["text"]), len(row["answer"])) for row in rows if "left_out" not in row] or [(1, 1)]
        whole, said = sorted(map(sum, pairs)), sorted(answer for _, answer in pairs)
        at = min(len(pairs) - 1, int(len(pairs) * 0.99))
        known = (float(statistics.median(whole)), float(whole[at]), float(said[at]))
        cache.set(key, known, 3600)
    return known


def ranked_lengths(snapshot: Snapshot) -> tuple[float, float, float]:
    """As `text_lengths`, of prompt and response together; and responses of a row on the average."""
    key = f"training:ranked:{snapshot.uuid}"
    known: tuple[float, float, float] | None = cache.get(key)
    if known is None:
        rows = list(islice(snapshots.learned_rows(snapshot, "train"), SAMPLE))
        lengths = sorted(len(row["text"]) + len(each) for row in rows for each in row["responses"]) or [1]
        known = (
            float(statistics.median(lengths)), float(lengths[min(len(lengths) - 1, int(len(lengths) * 0.99))]),
            len(lengths) / max(1, len(rows)),
        )  # fmt: skip
        cache.set(key, known, 3600)
    return known


def unlearnable(snapshot: Snapshot) -> tuple[int, str] | None:
    """How many training dialogues were looked at and what is the matter with the first, where nothing is learnt from any of the first
    ones; None where something is, or where there are none."""
    rows = list(islice(snapshots.engine_rows(snapshot, "train"), SAMPLE))
    return (len(rows), rows[0]["left_out"]) if rows and all("left_out" in row for row in rows) else None


def measured_rates(base: BaseModel, strategies: Iterable[str], *, ranked: bool = False) -> dict[str, tuple[float, str]]:
    """By strategy, where it is known: examples a second of the newest finished run on this base, and that run's strategy, which is the same
    one where there is one, else another. ranked: of runs that put responses in order, of which an example is several texts; else of the
    others. Two statements, of however many strategies.

    Another's rate is scaled by the ratio of the two that the engine knows. Head only is not comparable: its encoder runs once.
    """
    runs = Run.objects.filter(base=base, state=RunState.SUCCEEDED).exclude(strategy="head")
    runs = runs.filter(snapshot__dataset__task__in=[key for key, each in TYPES.items() if each.has_responses == ranked])
    newest = Run.objects.filter(pk__in=runs.order_by().values("strategy").annotate(newest=Max("pk")).values("newest")).order_by("-pk")
    found = {run.strategy: run for run in newest}
    if not found:
        return {}
    points, rates = curves_of(found.values(), "examples_per_second"), {}
    for strategy in set(strategies) - {"head"}:
        run = found.get(strategy) or next(iter(found.values()))
        relative = {name: 1 / cost for name, cost in text_defaults.COST.items()} if run.task_type.writes_text else defaults.RATES
        if run.pk in points and {strategy, run.strategy} <= relative.keys():
            rate = statistics.median(value for _, value in points[run.pk])
            rates[strategy] = rate * relative[strategy] / relative[run.strategy], run.strategy
    return rates


def strategy_settings(run: Run) -> dict[str, Any]:
    """The settings of a run's strategy itself, as a launch takes them."""
    inner = run.spec["strategy"]
    names = text_defaults.settings_of(run.strategy) if run.task_type.writes_text else defaults.settings_of(run.strategy)
    return {name: inner[name] for name in names if inner.get(name) is not None}


def followed(spec: Mapping[str, Any], learnt_from: Snapshot, snapshot: Snapshot) -> dict[str, Any]:
    """The settings of a spec's class with a threshold, on another snapshot: the class by its stable id, through new names and merges.

    Empty where the spec has none; without a threshold where the snapshot has no such class any more, or too few validation rows of it to
    choose one. Of another dataset by its name.
    """
    chosen = spec.get("operating_class")
    if not chosen:
        return {}
    name = chosen
    if learnt_from.dataset_id == snapshot.dataset_id:
        stable = dict(learnt_from.schema.labels.values_list("name", "stable_id")).get(chosen)
        names = dict(snapshot.schema.labels.values_list("stable_id", "name"))
        merged = present_ids(snapshot.dataset_id).get(stable) if stable and stable not in names else stable
        name = names.get(merged, "") if merged else ""
    rows = snapshot.counts["labels"].get(name, {}).get("validation", 0)
    is_there = name in learnt_labels(snapshot) and rows >= THRESHOLD_ROWS
    return {"operating_class": name} if is_there else {"operating_class": "", "operating_point": "f1"}


def suggestion(snapshot: Snapshot, base: BaseModel | None, strategy: str) -> defaults.Suggestion:
    """The engine's settings for this data, each with its reason, and about how long they take."""
    return suggestions(snapshot, base, [strategy])[strategy]


def suggestions(snapshot: Snapshot, base: BaseModel | None, strategies: Iterable[str]) -> dict[str, defaults.Suggestion]:
    """The same of several strategies."""
    strategies = list(strategies)
    known = measured_rates(base, strategies, ranked=snapshot.dataset.task_type.has_responses) if base and strategies != ["head"] else {}
    labels = learnt_labels(snapshot)
    found = {strategy: fresh_suggestion(snapshot, base, strategy, known.get(strategy), labels) for strategy in strategies}
    return found if base is None else {name: continued(within(each, base), snapshot, base, labels) for name, each in found.items()}


def within(found: defaults.Suggestion, base: BaseModel) -> defaults.Suggestion:
    """With no more room for a text than the base reads."""
    limit = base.facts.get("max_tokens")
    if not limit or found.choices["max_tokens"].value <= limit:
        return found
    return replace(found, choices=found.choices | {"max_tokens": defaults.Choice(limit, f"{base.name} reads no more than this.")})


def fresh_suggestion(
    snapshot: Snapshot, base: BaseModel | None, strategy: str, known: tuple[float, str] | None, labels: list[str]
) -> defaults.Suggestion:
    """As for a base that has seen none of this data. known: of `measured_rates`. labels: that are learnt."""
    splits, by_label, kind = snapshot.counts["splits"], snapshot.counts["labels"], snapshot.dataset.task_type
    if kind.writes_text:
        middle, longest, answers = map(text_defaults.tokens, written_lengths(snapshot))
        return text_defaults.suggest(
            rows=max(1, splits.get("train", 0)), median_tokens=middle, long_tokens=longest, long_answer=answers, strategy=strategy,
            parameters=(base.facts.get("parameters") or 0) if base else 0, validation_rows=splits.get("validation", 0),
            measured_rate=known[0] if known else None,
        )  # fmt: skip
    median, long, responses = ranked_lengths(snapshot) if kind.has_responses else (*text_lengths(snapshot), 1.0)
    found = defaults.suggest(
        rows=max(1, splits.get("train", 0)),
        classes=max(1, len(by_label)),
        median_tokens=defaults.tokens_from_characters(median),
        long_tokens=defaults.tokens_from_characters(long),
        strategy=strategy,
        class_counts=[counts.get("train", 0) for counts in by_label.values()],
        validation_rows=splits.get("validation", 0),
        measured_rate=known[0] if known else None,
        layers=(base.facts.get("layers") or 0) if base else 0,
        several=kind.has_thresholds,
        spans=kind.has_labels and not kind.labels_texts,
        one_of=labels if kind.one_label else (),
    )
    if kind.has_responses:
        choices = {name: choice for name, choice in found.choices.items() if name not in OF_LABELS}
        found = replace(found, choices=choices, seconds=found.seconds * (1.0 if known else responses))  # each is read with its prompt
    if known and known[1] != strategy:
        reason = f"Scaled from an earlier {Run.Strategy(known[1]).label} run on this machine."
        found = replace(found, seconds_reason=reason)
    return found


def continued(found: defaults.Suggestion, snapshot: Snapshot, base: BaseModel, labels: list[str]) -> defaults.Suggestion:
    """With what more there is to choose where the base is a run's model of the same task."""
    if base.run is None or base.run.task != learnt_task(snapshot):
        return found
    before = base.run.spec
    ranks = base.run.task_type.has_responses
    more = defaults.continuing(str(base.run), before["pooling"], labels, set(before["labels"]), found.choices, ranks=ranks)
    return replace(found, choices=found.choices | more)
