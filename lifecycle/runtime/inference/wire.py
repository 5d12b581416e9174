"""Responses of the server other than predictions."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from lifecycle.runtime.inference.protocol import ProtocolError


def failure(error: ProtocolError) -> Response:
    """An error in the protocol's form: `{"error": sentence}`."""
    headers = {}
    if error.retry_after_seconds is not None:
        headers["retry-after"] = str(error.retry_after_seconds)
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse({"error": str(error)}, status_code=error.status, headers=headers)


def answer(value: Any, *, status: int = 200) -> Response:
    """A JSON response."""
    return JSONResponse(value, status_code=status)
