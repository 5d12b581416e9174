"""The launch form and the page of base models: available data, bases, and strategies, and the settings with
their reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.db.models import QuerySet
from django.urls import reverse

from datasets_app.snapshots.models import Snapshot
from datasets_app.snapshots.queries import latest
from lifecycle.ground.jobs import queries as jobs
from lifecycle.ground.jobs.rules import Device, Queue, State
from lifecycle.modeling.training import queries, suggesting
from lifecycle.modeling.training.models import BaseModel, Estimate, Run
from lifecycle.modeling.training.rules import CONSEQUENCE, Strategy
from lifecycle.runtime.engine.task_types.by_key.settings import settings_of
from lifecycle.runtime.engine.task_types.settings import Choice, Suggestion
from lifecycle.runtime.task_types.by_key.types import DEFAULT, type_of
from registry.ground.access.models import User
from registry.ground.access.policy import can_somewhere

OFFERED = 100  # newest options listed; an older one is added on request
NOT_THERE = {
    "like": "The requested settings don't exist or you can't view them. Defaults are shown.",
    "dataset_version": (
        "The requested dataset version doesn't exist or you can't train on it. Another one is selected."
    ),
    "base": "The requested base model doesn't exist or doesn't fit this data. Another one is selected.",
    "strategy": "The requested strategy doesn't fit this data. LoRA is selected.",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """Options, newest first. chosen: the requested one, else the first. is_lost: whether the requested one is
    missing.
    """

    rows: list[Any]
    chosen: Any
    is_lost: bool


@dataclass(frozen=True, slots=True)
class StrategyLine:
    """The cost of a strategy for this data. trainable, bytes: None if the base's shape is unknown."""

    value: str
    label: str
    text: str
    trainable: int | None
    bytes: int | None
    seconds: float | None
    chosen: bool


def bases(user: User) -> dict[str, Any]:
    """The base models with their facts, and the import job of those without files."""
    rows = list(queries.bases(user)[:200])
    waiting = {row.pk: jobs.of_subject(row).first() for row in rows if row.folder_id is None}
    return {
        "rows": [{"base": row, "job": waiting.get(row.pk)} for row in rows],
        "may_add": can_somewhere(user, "training.add_base"),
    }


def start_url(base: BaseModel) -> str:
    """The launch URL with a run's model as the base, on the newest version of its dataset."""
    newest = latest(base.run.snapshot.dataset) if base.run else None
    query = urlencode({"dataset_version": newest.uuid if newest else "", "base": base.uuid})
    return f"{reverse('training:launch')}?{query}"


