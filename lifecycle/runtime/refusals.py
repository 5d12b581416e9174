"""Refusals of actions. Plain exceptions: pages, API and CLI turn them into their own kind of response."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager


class Refusal(Exception):
    """An action was not carried out and nothing changed; `str(self)` is a sentence with the reason.

    next_step: what the reader can do about it, as a sentence; empty where nothing can be done.
    fields: messages by field name, for input that can be corrected in a form.
    """

    code = "refused"
    status = 422  # of an HTTP answer
    retry_after_seconds: int | None = None

    def __init__(
        self, message: str, *, next_step: str = "", fields: dict[str, list[str]] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.fields = fields or {}

    @property
    def headers(self) -> dict[str, str]:
        """Headers of an HTTP response."""
        return {} if self.retry_after_seconds is None else {"Retry-After": str(self.retry_after_seconds)}


class Refused(Refusal):
    """A rule of the product forbids it to everyone in the current state (HTTP 422)."""


class Damaged(Refused):
    """Bytes don't match their digest or signature. Missing bytes aren't damaged: they may be restored."""

    code = "damaged"


class Conflict(Refusal):
    """The thing changed since the caller looked at it, or is no longer in the state that the action needs
    (HTTP 409).
    """

    code = "conflict"
    status = 409


class Unreadable(Refusal):
    """A URL has a parameter that is invalid or not supported. Nothing is shown: it would be more than was
    requested (HTTP 400).
    """

    code = "invalid"
    status = 400


class NotReady(Refusal):
    """Possible later: something it needs is still being made or doesn't respond (HTTP 503).

    retry_after_seconds: when to try again, sent as Retry-After.
    """

    code = "not_ready"
    status = 503
    retry_after_seconds = 5


@contextmanager
def full_disk_refused(message: str, *, next_step: str) -> Iterator[None]:
    """Raise Refused with this message where the disk or a quota on it is full inside the block."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Refused(message, next_step=next_step) from error
