"""kombu's file transport, fixed: the original lets a reader take a half-written message, which crashes its
worker.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from queue import Empty
from time import monotonic
from typing import Any
from uuid import uuid4

from kombu.transport import TRANSPORT_ALIASES, filesystem  # type: ignore[import-untyped]
from kombu.utils.json import dumps  # type: ignore[import-untyped]

log = logging.getLogger(__name__)


class Channel(filesystem.Channel):  # type: ignore[misc]  # kombu has no types
    """Messages appear atomically, by a rename; an unreadable one is dropped, since the Job table is the
    queue.
    """

    def _put(self, queue: str, payload: Any, **_: Any) -> None:
        name = f"{round(monotonic() * 1000)}_{uuid4()}.{queue}.msg"
        part = Path(self.data_folder_out) / f".{name}.part"
        try:
            part.write_text(dumps(payload), encoding="utf-8")
            os.replace(part, part.with_name(name))
        except OSError as error:
            raise filesystem.ChannelError(f"Cannot add file {name!r} to directory") from error

    def _get(self, queue: str) -> Any:
        try:
            return super()._get(queue)
        except ValueError as error:
            log.warning("message_dropped queue=%s: invalid JSON", queue)
            raise Empty from error


class Transport(filesystem.Transport):  # type: ignore[misc]
    """`filesystem://` with this channel."""

    Channel = Channel


def install() -> None:
    """Register this transport for `filesystem://`, for every connection made from now on."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"
