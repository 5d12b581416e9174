"""The ways in which an action says no. Plain exceptions: pages, API and CLI turn them into their own kind of answer."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager


class Refusal(Exception):
    """An action was not carried out, nothing has changed, and `str(self)` is a sentence that says why.

    next_step: what the reader can do about it, as a sentence; empty where nothing can be done.
    fields: messages by field name, for input that can be mended in a form.
    """

    code = "refused"
    status = 422  # of an HTTP answer
    retry_after_seconds: int | None = None

    def __init__(self, message: str, *, next_step: str = "", fields: dict[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.fields = fields or {}

    @property
    def headers(self) -> dict[str, str]:
        """Of an HTTP answer."""
        return {} if self.retry_after_seconds is None else {"Retry-After": str(self.retry_after_seconds)}


class Refused(Refusal):
    """A rule of the product forbids it for anyone in this state of things (HTTP 422)."""


class Damaged(Refused):
    """Bytes are not what was sealed under their digest or signature. Missing ones are not damaged: they may be restored."""

    code = "damaged"


class Conflict(Refusal):
    """The thing changed since the caller looked at it, or is no longer in the state that the action needs (HTTP 409)."""

    code = "conflict"
    status = 409


class Unreadable(Refusal):
    """An address asks for what cannot be read or is not offered. Nothing is shown: it would be more than was asked for (HTTP 400)."""

    code = "invalid"
    status = 400


class NotReady(Refusal):
    """It will be possible later: something it needs is still being made or does not answer (HTTP 503).

    retry_after_seconds: when it is worth to ask again, as the answer's Retry-After says.
    """

    code = "not_ready"
    status = 503
    retry_after_seconds = 5


@contextmanager
def full_disk_refused(message: str, *, next_step: str) -> Iterator[None]:
    """A disk, or a share of it, that is full in the block becomes a sentence. Raises Refused."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Refused(message, next_step=next_step) from error
