"""What the server below the application refuses, in the words that every other refusal has: bytes that are no HTTP request, and requests
that do not come to an end."""

from __future__ import annotations

import json
from asyncio import Transport
from asyncio.events import TimerHandle

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lifecycle.inference import answering

HEADER_SECONDS, HEADER_MOST = 10.0, 64 * 1024  # bytes
BODY_SECONDS = 2 * answering.BODY_SECONDS  # of what the application does not read; what it reads, it waits for itself


def refusal(status: bytes, says: str) -> bytes:
    """A whole answer, after which the connection ends."""
    body = json.dumps({"error": says}).encode()
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
    return head % (status, len(body)) + body


MALFORMED = refusal(b"400 Bad Request", "This is not an HTTP request as the standard describes it.")
ENDLESS = refusal(b"431 Request Header Fields Too Large", f"The header of a request has at most {HEADER_MOST:,} bytes.")
LATE = refusal(b"408 Request Timeout", "The request did not arrive in time.")


class Protocol(HttpToolsProtocol):
    """uvicorn's, with refusals in JSON and with deadlines: for a header from its first byte or from the connection, and for a body."""

    _deadline: TimerHandle | None = None
    _in_body = False
    _header_bytes = 0  # of the header that comes in, which the parser keeps in memory

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """A connection, on which a request should follow."""
        super().connection_made(transport)
        self._expect(HEADER_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Take in what came; a header that does not end is refused."""
        super().data_received(data)
        self._header_bytes = 0 if self._in_body else self._header_bytes + len(data)
        if self._header_bytes > HEADER_MOST and not self.transport.is_closing():
            self._end_with(ENDLESS)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_body = False
        self._expect(HEADER_SECONDS)

    def on_headers_complete(self) -> None:
        """The header is there."""
        self._in_body = True
        self._expect(BODY_SECONDS)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of the request is there."""
        self._settle()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._settle()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse and hang up."""
        self._end_with(MALFORMED)

    def _end_with(self, answer: bytes) -> None:
        self._settle()
        self.transport.write(answer)
        self.transport.close()

    def _expect(self, seconds: float) -> None:
        self._settle()
        self._deadline = self.loop.call_later(seconds, self._late)

    def _settle(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        """Refuse and hang up, unless it is this side that does not read."""
        self._deadline = None
        if self.flow.read_paused:
            self._expect(BODY_SECONDS)
            return
        if self.headers is not None and not (self._in_body and self.cycle.response_started):
            self.transport.write(LATE)
        self.transport.close()
