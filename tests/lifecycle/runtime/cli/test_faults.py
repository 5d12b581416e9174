"""Connection and server errors are one sentence with what to do, never a traceback."""

from __future__ import annotations

import json
import socket
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

ME = {"user": {"name": "Mia", "username": "mia", "uuid": "-"}, "roles": {}}
HTML = b"<!doctype html><title>Server Error (500)</title><h1>Server Error (500)</h1>"


class Stub(ThreadingHTTPServer):
    """A server with queued responses; the last one repeats. requests: those received, as (method, path)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.responses: list[tuple[int, dict[str, str], bytes]] = []
        self.requests: list[tuple[str, str]] = []
        self.headers_seen: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def respond(self, status: int, body: object = b"", **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.responses.append(
            (status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)
        )


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Stub)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server.requests.append((self.command, self.path))
        server.headers_seen.append(dict(self.headers))
        status, headers, body = server.responses.pop(0) if len(server.responses) > 1 else server.responses[0]
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def command(command):
    """Nothing happens while it waits."""
    return partial(command, during=lambda: None)


@pytest.fixture
def stub(monkeypatch):
    server = Stub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setenv("LIFECYCLE_URL", server.url)
    monkeypatch.setenv("LIFECYCLE_TOKEN", "lc_secret")
    yield server
    server.shutdown()
    server.server_close()


def test_an_unreachable_server_is_reported(command, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("LIFECYCLE_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("LIFECYCLE_TOKEN", "lc_secret")

    result = command("whoami")

    assert (result.code, result.out, result.waits) == (3, "", [0.5, 1.0, 2.0, 4.0])
    assert (
        result.err
        == f"http://127.0.0.1:{port} doesn't respond: Connection refused. Is it running, and is the address"
        " right?\n"
    )


def test_a_request_that_may_not_be_repeated_is_not_sent_twice_without_a_response(command, stub):
    stub.respond(
        200,
        [
            {
                "uuid": "4f1ae4a8-0000-4000-8000-000000000000",
                "project": "p",
                "slug": "inbox-prod",
                "full_name": "inbox/inbox-prod",
            }
        ],
    )
    stub.respond(
        200,
        {
            "uuid": "4f1ae4a8-0000-4000-8000-000000000000",
            "slug": "inbox-prod",
            "full_name": "inbox/inbox-prod",
            "moves": 3,
        },
    )
    stub.respond(502, b"<html>Bad Gateway</html>")

    result = command("endpoints", "roll-back", "inbox-prod", "--to", "1.0.0", "--reason", "Wrong.")

    assert (result.code, result.out, result.waits) == (3, "", [])
    assert (
        result.err
        == f"{stub.url} doesn't respond: its proxy returned 502. It may have been done anyway: check before"
        " you send it again.\n"
    )
    assert [method for method, _ in stub.requests] == ["GET", "GET", "POST"]


def test_401_asks_for_a_new_login(command, stub):
    stub.respond(
        401,
        {
            "code": "authentication_failed",
            "message": "The token is unknown, expired, or revoked.",
            "fields": {},
        },
    )

    result = command("whoami")

    assert (result.code, result.out) == (1, "")
    assert result.err == "The token is unknown, expired, or revoked. Log in again: lifecycle login\n"


def test_403_is_the_servers_own_sentence(command, stub):
    stub.respond(403, {"code": "permission_denied", "message": "Only an ML lead can do this.", "fields": {}})

    result = command("whoami")

    assert (result.code, result.err) == (1, "Only an ML lead can do this.\n")


def test_409_is_the_servers_own_sentence_with_the_fields(command, stub):
    stub.respond(
        409,
        {
            "code": "conflict",
            "message": "It moved meanwhile. Look again.",
            "fields": {"seen": ["It is 4 now."]},
        },
    )

    result = command("whoami")

    assert (result.code, result.err) == (1, "It moved meanwhile. Look again.\n  seen: It is 4 now.\n")


def test_429_waits_as_long_as_the_server_asks_and_continues(command, stub):
    stub.respond(429, {"code": "throttled", "message": "Too many.", "fields": {}}, Retry_After="7")
    stub.respond(200, ME)
    stub.respond(200, [])

    result = command("whoami")

    assert (result.code, result.waits, result.err) == (0, [7.0], "")
    assert result.out.startswith("Mia (mia) at ")


def test_a_date_in_retry_after_is_read_too(command, stub):
    stub.respond(
        503, b"", Retry_After=format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    )
    stub.respond(200, ME)
    stub.respond(200, [])

    result = command("whoami")

    assert result.code == 0
    assert 17 <= result.waits[0] <= 20


def test_no_wait_is_longer_than_a_minute_and_the_fifth_refusal_is_the_last(command, stub):
    stub.respond(
        429,
        {"code": "throttled", "message": "Request was throttled. Expected available in 3,600 seconds."},
        Retry_After="3600",
    )

    result = command("whoami")

    assert (result.code, result.waits) == (1, [60.0] * 4)
    assert result.err == "Request was throttled. Expected available in 3,600 seconds. Try again later.\n"
    assert len(stub.requests) == 5


def test_an_html_error_page_is_one_sentence(command, stub):
    stub.respond(500, HTML, Content_Type="text/html")

    result = command("whoami")

    assert (result.code, result.out, result.waits) == (1, "", [])
    assert (
        result.err == f"{stub.url} failed (500) without a reason. Its operator finds the reason in the log.\n"
    )


def test_an_address_of_another_server(command, stub):
    stub.respond(200, b"<!doctype html><title>Router</title>", Content_Type="text/html")

    result = command("whoami")

    assert (result.code, result.err) == (
        3,
        f"{stub.url} responds, but isn't a Lifecycle server. Check the address: lifecycle login\n",
    )


def test_unexpected_json_gives_no_traceback(command, stub):
    stub.respond(200, ["something", "else"])

    result = command("whoami")

    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("The server's response isn't what this command expects (TypeError: ")
    assert result.err.endswith("Is the address a Lifecycle server's, and are both of the same version?\n")


def test_a_redirect_is_not_followed_with_the_token(command, stub):
    stub.respond(301, b"", Location="https://elsewhere.example.org/api/v1/me/")

    result = command("whoami")

    assert (result.code, result.err) == (
        3,
        f"{stub.url} redirects to https://elsewhere.example.org. Log in with that address: lifecycle login\n",
    )
    assert len(stub.requests) == 1


def test_a_truncated_response_is_reported(command, stub):
    stub.respond(200, b'{"user": ', Content_Length="5000")

    result = command("whoami")

    assert result.code == 3
    assert (
        result.err
        == f"{stub.url} broke off its response: peer closed connection without sending complete message body "
        "(received 9 bytes, expected 5000). Check what was done, then try again.\n"
    )


def test_server_text_cannot_move_the_cursor(command, stub):
    stub.respond(
        403,
        {
            "code": "x",
            "message": "No.\u001b[2J\u001b[1;1HAll is well\r\nDone.",
            "fields": {"\u001b[1A": ["\u0007"]},
        },
    )

    result = command("whoami")

    assert not any(letter in result.err for letter in "\u001b\r\u0007")


def test_with_json_a_refusal_is_json_on_stderr(command, stub):
    stub.respond(
        409, {"code": "conflict", "message": "It moved meanwhile.", "fields": {"seen": ["It is 4 now."]}}
    )

    result = command("whoami", "--json")

    assert (result.code, result.out) == (1, "")
    assert json.loads(result.err) == {
        "code": "conflict",
        "message": "It moved meanwhile.",
        "fields": {"seen": ["It is 4 now."]},
    }


@pytest.mark.parametrize("words", [["--json"], ["--field", "user"]])
def test_json_has_no_control_characters_and_loses_no_letter(command, stub, words):
    name = "M\u00fca \u009b2J\x7f\u202e\u2066\ufeff\U000e0041"
    stub.respond(200, {"user": {"name": name, "username": "mia"}, "roles": {}})
    stub.respond(200, [])

    result = command("whoami", *words)

    assert [letter for letter in result.out if not letter.isprintable() and letter != "\n"] == []
    user = result.json.get("user", result.json)
    assert user["name"] == name


def test_with_json_a_refusal_has_no_control_characters(command, stub):
    stub.respond(403, {"code": "x", "message": "No.\u009b2J\x7f\u202e", "fields": {}})

    result = command("whoami", "--json")

    assert result.err == '{"code": "x", "message": "No.\\u009b2J\\u007f\\u202e", "fields": {}}\n'


def test_with_json_an_unreachable_server_is_json_too(command, monkeypatch):
    monkeypatch.setenv("LIFECYCLE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LIFECYCLE_TOKEN", "lc_secret")

    result = command("whoami", "--json")

    assert (result.code, json.loads(result.err)["code"]) == (3, "unreachable")


def test_the_token_goes_in_its_header_and_nowhere_else(command, stub):
    stub.respond(200, ME)
    stub.respond(200, [])

    command("whoami")

    assert all(headers["Authorization"] == "Bearer lc_secret" for headers in stub.headers_seen)
    assert "lc_secret" not in str(stub.requests)
