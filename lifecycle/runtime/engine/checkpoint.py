"""Resume points of a run. One is valid only if its COMPLETE file exists, which is written last, and its files
have the digests in it.

The optimizer and random states in it are pickles: they are read only from the run's own folder, by digest,
and deleted when it succeeds.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from lifecycle.runtime.engine.events import write_json

MARKER = "COMPLETE.json"
SECONDS = 60.0  # between checkpoints that don't follow an evaluation
PREFIX = "checkpoint-"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def step_of(folder: Path) -> int:
    """The training step of a checkpoint folder; -1 for any other name."""
    number = folder.name.removeprefix(PREFIX)
    return int(number) if number.isdigit() else -1


def seal(folder: Path) -> None:
    """Mark the checkpoint as complete. Atomic: a kill before this leaves a folder that is skipped."""
    write_json(
        folder / MARKER, {each.name: _digest(each) for each in sorted(folder.iterdir()) if each.is_file()}
    )


def is_complete(folder: Path) -> bool:
    """Whether every file of the checkpoint is as it was sealed."""
    try:
        digests = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return bool(digests) and all(_digest(folder / name) == digest for name, digest in digests.items())
    except (OSError, ValueError):
        return False


def newest(root: Path) -> Path | None:
    """The complete checkpoint of the highest step; None when there is none. Damaged ones are skipped."""
    if not root.is_dir():
        return None
    found = sorted((each for each in root.iterdir() if step_of(each) >= 0), key=step_of, reverse=True)
    return next((each for each in found if is_complete(each)), None)


def keep_newest(root: Path, keep: int = 2) -> None:
    """Remove all but the newest sealed checkpoints, and those that were never sealed."""
    sealed = sorted((each for each in root.glob(f"{PREFIX}*") if (each / MARKER).is_file()), key=step_of)
    kept = set(sealed[-keep:])
    for each in root.glob(f"{PREFIX}*"):
        if each not in kept:
            shutil.rmtree(each, ignore_errors=True)


def purge(root: Path) -> None:
    """Remove every resume point."""
    shutil.rmtree(root, ignore_errors=True)
