"""What the server below the application refuses, in the words that every other refusal has: bytes that are no HTTP request, and requests
that do not come to an end."""

from __future__ import annotations

import json
from asyncio import AbstractEventLoop, Transport
from asyncio.events import TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lifecycle.runtime.inference import answering

HEADER_SECONDS, HEADER_MOST = 10.0, 64 * 1024  # bytes
BODY_SECONDS = 2 * answering.BODY_SECONDS  # of what the application does not read; what it reads, it waits for itself
LINGER_SECONDS = 5.0
UNREAD_SECONDS = 60.0  # for which a client may read nothing while answers wait for it: more than the write buffer's limit, or the last
PIPELINED_MOST = 100  # requests that wait on one connection for the answer before theirs


def refusal(status: bytes, says: str) -> bytes:
    """A whole answer, after which the connection ends."""
    body = json.dumps({"error": says}).encode()
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
    return head % (status, len(body)) + body


MALFORMED = refusal(b"400 Bad Request", "Malformed HTTP request.")
ENDLESS = refusal(b"431 Request Header Fields Too Large", f"Request headers can have at most {HEADER_MOST:,} bytes.")
TRAILED = refusal(b"400 Bad Request", "A request can't have trailers.")
LATE = refusal(b"408 Request Timeout", "The request didn't arrive in time.")


class LingeringTransport:
    """A transport that closes in two steps while its client still sends: nothing more is written or parsed, and LINGER_SECONDS later the
    socket closes. One that closes with bytes unread is reset, and the client may lose the answer (RFC 9112, 9.6).

    It hangs up on a client that reads nothing for UNREAD_SECONDS where it is to be watched.
    """

    _unread: TimerHandle | None = None

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self.receives = False  # part of a request, which has not ended
        self._transport, self._loop, self._lingers = transport, loop, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether the connection ends, be it that bytes are still taken in and dropped."""
        return self._lingers or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send, unless the connection ends."""
        if not self.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """End the connection; where the client has not read all of its answers, once it has."""
        if self.is_closing():
            return
        if not self.receives:
            left = self._transport.get_write_buffer_size()
            self._transport.close()
            if left:
                self.watch(left)
            return
        self._lingers = True
        self._transport.write_eof()
        self._transport.resume_reading()
        self._loop.call_later(LINGER_SECONDS, self.abort)

    def abort(self) -> None:
        """End the connection now."""
        self.unwatch()
        self._transport.abort()

    def watch(self, left: int) -> None:
        """Hang up unless the client reads on. left: bytes that it has not read; nothing is written meanwhile."""
        self.unwatch()
        self._unread = self._loop.call_later(UNREAD_SECONDS, self._abort_unless_read, left)

    def unwatch(self) -> None:
        """The client has caught up, or is gone."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _abort_unless_read(self, before: int) -> None:
        left = self._transport.get_write_buffer_size()
        self.watch(left) if left < before else self.abort()


class Protocol(HttpToolsProtocol):
    """uvicorn's, with refusals in JSON, with deadlines and with limits on what a connection keeps in memory.

    A header has a deadline from its first byte or from the connection on, and so has a body. An answer that is sent before its request has
    ended ends the connection, as does one to a request for another protocol.
    """

    transport: LingeringTransport  # type: ignore[assignment]
    _deadline: TimerHandle | None = None
    _in_body = False
    _kept_bytes = 0  # came in since the parser last passed something on: it keeps the header, chunk size or trailer that they are part of
    _keeps_alive = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """A connection, on which a request should follow."""
        super().connection_made(LingeringTransport(transport, self.loop))  # type: ignore[arg-type]
        self._expect(HEADER_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Take in what came; a header that does not end is refused, and what follows a refusal is dropped."""
        if self.transport.is_closing():
            return
        self._kept_bytes += len(data)
        super().data_received(data)
        if self._kept_bytes > HEADER_MOST:
            self._end_with(ENDLESS)
        elif self._kept_bytes and self._deadline is None and self.cycle is not None and self.cycle.response_complete:
            self._expect(HEADER_SECONDS)  # of empty lines before a request, which end the wait for it, the parser says nothing

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self.transport.receives, self._in_body = True, False
        self._expect(HEADER_SECONDS)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of the header; one of the trailer is refused, since nothing here reads it."""
        if self._in_body:
            self._end_with(TRAILED)
            raise ValueError("A trailer.")  # stops the parser
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The header is there. Raises ValueError, which stops the parser, for one request too many."""
        if len(self.pipeline) >= PIPELINED_MOST:
            raise ValueError("Too many requests at once.")
        self._in_body, self._kept_bytes = True, 0
        self._expect(BODY_SECONDS)
        super().on_headers_complete()
        self._keeps_alive = self.cycle.keep_alive and not self.parser.should_upgrade()
        self.cycle.keep_alive = False  # until the request has ended

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        self._kept_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of the request is there."""
        self._settle()
        self.transport.receives, self._in_body, self._kept_bytes = False, False, 0
        if not self.cycle.response_started:
            self.cycle.keep_alive = self._keeps_alive
        super().on_message_complete()

    def shutdown(self) -> None:
        """The server ends: so does the connection, after the answer that is due."""
        self._keeps_alive = False
        super().shutdown()

    def pause_writing(self) -> None:
        """The client does not read its answers as fast as they are written."""
        super().pause_writing()
        self.transport.watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """The client has caught up, but for what is left of its last answers."""
        super().resume_writing()
        if not self.transport.is_closing():
            self.transport.unwatch()

    def timeout_keep_alive_handler(self) -> None:
        """No further request came; what the client left unread of its answers is dropped."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._settle()
        self.transport.unwatch()
        self.transport.receives = False
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse and hang up."""
        self._end_with(MALFORMED)

    def _end_with(self, answer: bytes) -> None:
        """Hang up; with this answer, unless the request that comes in has another one, or one before it is still to be answered."""
        self._settle()
        last = self.cycle
        if last is None or (not last.response_started and not self.pipeline if self._in_body else last.response_complete):
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
        """Refuse and hang up, unless it is this side that does not read. Of a connection without a request there is nothing to refuse."""
        self._deadline = None
        if self.flow.read_paused:
            self._expect(BODY_SECONDS)
        elif self.headers is None:
            self.transport.close()
        else:
            self._end_with(LATE)
