"""Why a command ends early; `main` gives each its exit code."""

from __future__ import annotations

from lifecycle.runtime.refusals import Refusal


class Usage(Exception):
    """A usage error; the text explains the right call."""


class Unreachable(Exception):
    """No response, or not one of a Lifecycle server; the text names the address and what to do."""


class ApiRefusal(Refusal):
    """The server refused; the message is the server's own, with its next step. status: of HTTP. fields: what
    is wrong with each.
    """

    def __init__(
        self, status: int, code: str, message: str, fields: dict[str, list[str]], next_step: str = ""
    ) -> None:
        super().__init__(message, next_step=next_step, fields=fields)
        self.status, self.code = status, code
