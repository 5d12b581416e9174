"""What the base models' page and the launch form show: what may be trained on, from what, how, and the settings with their reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.urls import reverse

from datasets_app.datasets.models import Dataset
from datasets_app.snapshots.models import Snapshot
from datasets_app.snapshots.queries import latest
from lifecycle.engine import defaults, text_defaults
from lifecycle.engine.defaults import Choice
from lifecycle.engine.tagging import tags
from lifecycle.jobs import queries as jobs
from lifecycle.jobs.rules import Device, Queue
from lifecycle.training import advising, facts, queries, suggesting
from lifecycle.training.models import BaseModel, Estimate, Run
from lifecycle.training.rules import CONSEQUENCE, Strategy, misfit
from registry.access.models import User
from registry.access.policy import can_somewhere


@dataclass(frozen=True, slots=True)
class StrategyLine:
    """What a strategy would mean for this data. trainable, bytes: None where the base's shape is not known."""

    value: str
    label: str
    text: str
    trainable: int | None
    bytes: int | None
    seconds: float | None
    chosen: bool


def bases(user: User) -> dict[str, Any]:
    """The base models with what is known of each, and the job of one whose files are not there yet."""
    rows = list(queries.bases(user)[:200])
    waiting = {row.pk: jobs.of_subject(row).first() for row in rows if row.folder_id is None}
    return {"rows": [{"base": row, "job": waiting.get(row.pk)} for row in rows], "may_add": can_somewhere(user, "training.add_base")}


def start_url(base: BaseModel) -> str:
    """Where to start a run from a run's model: on the newest snapshot of the data that it learnt from."""
    newest = latest(base.run.snapshot.dataset) if base.run else None
    return f"{reverse('training:launch')}?{urlencode({'snapshot': newest.uuid if newest else '', 'base': base.uuid})}"


def launch(user: User, given: Mapping[str, str]) -> dict[str, Any]:
    """What the form offers: data, base and strategy as chosen so far, and the settings that fit them with their reasons.

    given: with "like", the uuid of a run or of ten steps that were tried, its choices and settings stand in their place.
    """
    like = queries.find_like(user, given.get("like", ""))
    if like is not None:
        given = {"snapshot": str(like.snapshot.uuid), "base": str(like.base.uuid), "strategy": like.strategy} | {
            name: given[name] for name in given
        }
    offered = list(queries.launchable(user)[:100])
    snapshot = chosen(offered, given.get("snapshot"))
    kept = [] if snapshot is None else list(queries.bases(user).filter(project=snapshot.dataset.project_id, folder__isnull=False)[:100])
    writes, ranks = (snapshot is not None and asked(snapshot) for asked in (queries.writes, queries.ranks))
    available = [each for each in kept if bool(each.facts.get("decoder")) == writes]
    waiting = queries.find_waiting_base(user, given.get("base", ""))
    base = chosen(available, given.get("base"))
    fitting = [name for name in Run.Strategy.values if not misfit(name, writes=writes, ranks=ranks)]
    strategy = given.get("strategy") if given.get("strategy") in fitting else Run.Strategy.LORA
    context: dict[str, Any] = {
        "like": like,
        "snapshots": offered,
        "snapshot": snapshot,
        "bases": available,
        "writes": writes,
        "advises": snapshot is not None and snapshot.dataset.task in advising.ADVISED,
        "base": base,
        "waiting": {"base": waiting, "job": jobs.of_subject(waiting).first(), "url": start_url(waiting)} if waiting else None,
        "strategy": strategy,
        "key": uuid4(),
    }
    if snapshot is None or base is None or waiting:
        return context
    suggestion = suggesting.suggestion(snapshot, base, str(strategy))
    if device := device_choice(like, given):
        suggestion = replace(suggestion, choices={**suggestion.choices, "device": device})
    if like is not None and like.strategy == strategy:
        values = like.spec | like.spec["strategy"] | suggesting.followed(like.spec, like.snapshot, snapshot)
        known = {name: each for name, each in suggestion.choices.items() if name in values}
        taken = {name: replace(each, value=values[name], reason=f"As in {like}.") for name, each in known.items()}
        suggestion = replace(suggestion, choices=suggestion.choices | taken)
    return context | {"suggestion": suggestion, "strategies": strategy_lines(snapshot, base, str(strategy), suggestion)}


def device_choice(like: Run | Estimate | None, given: Mapping[str, str]) -> Choice | None:
    """What to train on, where the installation has workers with a GPU, or the form or the settings that are taken over ask for a device."""
    known = jobs.has_gpu_workers(Queue.TRAINING) or "device" in given
    if not known and (like is None or like.spec.get("device", "auto") == "auto"):
        return None
    if Device.GPU in jobs.devices_served(Queue.TRAINING):
        told = "A worker with a GPU is running. Weights from a GPU and from a CPU are not equal, bit for bit."
    else:
        told = "No worker with a GPU is running now: a run that asks for one waits until one is started."
    return Choice("auto", f"{told} The time that is expected is that of a CPU.")


def chosen(rows: list[Any], uuid: str | None) -> Any:
    """The row that was asked for, else the first."""
    return next((row for row in rows if str(row.uuid) == uuid), rows[0] if rows else None)


def strategy_lines(snapshot: Snapshot, base: BaseModel, strategy: str, suggestion: defaults.Suggestion) -> list[StrategyLine]:
    """The strategies side by side, for this data and base."""
    labels, writes, ranks = len(snapshot.counts["labels"]), queries.writes(snapshot), queries.ranks(snapshot)
    outputs = 1 if ranks else tags(labels) if snapshot.dataset.task == Dataset.Task.SPANS else labels
    ia3_models = text_defaults.IA3_MODELS if writes else defaults.IA3_MODELS
    lines = []
    for value, label in Run.Strategy.choices:
        if misfit(value, writes=writes, ranks=ranks):
            continue
        if value == Run.Strategy.FAST_LORA and (base.facts.get("layers") or 0) < 2:
            continue
        if value == Run.Strategy.IA3 and base.facts.get("architecture") not in ia3_models:
            continue
        found = suggestion if value == strategy else suggesting.suggestion(snapshot, base, value)
        inner = found.values()
        trainable = (
            text_defaults.trainable(value, base.facts, inner) if writes else facts.trainable(value, base.facts, labels=outputs, inner=inner)
        )
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
