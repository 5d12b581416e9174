"""A request that does not come to an end is refused and hung up on; the loop never waits for it."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from lifecycle.inference.malformed import BODY_SECONDS, HEADER_MOST, HEADER_SECONDS, Protocol

HALF_A_HEADER = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: s"
HALF_A_BODY = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: s\r\nContent-Length: 10\r\n\r\nhalf"


class Task:
    """Of the application, which is not run."""

    def add_done_callback(self, function):
        """It never ends."""


class Loop:
    """Keeps what is to be called later, and when."""

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
    """The transport: what was written, and whether it was closed."""

    def __init__(self):
        self.written, self.closed = b"", False

    def write(self, data):
        self.written += data

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed

    def get_extra_info(self, _):
        return None

    def pause_reading(self):
        pass

    resume_reading = pause_reading


@pytest.fixture
def connection():
    async def application(scope, receive, send):
        await asyncio.Event().wait()

    config = Config(application, lifespan="off", log_config=None, ws="none")
    made = Protocol(config=config, server_state=ServerState(), app_state={}, _loop=Loop())
    made.connection_made(Line())
    return made


def end(connection):
    (timer,) = connection.loop.waits
    timer.cancelled = True  # it is over
    timer.run()
    return timer.seconds


def test_a_connection_without_a_request_is_closed_in_silence(connection):
    assert end(connection) == HEADER_SECONDS
    assert (connection.transport.closed, connection.transport.written) == (True, b"")


@pytest.mark.parametrize(("half", "seconds"), [(HALF_A_HEADER, HEADER_SECONDS), (HALF_A_BODY, BODY_SECONDS)])
def test_half_a_request_is_refused_when_its_time_is_over(connection, half, seconds):
    connection.data_received(half)

    assert end(connection) == seconds
    head, body = connection.transport.written.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body) == {"error": "The request did not arrive in time."}
    assert connection.transport.closed


def test_an_answer_that_was_begun_is_not_spoilt(connection):
    connection.data_received(HALF_A_BODY)
    connection.cycle.response_started = True

    end(connection)

    assert (connection.transport.closed, connection.transport.written) == (True, b"")


def test_bytes_that_drip_do_not_move_the_deadline(connection):
    connection.data_received(HALF_A_HEADER[:20])
    (first,) = connection.loop.waits

    connection.data_received(HALF_A_HEADER[20:])

    assert connection.loop.waits == [first]


def test_a_header_that_does_not_end_is_refused_and_a_long_body_is_not(connection):
    connection.data_received(b"POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 200000\r\n\r\n" + b"x" * 100_000)
    connection.data_received(b"x" * 100_000)
    assert not connection.transport.closed

    connection.data_received(HALF_A_HEADER + b"s" * HEADER_MOST)

    assert (connection.transport.written[:13], connection.transport.closed) == (b"HTTP/1.1 431 ", True)


def test_a_whole_request_has_no_deadline(connection):
    connection.data_received(HALF_A_BODY)
    connection.data_received(b"-whole")

    assert connection.loop.waits == []


def test_who_is_not_read_from_is_not_late(connection):
    connection.data_received(HALF_A_BODY)
    connection.flow.pause_reading()

    assert end(connection) == BODY_SECONDS
    assert (connection.transport.closed, len(connection.loop.waits)) == (False, 1)


@pytest.mark.parametrize("half", [b"", HALF_A_HEADER, HALF_A_BODY])
def test_a_connection_that_ended_leaves_nothing_to_be_called(connection, half):
    if half:
        connection.data_received(half)

    connection.connection_lost(None)

    assert connection.loop.waits == []
