"""HTTP with a token: JSON in and out, files that are streamed, patience where the server asks for it."""

from __future__ import annotations

import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

from lifecycle.runtime.refusals import Refusal

ATTEMPTS = 5
TIMEOUT_SECONDS = 60
LONGEST_WAIT_SECONDS = 60.0
CHUNK_BYTES = 1 << 16
NOT_DONE = {429, 503}  # the server says that it did nothing yet: any request may be sent again
UNKNOWN = {502, 504}  # a proxy lost the answer: only what may be done twice is sent again
NO_ANSWER = {502, 503, 504}
MAYBE = "It may have been done all the same: look before you send it again."
SCOPES = "Make a token with that scope in your profile, then: lifecycle login"


class Unreachable(Exception):
    """Nobody answers, or somebody who is no Lifecycle server; the text says at which address and what to do."""


class ApiRefusal(Refusal):
    """The server said no; the message is the server's own, with its next step. status: of HTTP. fields: what is wrong with each."""

    def __init__(self, status: int, code: str, message: str, fields: dict[str, list[str]], next_step: str = "") -> None:
        super().__init__(message, next_step=next_step, fields=fields)
        self.status, self.code = status, code


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer: followed, it would carry the token to another server."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Never."""
        return


class Client:
    """One server and one token. url: its address without a path. prefix: what all its paths begin with. sleep: pauses so many seconds."""

    def __init__(self, url: str, token: str, *, prefix: str = "", sleep: Callable[[float], None] = time.sleep) -> None:
        self.url, self.prefix, self._token, self.sleep = url, prefix, token, sleep
        self._opener = urllib.request.build_opener(NoRedirect)

    def get(self, path: str, **query: object) -> Any:
        """The JSON of a GET; an empty value in the query is left out."""
        return self._json("GET", path, query)

    def post(self, path: str, body: Any = None, *, twice: bool = False) -> Any:
        """The JSON of a POST. twice: the server does it once however often it is sent, so that a lost answer is asked for again."""
        data = None if body is None else json.dumps(body).encode()
        return self._json("POST", path, {}, data, "application/json", twice=twice)

    def put(self, path: str, body: Any) -> Any:
        """The JSON of a PUT, which may be sent twice."""
        return self._json("PUT", path, {}, json.dumps(body).encode(), "application/json", twice=True)

    def delete(self, path: str) -> None:
        """A DELETE, which may be sent twice."""
        self._json("DELETE", path, {}, twice=True)

    def send(self, path: str, file: IO[bytes], size: int, **query: object) -> Any:
        """The JSON of a POST whose body is a file of so many bytes, read as it is sent."""
        return self._json("POST", path, query, file, "application/octet-stream", size=size)

    def download(self, method: str, path: str, target: IO[bytes], **query: object) -> None:
        """Write an answer's body to a file."""
        with self._open(method, path, query) as answer:
            for chunk in self._chunks(answer):
                target.write(chunk)

    def every(self, path: str, **query: object) -> Iterator[dict[str, Any]]:
        """All rows of a list that comes in pages, newest first."""
        before: object = None
        while True:
            page = self.get(path, **query, before=before)
            yield from page["results"]
            if not (before := page["before"]):
                return

    def _json(self, *args: Any, **kwargs: Any) -> Any:
        with self._open(*args, **kwargs) as answer:
            raw = b"".join(self._chunks(answer))
        try:
            return json.loads(raw) if raw else None
        except ValueError as error:
            raise Unreachable(f"{self.url} answers, but not as Lifecycle does. Check the address: lifecycle login") from error

    def _chunks(self, answer: Any) -> Iterator[bytes]:
        """An answer's body, piece by piece."""
        try:
            while chunk := answer.read(CHUNK_BYTES):
                yield chunk
            if answer.length:
                raise EOFError(f"{answer.length:,} bytes are missing")
        except (OSError, HTTPException, EOFError) as error:
            raise Unreachable(
                f"{self.url} broke off in the middle of its answer: {reason(error)}. See what was done, then try again."
            ) from error

    def _open(
        self, method: str, path: str, query: dict[str, object], body: Any = None, kind: str = "", *, size: int = 0, twice: bool = False
    ) -> Any:
        """The open answer to a request, repeated while the server asks for patience. Raises ApiRefusal or Unreachable."""
        given = {name: value for name, value in query.items() if value not in (None, "")}
        address = f"{self.url}{self.prefix}{path}" + (f"?{urlencode(given)}" if given else "")
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", "User-Agent": "lifecycle"}
        headers |= {"Content-Type": kind} if body is not None else {}
        headers |= {"Content-Length": str(size)} if size else {}
        may_repeat = method == "GET" or twice
        for attempt in range(1, ATTEMPTS + 1):
            if attempt > 1 and hasattr(body, "seek"):
                body.seek(0)
            try:
                request = urllib.request.Request(address, data=body, headers=headers, method=method)  # noqa: S310  http or https, see `settings`
                return self._opener.open(request, timeout=TIMEOUT_SECONDS)
            except urllib.error.HTTPError as error:
                again = error.code in NOT_DONE or (may_repeat and error.code in UNKNOWN)
                if not again or attempt == ATTEMPTS:
                    raise refusal(self.url, error, MAYBE if error.code in UNKNOWN and not may_repeat else "") from error
                self.sleep(pause(error.headers, attempt))
            except (OSError, HTTPException) as error:
                if not may_repeat or attempt == ATTEMPTS:
                    step = "Is it running, and is the address right?" if may_repeat or never_sent(error) else MAYBE
                    raise Unreachable(f"{self.url} does not answer: {reason(error)}. {step}") from error
                self.sleep(pause(None, attempt))
        raise AssertionError("unreachable")


