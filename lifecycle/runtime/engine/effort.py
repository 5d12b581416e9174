"""What a run has cost: seconds, and seconds of cores, by stage and over all its attempts.

It counts from where the engine reads its spec, after loading libraries. A kill loses what followed the last
`keep`.
"""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import Any

from lifecycle.runtime.engine.events import write_json

FILE = "effort.json"


class Effort:
    """A clock of this process's stages, which continues from what earlier attempts kept in the run's
    folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.stages: dict[str, dict[str, float]] = _kept(self.path)
        self.name, self.marked = "prepare", _clocks()

    def stage(self, name: str) -> None:
        """The stage before ends here."""
        self.keep()
        self.name = name

    def keep(self) -> None:
        """Add the time since the last call, and save it."""
        now = _clocks()
        found = self.stages.setdefault(self.name, {"seconds": 0.0, "cpu_seconds": 0.0})
        for at, unit in enumerate(found):
            found[unit] += now[at] - self.marked[at]
        self.marked = now
        write_json(self.path, self.stages)

    def to_json(self) -> dict[str, Any]:
        """seconds and cpu_seconds of all, and of each stage."""
        self.keep()
        return _totals(self.stages)


def _clocks() -> tuple[float, float]:
    """Seconds, and seconds of cores of this process and of those that it started and that have ended."""
    others = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic(), time.process_time() + others.ru_utime + others.ru_stime


def spent(folder: Path) -> dict[str, Any]:
    """As Effort.to_json, of what a folder has saved; empty if nothing."""
    stages = _kept(folder / FILE)
    return _totals(stages) if stages else {}


def _totals(stages: dict[str, dict[str, float]]) -> dict[str, Any]:
    total = {
        unit: round(sum(each[unit] for each in stages.values()), 3) for unit in ("seconds", "cpu_seconds")
    }
    return total | {
        "stages": {
            name: {unit: round(value, 3) for unit, value in each.items()} for name, each in stages.items()
        }
    }


def _kept(path: Path) -> dict[str, dict[str, float]]:
    try:
        return {
            name: {unit: float(each[unit]) for unit in ("seconds", "cpu_seconds")}
            for name, each in json.loads(path.read_text()).items()
        }
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {}
