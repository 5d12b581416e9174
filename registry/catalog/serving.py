"""What serves a version: the room above registers how it takes one off all traffic, since this one is below
it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from registry.catalog.models import ModelVersion
from registry.ground.access.models import User


@dataclass(frozen=True, slots=True)
class Server:
    """How a room that serves versions is asked.

    lock: until the caller's transaction ends nothing that is served changes; taken ahead of the version's
    row, as by anyone who serves. withdraw: end all that a version serves, under that lock; with who does it
    (None for the system) and why. effects: what that would do now, in sentences.
    """

    lock: Callable[[], object]
    withdraw: Callable[[ModelVersion, User | None, str], object]
    effects: Callable[[ModelVersion], list[str]]


_servers: list[Server] = []


def register(server: Server) -> None:
    """server: of the room above."""
    if server not in _servers:
        _servers.append(server)


def lock() -> None:
    """See Server."""
    for server in _servers:
        server.lock()


def withdraw(version: ModelVersion, actor: User | None, reason: str) -> None:
    """See Server."""
    for server in _servers:
        server.withdraw(version, actor, reason)


def effects(version: ModelVersion) -> list[str]:
    """See Server."""
    return [sentence for server in _servers for sentence in server.effects(version)]
