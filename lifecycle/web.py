"""The web process's worker: gunicorn starts, counts and ends processes; waitress takes in whole requests, and
only then a thread works on one.

A client that sends half of a request, or a body drop by drop, holds a connection and no thread. A request has
deadlines: its header within HEADER_SECONDS, its body at BODY_LEAST bytes a second at least, on average over
each BODY_SECONDS. A large body goes to a file (`TMPDIR`) as it comes, so that memory stays flat; so does an
answer that its client reads slowly.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from gunicorn.workers.base import Worker  # type: ignore[import-untyped]
from waitress import wasyncore  # type: ignore[import-untyped]
from waitress.adjustments import Adjustments  # type: ignore[import-untyped]
from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.parser import HTTPRequestParser, ParsingError  # type: ignore[import-untyped]
from waitress.server import TcpWSGIServer, UnixWSGIServer  # type: ignore[import-untyped]
from waitress.task import ThreadedTaskDispatcher  # type: ignore[import-untyped]

HEADER_SECONDS = 10.0
BODY_SECONDS, BODY_LEAST = 60.0, 1024  # in each stretch of so many seconds, so many bytes a second on average
# bytes of a chunked body that are kept in memory and searched
CHUNK_LINE_MOST, TRAILER_MOST = 1024, 64 * 1024
HEADER_MOST = 32 * 1024
SILENT_SECONDS = 60  # a connection on which nothing moves, and that no thread works for
CONNECTIONS = 1000
ROUND_SECONDS = 1.0  # how often the worker gives a sign of life and looks at its deadlines
# what is a little too large is refused by the page that it is sent to, in its own words
ABOVE_UPLOADS = 64 * 1024 * 1024
# of an answer may wait in a file for its client; a longer one waits in its thread
ANSWER_MOST = 1024 * 1024 * 1024
AT_ONCE = 4  # so many times the largest upload may wait in files for the rest of their requests

TRANSFER_ENCODING = re.compile(rb"^transfer-encoding:[ \t]*(.*?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """A request parser that refuses request smuggling, and asks for a body only where it will be read."""

    def parse_header(self, header_plus: bytes) -> None:
        """Read the header. Raises ParsingError (400, and the connection ends) for a Transfer-Encoding beside
        a Content-Length, in another version than 1.1, or of anything but one `chunked`: a proxy that goes by
        the other would take the rest for another request.
        """
        super().parse_header(header_plus)
        encodings = [each.lower() for each in TRANSFER_ENCODING.findall(header_plus)]
        if encodings and (encodings != [b"chunked"] or not self.chunked or "CONTENT_LENGTH" in self.headers):
            raise ParsingError(
                "The request's length is ambiguous: send either Content-Length or Transfer-Encoding: chunked."
            )

    def received(self, data: bytes) -> int:
        """Parse received bytes. No 100 Continue for a refused request or one without a body: waitress would
        read the body.
        """
        taken: int = super().received(data)
        if self.completed:
            self.expect_continue = False
        return taken


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection with the arrival time of its present request."""

    parser_class = Parser
    began = 0.0
    looked_at, looked_bytes = 0.0, 0  # when its body's rate was last checked, and the bytes received by then

    def received(self, data: bytes) -> bool:
        """Parse received bytes. Closes on a chunked body with endless sizes or trailer: waitress would search
        all of it each time.
        """
        before = self.request
        taken: bool = super().received(data)
        if self.request is not before or not self.began:
            self.began = self.looked_at = time.time()
            self.looked_bytes = 0
        chunks = getattr(self.request, "body_rcv", None)
        if (
            len(getattr(chunks, "control_line", b"")) > CHUNK_LINE_MOST
            or len(getattr(chunks, "trailer", b"")) > TRAILER_MOST
        ):
            self.will_close = True
        return taken

    def is_late(self, now: float) -> bool:
        """Whether the request that comes in takes longer than it may, or the first one does not come at
        all.
        """
        coming = self.request
        if coming is None:
            return not self.began and now - self.creation_time > HEADER_SECONDS
        if not coming.headers_finished:
            return now - self.began > HEADER_SECONDS
        since = now - self.looked_at
        if since < BODY_SECONDS:
            return False
        is_slow = coming.body_bytes_received - self.looked_bytes < since * BODY_LEAST
        self.looked_at, self.looked_bytes = now, coming.body_bytes_received
        return is_slow

    @property
    def waiting_bytes(self) -> int:
        """Bytes received of an incomplete body."""
        return int(self.request.body_bytes_received) if self.request else 0

    @property
    def is_busy(self) -> bool:
        """Whether a request is worked on, answered, or was understood so far as to be waited for."""
        return bool(
            self.requests or self.total_outbufs_len or (self.request and self.request.headers_finished)
        )


