"""Limits on what a connection may send: nothing after its answer, nothing that only the parser keeps, and a
number of requests at once.
"""

import json

import pytest

from lifecycle.runtime.inference.malformed import HEADER_MOST, LINGER_SECONDS, PIPELINED_MOST
from tests.inference.connections import CHUNKED, HALF_A_BODY, HALF_A_HEADER, WHOLE, respond

REFUSED = "A request can't have trailers."


def answers(connection):
    """The status lines of what was written."""
    return [line for line in connection.transport.written.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


@pytest.mark.parametrize(
    "trailer", [b"a: b\r\n\r\n", b"a: b\r\n" * 5000, b"Authorization: Bearer x\r\n\r\n" + WHOLE]
)
def test_a_trailer_is_refused(connection, trailer):
    connection.data_received(CHUNKED + b"1\r\na\r\n0\r\n" + trailer)

    head, body = connection.transport.written.split(b"\r\n\r\n")
    assert (answers(connection), json.loads(body)) == ([b"HTTP/1.1 400 Bad Request"], {"error": REFUSED})
    assert connection.transport.is_closing()
    assert [name for name, _ in connection.headers] == [b"host", b"transfer-encoding"]


@pytest.mark.parametrize("begins", [b"1;a=", b"1\r\na\r\n0\r\na: ", b"1\r\na\r\n0\r\n" + b"a" * 10])
def test_a_chunk_size_or_trailer_that_does_not_end_is_refused(connection, begins):
    connection.data_received(CHUNKED)
    connection.data_received(begins)
    connection.data_received(b"s" * (HEADER_MOST + 1))

    assert (answers(connection), connection.transport.is_closing()) == (
        [b"HTTP/1.1 431 Request Header Fields Too Large"],
        True,
    )


def test_a_long_body_in_chunks_is_accepted(connection):
    connection.data_received(CHUNKED)
    for _ in range(4):
        connection.data_received(b"9000\r\n" + b"x" * 0x9000 + b"\r\n")
    connection.data_received(b"0\r\n\r\n")

    assert (len(connection.cycle.body), connection.cycle.more_body, connection.transport.is_closing()) == (
        4 * 0x9000,
        False,
        False,
    )


@pytest.mark.parametrize(
    "half",
    [HALF_A_BODY, HALF_A_BODY.replace(b"Host", b"Expect: 100-continue\r\nHost"), CHUNKED + b"4\r\nhalf\r\n"],
)
def test_an_answer_before_the_end_of_its_request_is_the_last(connection, half):
    connection.data_received(half)
    respond(connection)
    assert answers(connection) == [b"HTTP/1.1 401 Unauthorized"]
    assert b"\r\nconnection: close\r\n" in connection.transport.written

    connection.data_received(b"-whole" + WHOLE)
    assert (bytes(connection.cycle.body), connection.transport.ended, connection.transport.closed) == (
        b"half",
        True,
        False,
    )

    (linger,) = (timer for timer in connection.loop.waits if timer.seconds == LINGER_SECONDS)
    linger.run()
    assert (connection.transport.closed, len(answers(connection))) == (True, 1)


def test_what_comes_after_a_refusal_is_dropped(connection):
    connection.data_received(HALF_A_HEADER + b"s" * HEADER_MOST)
    refused = connection.transport.written

    connection.data_received(b"\r\n\r\n" + WHOLE)

    assert (connection.transport.written, connection.cycle) == (refused, None)


def test_a_connection_with_a_complete_request_stays_open(connection):
    connection.data_received(HALF_A_BODY)
    connection.data_received(b"-whole")
    respond(connection)

    assert b"connection: close" not in connection.transport.written
    assert not connection.transport.is_closing()


def test_a_server_that_ends_closes_connections_with_incomplete_requests(connection):
    connection.data_received(HALF_A_BODY)
    connection.shutdown()
    connection.data_received(b"-whole")
    respond(connection)

    assert b"\r\nconnection: close\r\n" in connection.transport.written
    assert connection.transport.closed


def test_a_request_for_another_protocol_is_the_last(connection):
    connection.data_received(
        WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n") + WHOLE
    )
    respond(connection, 200)

    assert b"\r\nconnection: close\r\n" in connection.transport.written
    assert connection.transport.closed


@pytest.mark.parametrize(("over", "closed"), [(0, False), (1, True)])
def test_so_many_requests_wait_on_one_connection(connection, over, closed):
    connection.data_received(WHOLE * (1 + PIPELINED_MOST + over))

    assert (len(connection.pipeline), connection.transport.is_closing(), answers(connection)) == (
        PIPELINED_MOST,
        closed,
        [],
    )


@pytest.mark.parametrize("next_", [b"nonsense\r\n", HALF_A_HEADER + b"s" * HEADER_MOST])
def test_a_refusal_is_no_answer_to_the_request_before(connection, next_):
    connection.data_received(WHOLE)
    connection.data_received(next_)

    assert (answers(connection), connection.transport.is_closing()) == ([], True)
