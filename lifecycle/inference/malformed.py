"""Answers to bytes that are no HTTP request: the server below the application refuses them, in the words that every other refusal has."""

from __future__ import annotations

import json

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BODY = json.dumps({"error": "This is not an HTTP request as the standard describes it."}).encode()
HEAD = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: "
    + str(len(BODY)).encode()
    + b"\r\nconnection: close\r\n"
)


class Protocol(HttpToolsProtocol):
    """uvicorn's, with a refusal in JSON."""

    def send_400_response(self, msg: str) -> None:
        """Refuse and hang up."""
        self.transport.write(HEAD + b"\r\n" + BODY)
        self.transport.close()