class Deadlines:
    """What a listening socket does every second."""

    channel_class = Channel
    active_channels: dict[int, Channel]
    waiting_most: int = AT_ONCE * 512 * 1024 * 1024

    def maintenance(self, now: float) -> None:
        """Close late and idle connections, and, when files hold too much, the one that holds most."""
        super().maintenance(now)  # type: ignore[misc]
        channels = list(self.active_channels.values())
        waiting = sum(channel.waiting_bytes for channel in channels)
        for channel in sorted(channels, key=lambda each: each.waiting_bytes, reverse=True):
            if channel.requests:  # nothing is read meanwhile, so the next one isn't late
                channel.began = channel.looked_at = now
            if channel.is_late(now):
                channel.will_close = True
            elif channel.waiting_bytes and waiting > self.waiting_most:
                waiting -= channel.waiting_bytes
                channel.will_close = True


class Tcp(Deadlines, TcpWSGIServer):  # type: ignore[misc]
    """Of an address and port."""


class Unix(Deadlines, UnixWSGIServer):  # type: ignore[misc]
    """Of a path."""


class BufferingWorker(Worker):  # type: ignore[misc]
    """One process: a loop that moves bytes, and `threads` threads that answer whole requests."""

    def run(self) -> None:
        """Serve until stopped, or until max_requests; then finish received requests, for graceful_timeout
        seconds at most.
        """
        # a line for each request that waits for a thread
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        servers = list_servers(
            [each.sock for each in self.sockets], self.counted, self.cfg.threads, settings.UPLOAD_MAX_BYTES
        )
        while self.alive and os.getppid() == self.ppid:
            self.turn(servers)
        for server in servers:
            server.accepting = False
        end = time.monotonic() + self.cfg.graceful_timeout
        while time.monotonic() < end and any(
            channel.is_busy for server in servers for channel in list(server.active_channels.values())
        ):
            self.turn(servers)
        servers[0].task_dispatcher.shutdown(timeout=0)

    def turn(self, servers: list[Any]) -> None:
        """Give a sign of life and move what there is to move."""
        self.notify()
        wasyncore.loop(timeout=ROUND_SECONDS, use_poll=True, map=servers[0]._map, count=1)

    def counted(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The application, and an end after max_requests of its answers."""
        self.nr += 1
        if self.nr >= self.max_requests:
            self.alive = False
        answer: Iterable[bytes] = self.wsgi(environ, start_response)
        return answer


def list_servers(
    sockets: list[socket.socket], application: Application, threads: int, upload_most: int
) -> list[Any]:
    """A server for each listening socket; they share their threads and their loop. upload_most: bytes of the
    largest upload.
    """
    adjustments = Adjustments(
        sockets=sockets,
        threads=threads,
        connection_limit=CONNECTIONS,
        channel_timeout=SILENT_SECONDS,
        cleanup_interval=int(ROUND_SECONDS),
        max_request_body_size=upload_most + ABOVE_UPLOADS,
        max_request_header_size=HEADER_MOST,
        clear_untrusted_proxy_headers=False,
        ident=None,
        log_socket_errors=False,
        outbuf_high_watermark=ANSWER_MOST,
        asyncore_use_poll=True,
    )
    dispatcher = ThreadedTaskDispatcher()
    dispatcher.set_thread_count(threads)
    map_: dict[int, Any] = {}
    servers = []
    for each in sockets:
        kind = Unix if each.family == socket.AF_UNIX else Tcp
        about = (each.family, each.type, each.proto, each.getsockname())
        server = kind(
            application,
            map_,
            _sock=each,
            dispatcher=dispatcher,
            adj=adjustments,
            sockinfo=about,
            bind_socket=False,
        )
        server.waiting_most = AT_ONCE * upload_most
        servers.append(server)
    return servers