def launch(user: User, given: Mapping[str, str]) -> dict[str, Any]:
    """The context of the form: selected data, base, and strategy, and the matching settings with their
    reasons.

    given: with "like", the uuid of a run or dry run to copy choices and settings from. not_there: a sentence
    for each missing object that was replaced.
    """
    like = queries.find_like(user, given.get("like", ""))
    if like is not None:
        given = {
            "dataset_version": str(like.snapshot.uuid),
            "base": str(like.base.uuid),
            "strategy": like.strategy,
        } | {name: given[name] for name in given}
    data = offer(queries.launchable(user), given.get("dataset_version", ""))
    snapshot = data.chosen
    kind = snapshot.dataset.task_type if snapshot else type_of(DEFAULT)
    settings = settings_of(kind.key)
    waiting = queries.find_waiting_base(user, given.get("base", ""))
    job = jobs.of_subject(waiting).first() if waiting else None
    if job and job.state == State.SUCCEEDED:  # imported since the base was read
        waiting = None
    kept = queries.bases(user).filter(
        project=snapshot.dataset.project_id if snapshot else None, folder__isnull=False
    )
    available = offer(kept, given.get("base", ""), lambda base: settings.fits(base.facts))
    base = available.chosen
    fitting = [name for name in Run.Strategy.values if name in settings.strategies]
    wanted = given.get("strategy", "")
    strategy = wanted if wanted in fitting else Run.Strategy.LORA.value
    lost = {
        "like": bool(given.get("like")) and like is None,
        "dataset_version": data.is_lost,
        "base": available.is_lost and waiting is None,
        "strategy": given.get("strategy", strategy) not in ("", strategy),
    }
    context: dict[str, Any] = {
        "like": like,
        "not_there": [NOT_THERE[name] for name in lost if lost[name]],
        "snapshots": data.rows,
        "snapshot": snapshot,
        "bases": available.rows,
        "writes": kind.writes_text,
        "advises": snapshot is not None and kind.labels_texts,
        "base": base,
        "waiting": {"base": waiting, "job": job, "url": start_url(waiting)} if waiting else None,
        "strategy": strategy,
        "key": uuid4(),
    }
    if snapshot is None or base is None or waiting:
        return context
    suggestions = suggesting.suggestions(snapshot, base, fitting)
    suggestion = suggestions[strategy]
    if device := device_choice(like, given):
        suggestion = replace(suggestion, choices={**suggestion.choices, "device": device})
    if like is not None and like.strategy == strategy:
        values = (
            like.spec
            | like.spec["strategy"]
            | suggesting.threshold_settings(like.spec, like.snapshot, snapshot)
        )
        known = {name: each for name, each in suggestion.choices.items() if name in values}
        taken = {
            name: replace(each, value=values[name], reason=f"As in {like}.") for name, each in known.items()
        }
        suggestion = replace(suggestion, choices=suggestion.choices | taken)
    lines = strategy_lines(snapshot, base, strategy, suggestions | {strategy: suggestion})
    return context | {"suggestion": suggestion, "strategies": lines}


def device_choice(like: Run | Estimate | None, given: Mapping[str, str]) -> Choice | None:
    """The device, if this installation has GPU workers, or if the form or the copied settings request one."""
    known = jobs.has_gpu_workers(Queue.TRAINING) or "device" in given
    if not known and (like is None or like.spec.get("device", "auto") == "auto"):
        return None
    if Device.GPU in jobs.devices_served(Queue.TRAINING):
        hint = "A GPU worker is running. Weights trained on GPU and CPU aren't bit-identical."
    else:
        hint = "No GPU worker is running: a run that needs one stays queued until one starts."
    return Choice("auto", f"{hint} The estimated time is for a CPU.")


def offer(rows: QuerySet[Any], uuid: str, fits: Callable[[Any], bool] = lambda row: True) -> Offer:
    """The newest of these rows that fit, with the one requested by URL parameter."""
    newest = [row for row in rows[:OFFERED] if fits(row)]
    requested = queries.find(rows, uuid)
    if requested is None or not fits(requested):
        return Offer(newest, newest[0] if newest else None, is_lost=bool(uuid))
    return Offer(newest if requested in newest else [*newest, requested], requested, is_lost=False)


def strategy_lines(
    snapshot: Snapshot, base: BaseModel, strategy: str, suggestions: Mapping[str, Suggestion]
) -> list[StrategyLine]:
    """The strategies for this data and base. suggestions: by strategy."""
    labels, settings = len(snapshot.counts["labels"]), settings_of(snapshot.dataset.task)
    lines = []
    for value, label in Run.Strategy.choices:
        if value not in suggestions:
            continue
        if value == Run.Strategy.FAST_LORA and (base.facts.get("layers") or 0) < 2:
            continue
        if value == Run.Strategy.IA3 and base.facts.get("architecture") not in settings.ia3_models:
            continue
        found = suggestions[value]
        trainable = settings.trainable(value, base.facts, labels, found.values())
        lines.append(
            StrategyLine(
                value,
                str(label),
                CONSEQUENCE[Strategy(value)],
                trainable,
                4 * trainable if trainable else None,
                found.seconds,
                value == strategy,
            )
        )
    return lines
