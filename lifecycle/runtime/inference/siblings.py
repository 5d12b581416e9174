"""Servers on one listening socket: whichever is scraped returns the counts of all of them.

A scraper can't choose which of them answers. So each writes its own counts at every beat, and the scraped
server adds the newest file of each other one to its own. Every sample has the name of its server, so a
restart resets only the counters under that name, which scrapers handle.
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

    folder: DATA_DIR/serving. group: ID of the servers of one socket; empty for a server with a socket of its
    own, which writes and reads nothing here.
    """

    def __init__(self, folder: Path, name: str, group: str) -> None:
        self.shares = bool(group)
        self._folder, self._name, self._group = folder, name, group
        self._path = folder / f"metrics.{name}.json"

    def write(self, families: Iterable[Metric]) -> None:
        """Write this server's counts for the others. A full disk is only logged."""
        document = signs.sign() | {
            "group": self._group,
            "name": self._name,
            "families": [as_values(each) for each in families],
        }
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            part.write_text(json.dumps(document), encoding="utf-8")
            part.replace(self._path)
        except OSError as error:
            log.error("metrics_not_written reason=%r", error.strerror)

    def collect(self, own: Iterable[Metric]) -> list[Metric]:
        """The families of this server and of the others that are alive, each sample with its server's
        name.
        """
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
                document = json.loads(path.read_bytes())
                if document["group"] == self._group and signs.is_alive(document, now):
                    yield str(document["name"]), [from_values(each) for each in document["families"]]
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.error("metrics_not_read reason=%r", str(error))


def as_values(family: Metric) -> dict[str, Any]:
    """A family as a JSON object."""
    samples = [[each.name, each.labels, each.value] for each in family.samples]
    return {"name": family.name, "help": family.documentation, "type": family.type, "samples": samples}


def from_values(values: dict[str, Any]) -> Metric:
    """The family of a JSON object."""
    made = Metric(values["name"], values["help"], values["type"])
    for name, labels, value in values["samples"]:
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
