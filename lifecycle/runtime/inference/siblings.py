"""Servers that answer on one listening socket: anyone who of them is scraped tells what each of them counted.

A scraper cannot choose which of them answers. So each writes its own counts at every beat, and anyone who is asked adds the newest file of
the others to its own. Every sample carries the name of its server: a server that starts again begins at 0 under its own name alone, which
a scraper takes for what it is.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client import Metric

from lifecycle.runtime.inference import signs

log = logging.getLogger("lifecycle.runtime.inference")


class Siblings:
    """The files of one server and of those beside it.

    folder: DATA_DIR/serving. group: what all servers of one socket share, and no other server; empty for a server with a socket of its own,
    which writes and reads nothing here.
    """

    def __init__(self, folder: Path, name: str, group: str) -> None:
        self.shares = bool(group)
        self._folder, self._name, self._group = folder, name, group
        self._path = folder / f"metrics.{name}.json"

    def write(self, families: Iterable[Metric]) -> None:
        """Leave this server's counts for the others. A full disk is survived."""
        said = signs.sign() | {"group": self._group, "name": self._name, "families": [as_values(each) for each in families]}
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            part.write_text(json.dumps(said), encoding="utf-8")
            part.replace(self._path)
        except OSError as error:
            log.error("metrics_not_written reason=%r", error.strerror)

    def told(self, own: Iterable[Metric]) -> list[Metric]:
        """The families of this server, with those of the others that live, each sample under its server's name."""
        mine = list(own)
        if not self.shares:
            return mine
        self.write(mine)
        found = {each.name: named(each, self._name) for each in mine}
        for name, families in self._others():
            for each in families:
                found.setdefault(each.name, empty(each)).samples.extend(named(each, name).samples)
        return list(found.values())

    def _others(self) -> Iterator[tuple[str, list[Metric]]]:
        now = datetime.now(UTC)
        for path in sorted(self._folder.glob("metrics.*.json")):
            if path == self._path:
                continue
            try:
                said = json.loads(path.read_bytes())
                if said["group"] == self._group and signs.is_alive(said, now):
                    yield str(said["name"]), [from_values(each) for each in said["families"]]
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.error("metrics_not_read reason=%r", str(error))


def as_values(family: Metric) -> dict[str, Any]:
    """A family as JSON holds it."""
    samples = [[each.name, each.labels, each.value] for each in family.samples]
    return {"name": family.name, "told": family.documentation, "type": family.type, "samples": samples}


def from_values(said: dict[str, Any]) -> Metric:
    """A family as it was."""
    made = Metric(said["name"], said["told"], said["type"])
    for name, labels, value in said["samples"]:
        made.add_sample(name, labels, value)
    return made


def empty(family: Metric) -> Metric:
    """The family without its samples."""
    return Metric(family.name, family.documentation, family.type)


def named(family: Metric, server: str) -> Metric:
    """The family, each sample with its server's name."""
    made = empty(family)
    for each in family.samples:
        made.add_sample(each.name, {**each.labels, "server": server}, each.value)
    return made
