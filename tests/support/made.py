"""A data folder in which a story has come as far as a live version and a second one beside it, handed from the process of the tests that
walks there to the one whose journeys begin there. Where nobody walks there, or on a database server, those journeys walk themselves."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.support.story import Story

STEPS = ("dataset", "schema", "snapshot", "base", "head", "lora", "model", "endpoint", "first", "first_live", "second")
DATABASE = "lifecycle.sqlite3"
NOT_KEPT = {
    "beat.dat",
    "beat.dir",
    "beat.bak",
    "broker",
    "engine",
    "runs",
    "scratch",
    "spool",
    "up.lock",
    f"{DATABASE}-shm",
    f"{DATABASE}-wal",
}
NEVER_CHANGED = {"artifacts", "bases", "blobs", "static"}


class Made:
    """One for each run of the tests. folder: of all its processes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data, self.known = folder / "var", folder / "known.json"
        self.lock = (folder / "lock").open("w")

    def on_the_way(self) -> None:
        """This process walks there, unless another does: who asks meanwhile waits, but not for a process that has ended."""
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return

    def leave(self, story: Story) -> None:
        """Keep the folder as it is now. The story goes on in its own."""
        if story.product.environment["DATABASE_URL"] or self.known.exists():
            return
        known = {name: getattr(story, name) for name in STEPS}
        copy_data(story.product.data_dir, self.data)
        self.known.write_text(json.dumps(known | {"project": story.workspace.uuid}))
        self.give_up()

    def give_up(self) -> None:
        """Nobody is to wait."""
        fcntl.flock(self.lock, fcntl.LOCK_UN)

    def found(self) -> dict[str, Any] | None:
        """What the steps gave, once the folder is there; None where nobody walks there."""
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.give_up()
        return json.loads(self.known.read_text()) if self.known.exists() else None


def copy_data(source: Path, target: Path) -> None:
    """The data folder of a product that runs: the tables as of one moment, then the files, of which none goes away."""
    target.mkdir(mode=0o700)
    with closing(sqlite3.connect(source / DATABASE)) as here, closing(sqlite3.connect(target / DATABASE)) as there:
        here.backup(there)
    for path in source.iterdir():
        if path.name in NOT_KEPT or path.name == DATABASE:
            continue
        if path.is_dir():
            shutil.copytree(path, target / path.name, copy_function=os.link if path.name in NEVER_CHANGED else shutil.copy2)
        else:
            shutil.copy2(path, target)
