"""A request that doesn't end is refused and disconnected; the loop never waits for it."""

import json

import pytest

from lifecycle.runtime.inference.malformed import BODY_SECONDS, HEADER_MOST, HEADER_SECONDS, UNREAD_SECONDS
from tests.inference.connections import HALF_A_BODY, HALF_A_HEADER, WHOLE, end, leave_unread, respond

LAST = WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


def test_a_connection_without_a_request_is_closed_in_silence(connection):
    assert end(connection) == HEADER_SECONDS
    assert (connection.transport.closed, connection.transport.written) == (True, b"")


@pytest.mark.parametrize(("half", "seconds"), [(HALF_A_HEADER, HEADER_SECONDS), (HALF_A_BODY, BODY_SECONDS)])
def test_half_a_request_is_refused_when_its_time_is_over(connection, half, seconds):
    connection.data_received(half)

    assert end(connection) == seconds
    head, body = connection.transport.written.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body) == {"error": "The request didn't arrive in time."}
    assert connection.transport.is_closing()


def test_an_answer_that_was_begun_is_not_spoilt(connection):
    connection.data_received(HALF_A_BODY)
    connection.cycle.response_started = True

    end(connection)

    assert (connection.transport.is_closing(), connection.transport.written) == (True, b"")


def test_bytes_that_drip_do_not_move_the_deadline(connection):
    connection.data_received(HALF_A_HEADER[:20])
    (first,) = connection.loop.waits

    connection.data_received(HALF_A_HEADER[20:])

    assert connection.loop.waits == [first]


def test_a_header_that_does_not_end_is_refused_and_a_long_body_is_not(connection):
    connection.data_received(b"POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 200000\r\n\r\n" + b"x" * 100_000)
    connection.data_received(b"x" * 100_000)
    assert not connection.transport.is_closing()

    connection.cycle.response_complete = True
    connection.data_received(HALF_A_HEADER + b"s" * HEADER_MOST)

    assert (connection.transport.written[:13], connection.transport.is_closing()) == (b"HTTP/1.1 431 ", True)


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


def test_who_does_not_read_the_answers_is_hung_up_on(connection):
    connection.data_received(WHOLE)
    connection.pause_writing()

    assert end(connection) == UNREAD_SECONDS
    assert connection.transport.closed


def test_who_reads_slowly_stays_and_who_stops_is_hung_up_on(connection):
    connection.data_received(WHOLE)
    leave_unread(connection, 300_000)
    connection.pause_writing()

    for left in (200_000, 199_999):
        leave_unread(connection, left)
        assert (end(connection), connection.transport.is_closing()) == (UNREAD_SECONDS, False)

    assert (end(connection), connection.transport.closed, connection.loop.waits) == (UNREAD_SECONDS, True, [])


def test_who_reads_on_in_time_stays(connection):
    connection.data_received(WHOLE)
    connection.pause_writing()

    connection.resume_writing()

    assert (connection.loop.waits, connection.transport.is_closing()) == ([], False)


@pytest.fixture
def closing(connection):
    """A connection that closes after its last answer, of which the client has left 12 kB unread."""
    connection.data_received(LAST)
    leave_unread(connection, 12_000)
    respond(connection)
    assert (connection.transport.closed, connection.transport.aborted) == (True, False)
    return connection


def test_who_does_not_read_the_last_answer_is_hung_up_on(closing):
    leave_unread(closing, 11_999)
    assert (end(closing), closing.transport.aborted) == (UNREAD_SECONDS, False)

    assert (end(closing), closing.transport.aborted, closing.loop.waits) == (UNREAD_SECONDS, True, [])


def test_who_reads_some_of_the_last_answer_and_then_nothing_is_hung_up_on(connection):
    connection.data_received(LAST)
    leave_unread(connection, 90_000)
    respond(connection)
    connection.pause_writing()
    leave_unread(connection, 12_000)
    connection.resume_writing()

    assert (end(connection), connection.transport.aborted) == (UNREAD_SECONDS, False)
    assert (end(connection), connection.transport.aborted) == (UNREAD_SECONDS, True)


def test_who_has_read_the_last_answer_is_not_looked_at_again(closing):
    closing.connection_lost(None)

    assert closing.loop.waits == []


def test_no_timer_is_left_for_a_last_answer_that_was_read_at_once(connection):
    connection.data_received(LAST)
    respond(connection)

    assert (connection.transport.closed, connection.loop.waits) == (True, [])


def test_what_is_answered_after_a_hang_up_is_dropped(connection):
    connection.data_received(WHOLE + WHOLE)
    connection.transport.abort()

    respond(connection)

    assert (connection.transport.aborted, connection.transport.written, connection.loop.waits) == (
        True,
        b"",
        [],
    )


def test_empty_lines_after_an_answer_do_not_keep_a_connection(connection):
    connection.data_received(WHOLE)
    respond(connection)

    connection.data_received(b"\r\n")

    assert end(connection) == HEADER_SECONDS
    assert connection.transport.closed
