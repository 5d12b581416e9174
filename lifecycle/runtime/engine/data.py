"""Labeled rows of a run: read from JSON lines, checked, and refused by line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.task_types.rows import Rows

REHEARSAL = "rehearsal.jsonl"  # of a run folder: rows that its base learned from
EARLIER = "earlier.jsonl"  # rows that its base was measured on, and isn't trained on
DEVICE = "device.json"  # of a run folder: what it was begun on
PRECISION = "precision.json"  # of a run folder that was begun
NOT_COUNTED = -100  # the label of a token that no loss counts, as torch has it
Read = Callable[[Mapping[str, Any], Mapping[str, int]], Any]


def bad_data(path: Path, line: int, why: str) -> EngineFault:
    """The fault for one line that cannot be read."""
    return EngineFault(
        "bad_data",
        f"{path.name}, line {line}: {why}",
        "Fix the line or create the dataset version again, then start a new run.",
    )


def read_rows(path: Path, labels: tuple[str, ...] = (), read: Read | None = None) -> Rows:
    """Read {"id", "text", …} lines; {"id", "left_out"} gives the reason why an item is no row. read: a
    learner's; None = id and text alone.

    Raises EngineFault `bad_data` naming the line.
    """
    index = {label: number for number, label in enumerate(labels)}
    ids, texts, targets, left_out, clusters = [], [], [], [], []
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise EngineFault(
            "bad_data", f"{path.name} is missing from the run folder.", "Write the rows and start again."
        ) from None
    with file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            row = _row(path, number, line)
            if "left_out" in row:
                left_out.append(str(row["left_out"]))
                continue
            ids.append(row["id"])
            texts.append(row["text"])
            clusters.append(str(row.get("cluster") or row["id"]))
            if read is not None:
                try:
                    targets.append(read(row, index))
                except ValueError as error:
                    raise bad_data(path, number, str(error)) from None
    if not ids:
        but = f", and {len(left_out):,} rejected ones, for example one {left_out[0]}" if left_out else ""
        raise EngineFault(
            "bad_data",
            f"{path.name} contains no rows{but}.",
            "Create a dataset version with rows in this split.",
        )
    return Rows(tuple(ids), tuple(texts), tuple(targets), tuple(left_out), tuple(clusters))


def _row(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8"))
    except ValueError:
        raise bad_data(path, number, "it isn't one JSON object in UTF-8.") from None
    if not isinstance(row, dict):
        raise bad_data(path, number, "it isn't a JSON object.")
    for name in ("id",) if "left_out" in row else ("id", "text"):
        if not isinstance(row.get(name), str):
            raise bad_data(path, number, f"it has no text under {name!r}.")
    return row
