"""The web process takes in whole requests before a thread works on one: half-sent ones hold no thread, and
end.
"""

import runpy
import socket
import time
from types import SimpleNamespace

import pytest
from gunicorn.util import load_class
from waitress import wasyncore

from lifecycle import web

THREADS, UPLOAD_MOST = 2, 1024 * 1024
WHOLE = b"GET /whole HTTP/1.1\r\nHost: site\r\nX-Forwarded-Proto: https\r\n\r\n"
HALF_A_HEADER = b"GET / HTTP/1.1\r\nHost: si"
HALF_A_BODY = b"POST /half HTTP/1.1\r\nHost: site\r\nContent-Length: 100\r\n\r\nsome"


class Site:
    """A server on a port of its own; the test is its loop."""

    def __init__(self) -> None:
        self.seen = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        (self.server,) = web.list_servers([self.listening], self.answer, THREADS, UPLOAD_MOST)
        self.clients = []

    def answer(self, environ, start_response):
        into = environ["wsgi.input"]
        self.seen.append(
            (
                environ["PATH_INFO"],
                len(into.read()),
                type(into).__name__,
                environ.get("HTTP_X_FORWARDED_PROTO"),
            )
        )
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    def send(self, *parts: bytes) -> socket.socket:
        client = socket.create_connection(self.listening.getsockname())
        client.setblocking(False)
        self.clients.append(client)
        for part in parts:
            rest = memoryview(part)
            while rest:
                self.turn()
                try:
                    rest = rest[client.send(rest) :]
                except BlockingIOError:
                    continue
        return client

    def turn(self) -> None:
        wasyncore.loop(timeout=0.01, use_poll=True, map=self.server._map, count=1)

    def status(self, client: socket.socket) -> bytes:
        """The first line of the answer, b"" where the server hung up without one."""
        for _ in range(3000):
            self.turn()
            try:
                return client.recv(65536).split(b"\r\n")[0]
            except BlockingIOError:
                continue
            except ConnectionResetError:
                return b""
        raise AssertionError("No response.")

    def take_in(self, connections: int) -> None:
        """Until so many clients have sent what they send."""
        for _ in range(3000):
            self.turn()
            if (
                sum(channel.request is not None for channel in self.server.active_channels.values())
                == connections
            ):
                return
        raise AssertionError("They did not all arrive.")

    def later(self, seconds: float) -> None:
        self.server.maintenance(time.time() + seconds)


@pytest.fixture
def site():
    made = Site()
    yield made
    for each in made.clients:
        each.close()
    made.server.task_dispatcher.shutdown(timeout=1)
    wasyncore.close_all(made.server._map)


def test_it_is_the_one_that_an_installation_starts(settings):
    conf = settings.BASE_DIR / "deploy" / "gunicorn.conf.py"

    assert load_class(runpy.run_path(str(conf))["worker_class"]) is web.BufferingWorker
    (started,) = (
        line for line in (settings.BASE_DIR / "Procfile").read_text().splitlines() if line.startswith("web:")
    )
    assert f"--config {conf.relative_to(settings.BASE_DIR)} " in started


@pytest.mark.parametrize("half", [HALF_A_HEADER, HALF_A_BODY])
def test_half_sent_requests_block_no_others(site, half):
    for _ in range(50):
        site.send(half)
    site.take_in(50)

    assert site.status(site.send(WHOLE)) == b"HTTP/1.1 200 OK"
    assert site.seen == [("/whole", 0, "BytesIO", "https")]


def test_a_header_that_does_not_end_is_hung_up_on_and_a_body_has_longer(site):
    header, body = site.send(HALF_A_HEADER), site.send(HALF_A_BODY)
    site.take_in(2)

    site.later(web.HEADER_SECONDS + 1)

    assert site.status(header) == b""
    site.take_in(1)
    site.later(web.BODY_SECONDS + 1)
    assert site.status(body) == b""
    assert site.seen == []


def connection(request=None, began=1000.0):
    return SimpleNamespace(
        request=request, began=began, creation_time=1000.0, looked_at=began, looked_bytes=0
    )


@pytest.mark.parametrize(("seconds", "late"), [(web.HEADER_SECONDS, False), (web.HEADER_SECONDS + 0.1, True)])
def test_a_header_or_a_first_request_that_does_not_come_is_late_and_a_next_one_is_not(seconds, late):
    coming = SimpleNamespace(headers_finished=False, body_bytes_received=0)

    assert web.Channel.is_late(connection(coming), 1000.0 + seconds) is late
    assert web.Channel.is_late(connection(began=0.0), 1000.0 + seconds) is late
    assert web.Channel.is_late(connection(), 1000.0 + seconds) is False


def test_a_body_must_keep_its_rate_in_each_period_however_fast_it_began():
    body = SimpleNamespace(headers_finished=True, body_bytes_received=10**9)
    client, found = connection(body), []
    for stretch in range(1, 4):
        found.append(web.Channel.is_late(client, 1000.0 + stretch * web.BODY_SECONDS))
        body.body_bytes_received += int(web.BODY_SECONDS * web.BODY_LEAST) - (stretch == 2)

    assert found == [False, False, True]


