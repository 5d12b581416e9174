"""The verb `profile`: train the ten steps of the folder's spec, up to the artifact, and measure them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from lifecycle.runtime.engine.data import read_rows
from lifecycle.runtime.engine.estimate import Profile, Rows
from lifecycle.runtime.engine.events import read_events
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.engine.training import train

PARTS = ("checkpoints", "best", "cache")
Event = dict[str, Any]


def profile(folder: Path, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """Carry the short run out and return what it took, as an `estimate.Profile`. Raises what training
    raises.
    """
    sizes = dict.fromkeys(PARTS, 0)

    def measure_and_check() -> bool:
        """Called after each step, while earlier checkpoints still exist: sizes, then whether to stop."""
        for name in PARTS:
            sizes[name] = max(sizes[name], size_of(folder / name))
        return cancelled()

    result = train(folder, measure_and_check)
    if result["status"] != "succeeded":
        return result
    if result["error"]:
        raise EngineFault(result["error"]["code"], result["error"]["message"], result["error"]["next_step"])
    spec = TrainSpec.read(folder / "spec.json")
    events, _ = read_events(folder / "events.jsonl")
    sizes["artifact"] = size_of(folder / "artifact") + refused_bytes(result)
    return result | measure(events, result, spec, rows_in(folder), sizes).to_json()


def refused_bytes(result: Mapping[str, Any]) -> int:
    """Bytes of the int8 graph that was made and not kept: after ten steps its answers waver, after a whole
    run it is likely to stay.
    """
    gate = result["int8"]
    return 0 if not gate or gate["passed"] else gate["rounded_bytes"] or 0


def measure(
    events: Sequence[Event], result: Mapping[str, Any], spec: TrainSpec, rows: Rows, sizes: Mapping[str, int]
) -> Profile:
    """What a short run took, from what it wrote. sizes: bytes of its checkpoints, best weights, cache and
    artifact.

    The first pace is left out where there are others: libraries warm up in it.
    """
    # which the pace counts: the last step of an epoch may have fewer
    rows_a_step = rows.train / spec.steps_of_epoch(rows.train)
    paces = [
        rows_a_step / each["values"]["examples_per_second"]
        for each in events
        if each["kind"] == "metric" and each["values"].get("examples_per_second")
    ]
    paces = paces[1:] or paces
    sampling = [each["seconds"] for each in events if each["kind"] == "samples" and each.get("seconds")]
    stages, once = result["stages"], once_seconds(events)
    train_stage = stages["train"]
    return Profile(
        rows=rows,
        steps=result["last_step"],
        step_seconds=statistics.median(paces),
        quickest=min(paces),
        slowest=max(paces),
        evaluation_seconds=median_gap(events, "train_loss", "validation_loss"),
        checkpoint_seconds=median_gap(events, "validation_loss", "checkpoint"),
        prepare_seconds=stages["prepare"]["seconds"],
        once_seconds=once,
        artifact_seconds=stages["artifact"]["seconds"],
        cores=train_stage["cpu_seconds"] / max(train_stage["seconds"], 1e-9),
        peak_memory_mb=result["peak_memory_mb"],
        checkpoint_bytes=sizes["checkpoints"],
        best_bytes=sizes["best"],
        cache_bytes=sizes["cache"],
        artifact_bytes=sizes["artifact"],
        batch_rows=result["batch"]["batch_size"],
        sampling_seconds=statistics.median(sampling) if sampling else 0.0,
    )


def median_gap(events: Sequence[Event], before: str, after: str) -> float:
    """Seconds between events that follow each other, one of each name; 0 where none do. Names: of a metric's
    value, or a kind.
    """
    # findings may be between them
    points = [each for each in events if each["kind"] in ("metric", "checkpoint")]
    gaps = [
        seconds_between(one, two)
        for one, two in pairwise(points)
        if is_named(one, before) and is_named(two, after)
    ]
    return statistics.median(gaps) if gaps else 0.0


def is_named(event: Event, name: str) -> bool:
    """Whether an event is of a kind, or a metric event with a value of this name."""
    return event["kind"] == name or (event["kind"] == "metric" and name in event["values"])


def once_seconds(events: Sequence[Event]) -> float:
    """Seconds from the first event marked `once`, before what is computed once for each row, to the start of
    training; 0 without one.
    """
    begin = next((each for each in events if each.get("once")), None)
    train_stage = next((each for each in events if each["kind"] == "stage" and each["name"] == "train"), None)
    return seconds_between(begin, train_stage) if begin and train_stage else 0.0


def seconds_between(one: Event, two: Event) -> float:
    """From one event to another."""
    return (datetime.fromisoformat(two["at"]) - datetime.fromisoformat(one["at"])).total_seconds()


def rows_in(folder: Path) -> Rows:
    """The number of rows of each split in the folder."""
    return Rows(len(read_rows(folder / "train.jsonl")), len(read_rows(folder / "validation.jsonl")))


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder, 0 if it doesn't exist. Files that are deleted in between are
    skipped.
    """
    return sum(sizes(folder))


def sizes(folder: Path) -> Iterator[int]:
    """Bytes of each."""
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                yield path.stat().st_size
        except FileNotFoundError:
            continue
