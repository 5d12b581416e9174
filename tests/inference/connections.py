"""A connection of the inference server without a socket or a loop: the test sends, answers and lets time
pass.
"""

import asyncio
from types import SimpleNamespace

from uvicorn import Config
from uvicorn.server import ServerState

from lifecycle.runtime.inference.malformed import Protocol

WHOLE = b"GET /v2/health/live HTTP/1.1\r\nHost: s\r\n\r\n"
HALF_A_HEADER = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: s"
HALF_A_BODY = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: s\r\nContent-Length: 10\r\n\r\nhalf"
CHUNKED = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n"


class Task:
    """The task of an application that isn't run."""

    def add_done_callback(self, function):
        """Do nothing: the task never ends."""


class Loop:
    """A loop that only records scheduled calls and their times."""

    def __init__(self):
        self.later = []

    def call_later(self, seconds, function, *args):
        timer = SimpleNamespace(seconds=seconds, run=lambda: function(*args), cancelled=False)
        timer.cancel = lambda: setattr(timer, "cancelled", True)
        self.later.append(timer)
        return timer

    def create_task(self, coroutine, **_):
        coroutine.close()
        return Task()

    @property
    def waits(self):
        return [timer for timer in self.later if not timer.cancelled]


class Line:
    """The transport: what was written, how many bytes of it the client left unread, whether that was all,
    whether it was closed, and whether without waiting for the client to read the rest.
    """

    unread = 0

    def __init__(self):
        self.written, self.ended, self.closed, self.aborted = b"", False, False, False

    def write(self, data):
        if self.aborted:
            raise RuntimeError("The handler is closed.")
        self.written += data

    def close(self):
        self.closed = True

    def abort(self):
        self.closed = self.aborted = True

    def write_eof(self):
        self.ended = True

    def is_closing(self):
        return self.closed

    def get_extra_info(self, _):
        return None

    def get_write_buffer_size(self):
        return self.unread

    def pause_reading(self):
        pass

    resume_reading = pause_reading


def connect():
    """A new connection, of an application that is never run."""

    async def application(scope, receive, send):
        await asyncio.Event().wait()

    config = Config(application, lifespan="off", log_config=None, ws="none")
    made = Protocol(config=config, server_state=ServerState(), app_state={}, _loop=Loop())
    made.connection_made(Line())
    return made


def respond(connection, status=401):
    """Respond to the latest request."""
    for message in (
        {"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]},
        {"type": "http.response.body"},
    ):
        try:
            connection.cycle.send(message).send(None)
        except StopIteration:
            continue


def leave_unread(connection, size):
    """So many bytes of what was written are still unread."""
    connection.transport._transport.unread = size


def end(connection):
    """Let the one time that is waited for pass, and return its seconds."""
    (timer,) = connection.loop.waits
    timer.cancelled = True  # it is over
    timer.run()
    return timer.seconds
