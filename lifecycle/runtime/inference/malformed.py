"""Refusals below the application, in the same JSON form as every other: malformed HTTP requests, and requests
that don't end.
"""

from __future__ import annotations

import json
from asyncio import AbstractEventLoop, Transport
from asyncio.events import TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lifecycle.runtime.inference import answering

HEADER_SECONDS, HEADER_MOST = 10.0, 64 * 1024  # bytes
# for bodies that the application doesn't read; it has its own deadline for those it reads
BODY_SECONDS = 2 * answering.BODY_SECONDS
LINGER_SECONDS = 5.0
# that a client may read nothing while responses wait: more than the write buffer's limit, or the last
UNREAD_SECONDS = 60.0
PIPELINED_MOST = 100  # requests waiting on one connection for an earlier response


def refusal(status: bytes, message: str) -> bytes:
    """A whole response that closes the connection."""
    body = json.dumps({"error": message}).encode()
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
    return head % (status, len(body)) + body


MALFORMED = refusal(b"400 Bad Request", "Malformed HTTP request.")
ENDLESS = refusal(
    b"431 Request Header Fields Too Large", f"Request headers can have at most {HEADER_MOST:,} bytes."
)
TRAILED = refusal(b"400 Bad Request", "A request can't have trailers.")
LATE = refusal(b"408 Request Timeout", "The request didn't arrive in time.")


class LingeringTransport:
    """A transport that closes in two steps while its client still sends: nothing more is written or parsed,
    and LINGER_SECONDS later the socket closes. A socket closed with unread bytes is reset, and the client may
    lose the response (RFC 9112, 9.6).

    While watched, it disconnects a client that reads nothing for UNREAD_SECONDS.
    """

    _unread: TimerHandle | None = None

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self.receives = False  # in the middle of a request
        self._transport, self._loop, self._lingers = transport, loop, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether the connection is ending, even while incoming bytes are still received and dropped."""
        return self._lingers or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send, unless the connection is ending."""
        if not self.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """End the connection once the client has read all of its responses."""
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
        """Disconnect unless the client continues reading. left: unread bytes; nothing is written
        meanwhile.
        """
        self.unwatch()
        self._unread = self._loop.call_later(UNREAD_SECONDS, self._abort_unless_read, left)

    def unwatch(self) -> None:
        """Stop watching: the client has caught up or disconnected."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _abort_unless_read(self, before: int) -> None:
        left = self._transport.get_write_buffer_size()
        self.watch(left) if left < before else self.abort()


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with refusals in JSON, deadlines, and limits on the memory of a connection.

    A header has a deadline from the connection or its first byte on, and so has a body. A response sent
    before its request has ended closes the connection, as does one to a request for another protocol.
    """

    transport: LingeringTransport  # type: ignore[assignment]
    _deadline: TimerHandle | None = None
    _in_body = False
    # received since the parser last passed something on: part of a header, chunk size or trailer
    _kept_bytes = 0
    _keeps_alive = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Expect a request on a new connection."""
        super().connection_made(LingeringTransport(transport, self.loop))  # type: ignore[arg-type]
        self._expect(HEADER_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes; refuse a header that doesn't end, and drop what follows a refusal."""
        if self.transport.is_closing():
            return
        self._kept_bytes += len(data)
        super().data_received(data)
        if self._kept_bytes > HEADER_MOST:
            self._end_with(ENDLESS)
        elif (
            self._kept_bytes
            and self._deadline is None
            and self.cycle is not None
            and self.cycle.response_complete
        ):
            # the parser doesn't report empty lines before a request, which end the keep-alive wait
            self._expect(HEADER_SECONDS)

    def on_message_begin(self) -> None:
        """Start a request's header deadline."""
        super().on_message_begin()
        self.transport.receives, self._in_body = True, False
        self._expect(HEADER_SECONDS)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; refuse a trailer field, since nothing here reads it."""
        if self._in_body:
            self._end_with(TRAILED)
            raise ValueError("A trailer.")  # stops the parser
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the body's deadline. Raises ValueError, which stops the parser, for one request too many."""
        if len(self.pipeline) >= PIPELINED_MOST:
            raise ValueError("Too many requests at once.")
        self._in_body, self._kept_bytes = True, 0
        self._expect(BODY_SECONDS)
        super().on_headers_complete()
        self._keeps_alive = self.cycle.keep_alive and not self.parser.should_upgrade()
        self.cycle.keep_alive = False  # until the request has ended

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._kept_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request's deadline."""
        self._settle()
        self.transport.receives, self._in_body, self._kept_bytes = False, False, 0
        if not self.cycle.response_started:
            self.cycle.keep_alive = self._keeps_alive
        super().on_message_complete()

    def shutdown(self) -> None:
        """Close the connection after the response that is due: the server is shutting down."""
        self._keeps_alive = False
        super().shutdown()

    def pause_writing(self) -> None:
        """Watch a client that reads its responses slower than they are written."""
        super().pause_writing()
        self.transport.watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Stop watching: the client has caught up, except for the last of its responses."""
        super().resume_writing()
        if not self.transport.is_closing():
            self.transport.unwatch()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; responses that the client hasn't read are dropped."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadlines of a closed connection."""
        self._settle()
        self.transport.unwatch()
        self.transport.receives = False
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse and disconnect."""
        self._end_with(MALFORMED)

    def _end_with(self, answer: bytes) -> None:
        """Disconnect with this response, unless the incoming request already has one or an earlier one is
        still unanswered.
        """
        self._settle()
        last = self.cycle
        if last is None or (
            not last.response_started and not self.pipeline if self._in_body else last.response_complete
        ):
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
        """Refuse and disconnect, unless this side has paused reading; without a request, just disconnect."""
        self._deadline = None
        if self.flow.read_paused:
            self._expect(BODY_SECONDS)
        elif self.headers is None:
            self.transport.close()
        else:
            self._end_with(LATE)