@pytest.mark.parametrize("endless", [b"f" * 3000, b"0\r\nX: " + b"y" * 70_000])
def test_a_chunked_body_whose_size_or_trailer_does_not_end_is_hung_up_on(site, endless):
    client = site.send(b"POST /large HTTP/1.1\r\nHost: site\r\nTransfer-Encoding: chunked\r\n\r\n", endless)
    site.take_in(1)
    site.later(0)

    assert site.status(client) == b""
    assert site.seen == []


def test_a_connection_on_which_requests_follow_each_other_is_never_late(site):
    client = site.send(WHOLE)
    assert site.status(client) == b"HTTP/1.1 200 OK"

    site.later(web.HEADER_SECONDS + 1)
    client.send(WHOLE)

    assert site.status(client) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(("requests", "closed"), [([object()], False), ([], True)])
def test_what_is_not_read_while_a_thread_works_is_not_late(requests, closed):
    class Quiet:
        def maintenance(self, now):
            """Nothing else to do."""

    class Listening(web.Deadlines, Quiet):
        """A socket without connections of its own."""

    channel = SimpleNamespace(began=0.0, looked_at=0.0, waiting_bytes=0, requests=requests, will_close=False)
    channel.is_late = lambda now: now - channel.began > web.HEADER_SECONDS
    listening = Listening()
    listening.active_channels = {1: channel}

    listening.maintenance(web.HEADER_SECONDS + 1)

    assert channel.will_close is closed


def test_a_large_body_comes_by_a_file(site):
    head = b"POST /large HTTP/1.1\r\nHost: site\r\nContent-Length: %d\r\n\r\n"

    assert site.status(site.send(head % UPLOAD_MOST, b"x" * UPLOAD_MOST)) == b"HTTP/1.1 200 OK"
    assert site.seen[0][:2] == ("/large", UPLOAD_MOST)
    assert site.seen[0][2] != "BytesIO"


def test_a_body_far_above_every_limit_is_refused_before_it_comes(site):
    head = b"POST /large HTTP/1.1\r\nHost: site\r\nContent-Length: %d\r\n\r\n"

    assert (
        site.status(site.send(head % (UPLOAD_MOST + web.ABOVE_UPLOADS)))
        == b"HTTP/1.1 413 Request Entity Too Large"
    )
    assert site.seen == []


def test_of_whom_most_waits_in_files_is_hung_up_on_where_it_is_too_much(site):
    site.server.waiting_most = 6
    most = site.send(HALF_A_BODY, b"x")
    site.take_in(1)
    other = site.send(HALF_A_BODY)
    site.take_in(2)

    site.later(0)

    assert site.status(most) == b""
    other.send(b"x" * 96)
    assert site.status(other) == b"HTTP/1.1 200 OK"


CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("version", "header"),
    [
        (b"1.1", b"Content-Length: 5\r\n" + CHUNKED),
        (b"1.1", CHUNKED + b"Content-Length: 0\r\n"),
        (b"1.1", CHUNKED + CHUNKED),
        (b"1.1", b"Transfer-Encoding: chunked, chunked\r\n"),
        (b"1.1", b"Transfer-Encoding:\r\nContent-Length: 5\r\n"),
        (b"1.1", b"Transfer-Encoding:\r\n chunked\r\n"),
        (b"1.0", CHUNKED + b"Connection: keep-alive\r\n"),
        (b"1.2", CHUNKED),
    ],
)
def test_a_request_whose_length_can_be_read_in_two_ways_is_refused_and_hung_up_on(site, version, header):
    client = site.send(
        b"POST /two HTTP/" + version + b"\r\nHost: site\r\n" + header + b"\r\n0\r\n\r\n" + WHOLE
    )

    lines = list(iter(lambda: site.status(client), b""))
    assert [line[9:] for line in lines if line.startswith(b"HTTP/")] == [b"400 Bad Request"]
    assert site.seen == []


def test_a_chunked_body_is_read(site):
    client = site.send(b"POST /chunks HTTP/1.1\r\nHost: site\r\n" + CHUNKED + b"\r\n4\r\nsome\r\n0\r\n\r\n")

    assert site.status(client) == b"HTTP/1.1 200 OK"
    assert [(path, length) for path, length, *_ in site.seen] == [("/chunks", 4)]


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (0, b"200 OK"),
        (UPLOAD_MOST + web.ABOVE_UPLOADS, b"413 Request Entity Too Large"),
        (4, b"100 Continue"),
    ],
)
def test_100_continue_is_sent_only_for_a_body_that_will_be_read(site, length, status):
    client = site.send(
        b"POST /waits HTTP/1.1\r\nHost: site\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % length
    )

    assert site.status(client)[9:] == status