def pause(headers: Message | None, attempt: int) -> float:
    """Seconds before the next attempt: what Retry-After says, at most a minute; else 0.5, 1, 2, 4."""
    said = str(headers.get("Retry-After", "")) if headers else ""
    if said.strip().isdecimal():
        return min(float(said), LONGEST_WAIT_SECONDS)
    if said:
        try:
            return min(max(parsedate_to_datetime(said).timestamp() - time.time(), 0.0), LONGEST_WAIT_SECONDS)
        except ValueError:
            pass  # a date that nobody can read is as good as none
    return 0.5 * 2 ** (attempt - 1)


def never_sent(error: BaseException) -> bool:
    """Whether a request cannot have arrived: there was no connection to begin with."""
    return isinstance(getattr(error, "reason", error), ConnectionRefusedError | socket.gaierror | ssl.SSLCertVerificationError)


def refusal(url: str, error: urllib.error.HTTPError, step: str = "") -> Exception:
    """What the server said, as an exception with its own words; what a proxy said for it, as nobody's answer. step: what to do."""
    if 300 <= error.code < 400:
        target = urlsplit(error.headers.get("Location", ""))
        return Unreachable(f"{url} sends you on to {target.scheme}://{target.netloc}. Log in with that address: lifecycle login")
    try:
        found = json.loads(error.read())
    except (ValueError, OSError):
        found = None
    said = found if isinstance(found, dict) else {}
    message = str(said.get("message") or said.get("error") or "")
    if not message and error.code in NO_ANSWER:
        return Unreachable(f"{url} does not answer: what stands before it says {error.code}. {step or 'Is it running?'}")
    if not message and error.code >= 500:
        message, step = f"{url} failed ({error.code}) and gave no reason.", "Whoever runs it finds it in its log."
    message = message or f"{url} answered with {error.code} and no reason."
    fields = {str(name): [str(text) for text in texts] for name, texts in flat(said.get("fields", {})).items()}
    if error.code == 401:
        step = "Log in again: lifecycle login"
    elif "lacks the scope" in message:
        step = SCOPES
    elif error.code == 429:
        step = "Try again later."
    return ApiRefusal(error.code, str(said.get("code", "error")), message, fields, step)


def flat(fields: Any, prefix: str = "") -> dict[str, list[Any]]:
    """Messages by the dotted name of their field, however deep they lie."""
    if isinstance(fields, dict):
        return {
            name: texts for key, value in fields.items() for name, texts in flat(value, f"{prefix}.{key}" if prefix else str(key)).items()
        }
    if isinstance(fields, list) and any(isinstance(each, dict) for each in fields):
        return {name: texts for at, value in enumerate(fields) for name, texts in flat(value, f"{prefix}.{at}").items()}
    texts = fields if isinstance(fields, list) else [fields]
    return {prefix: texts} if texts else {}


def reason(error: BaseException) -> str:
    """Why a connection failed, in a few words."""
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(inner, TimeoutError):
        return f"no answer within {TIMEOUT_SECONDS} seconds"
    return str(getattr(inner, "strerror", None) or inner or type(inner).__name__).rstrip(".")
