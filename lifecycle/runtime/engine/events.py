"""The events of a run: events.jsonl, one object a line, flushed. Safe to tail while it grows and to continue
after a kill.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TAIL_BYTES = 2**20
KINDS = ("stage", "progress", "metric", "log", "finding", "samples", "checkpoint", "end")


class EventWriter:
    """Appends events with rising `seq`; after a kill it continues after the last complete line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seq = _truncate_torn_line(path)
        self._file = path.open("ab")

    def write(self, kind: str, **values: Any) -> dict[str, Any]:
        """Append one event and flush it. NaN and infinity are written as null."""
        event = {
            "seq": self.seq,
            "at": datetime.now(UTC).isoformat(timespec="microseconds"),
            "kind": kind,
            **finite(values),
        }
        self._file.write((json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n").encode())
        self._file.flush()
        self.seq += 1
        return event

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _truncate_torn_line(path: Path) -> int:
    """Cut a torn last line off; returns the next seq."""
    if not path.exists():
        return 0
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - TAIL_BYTES)
        file.seek(start)
        tail = file.read(TAIL_BYTES)
        whole = tail[: tail.rfind(b"\n") + 1]
        file.truncate(start + len(whole))
    lines = whole.splitlines()
    return json.loads(lines[-1])["seq"] + 1 if lines else 0


def finite(value: Any) -> Any:
    """The value with every NaN and infinity replaced by None, recursively: JSON has neither."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return value


def read_events(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Whole events from byte `offset` on, and the offset to ask with next time. An absent file has no events;
    a torn last line waits.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], offset
    end = data.rfind(b"\n") + 1
    return [json.loads(line) for line in data[:end].splitlines() if line.strip()], offset + end


@dataclass(frozen=True)
class Point:
    """The values known at one step; the last written value of each name wins."""

    step: int
    epoch: float
    values: dict[str, float | None]


def points(events: Iterable[dict[str, Any]]) -> list[Point]:
    """Metric events folded by step, in order of step: repeated steps after a resume count once."""
    by_step: dict[int, Point] = {}
    for event in events:
        if event["kind"] == "metric":
            known = by_step.get(event["step"])
            values = {**known.values, **event["values"]} if known else dict(event["values"])
            by_step[event["step"]] = Point(event["step"], event["epoch"], values)
    return [by_step[step] for step in sorted(by_step)]


def write_json(path: Path, document: Any) -> None:
    """Write JSON so that a reader sees the old file or the whole new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(finite(document), file, indent=2, ensure_ascii=False, allow_nan=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


class Stopped(Exception):
    """The verb was cancelled."""


def progress_reporter(
    events: EventWriter, total: int, cancelled: Callable[[], bool]
) -> Callable[[int], None]:
    """A callback that takes how many more rows are done and writes a progress event. It raises Stopped if
    `cancelled`.
    """
    done = 0

    def report(more: int) -> None:
        nonlocal done
        done += more
        events.write("progress", done=done, total=total, unit="rows")
        if cancelled():
            raise Stopped

    return report
