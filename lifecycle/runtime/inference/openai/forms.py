"""Responses in OpenAI's form: answers, chunks of a stream, models, errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse, Response

from lifecycle.runtime.generation.rules import Token
from lifecycle.runtime.inference.openai.asking import BadField, Wanted
from lifecycle.runtime.inference.protocol import ProtocolError

DONE = b"data: [DONE]\n\n"
KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


@dataclass(slots=True)
class Form:
    """The frame of one answer. created: seconds since 1970; fingerprint: of what answers; spelled: a token as
    text.
    """

    wanted: Wanted
    identity: str
    created: int
    model: str
    fingerprint: str
    spelled: Callable[[int], str]
    offset: int = field(default=0)

    def whole(self, text: str, finish: str, tokens: Sequence[Token], usage: dict[str, int]) -> dict[str, Any]:
        """The answer in one."""
        body = (
            {"message": {"role": "assistant", "content": text, "refusal": None}}
            if self.wanted.is_chat
            else {"text": text}
        )
        kind = "chat.completion" if self.wanted.is_chat else "text_completion"
        return self._frame(kind, [self._choice(body, finish, tokens)]) | {"usage": usage}

    def first(self) -> bytes:
        """The event before the first text; none of a completion."""
        return self._event({"delta": {"role": "assistant", "content": ""}}) if self.wanted.is_chat else b""

    def piece(self, text: str, tokens: Sequence[Token]) -> bytes:
        """The event of a part of the answer."""
        return self._event(
            {"delta": {"content": text}} if self.wanted.is_chat else {"text": text}, None, tokens
        )

    def last(self, finish: str, usage: dict[str, int]) -> bytes:
        """The events behind the last text."""
        events = self._event({"delta": {}} if self.wanted.is_chat else {"text": ""}, finish)
        if self.wanted.include_usage:
            events += as_event(self._frame(self._chunk, []) | {"usage": usage})
        return events + DONE

    def _event(self, body: dict[str, Any], finish: str | None = None, tokens: Sequence[Token] = ()) -> bytes:
        frame = self._frame(self._chunk, [self._choice(body, finish, tokens)])
        return as_event(frame | ({"usage": None} if self.wanted.include_usage else {}))

    @property
    def _chunk(self) -> str:
        return "chat.completion.chunk" if self.wanted.is_chat else "text_completion"

    def _frame(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.identity,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": choices,
        }

    def _choice(self, body: dict[str, Any], finish: str | None, tokens: Sequence[Token]) -> dict[str, Any]:
        logprobs = self._logprobs(tokens) if self.wanted.logprobs and (tokens or finish is None) else None
        return {"index": 0, **body, "logprobs": logprobs, "finish_reason": finish}

    def _logprobs(self, tokens: Sequence[Token]) -> dict[str, Any]:
        if self.wanted.is_chat:
            return {
                "content": [
                    self._token(each.id, each.logprob)
                    | {"top_logprobs": [self._token(*pair) for pair in each.alternatives]}
                    for each in tokens
                ],
                "refusal": None,
            }
        spelled = [self.spelled(each.id) for each in tokens]
        offsets = []
        for each in spelled:
            offsets.append(self.offset)
            self.offset += len(each)
        return {
            "tokens": spelled,
            "token_logprobs": [each.logprob for each in tokens],
            "top_logprobs": [
                {self.spelled(rival): log for rival, log in each.alternatives} for each in tokens
            ],
            "text_offset": offsets,
        }

    def _token(self, token: int, log: float) -> dict[str, Any]:
        text = self.spelled(token)
        return {"token": text, "logprob": log, "bytes": list(text.encode())}


def as_event(value: dict[str, Any]) -> bytes:
    """A server-sent event."""
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def models(names: Iterable[str]) -> dict[str, Any]:
    """The list of GET /v1/models. When a model came into being isn't known here."""
    rows = [{"id": name, "object": "model", "created": 0, "owned_by": "lifecycle"} for name in names]
    return {"object": "list", "data": rows}


def error_of(error: ProtocolError) -> dict[str, Any]:
    """The error's object."""
    kind = KINDS.get(error.status, "invalid_request_error" if error.status < 500 else "server_error")
    field_, code = (error.field, error.code) if isinstance(error, BadField) else (None, "")
    return {
        "error": {
            "message": str(error),
            "type": kind,
            "param": field_,
            "code": code or CODES.get(error.status),
        }
    }


def failure(error: ProtocolError) -> Response:
    """The response of a refused request."""
    headers = {}
    if error.retry_after_seconds is not None:
        headers["retry-after"] = str(error.retry_after_seconds)
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(error_of(error), status_code=error.status, headers=headers)
