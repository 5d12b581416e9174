"""HTTP with a token: JSON, streamed uploads and downloads, and retries where the server asks for them."""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import IO, Any
from urllib.parse import urlsplit

import httpx

from lifecycle.runtime.cli.errors import ApiRefusal, Unreachable

ATTEMPTS = 5
TIMEOUT_SECONDS = 60
LONGEST_WAIT_SECONDS = 60.0
NOT_DONE = {429, 503}  # the server did nothing yet: any request may be sent again
UNKNOWN = {502, 504}  # a proxy lost the response: only what may be done twice is sent again
NO_ANSWER = {502, 503, 504}
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout)
MAYBE = "It may have been done anyway: check before you send it again."
SCOPES = "Create a token with that scope in your profile, then: lifecycle login"


class Client:
    """One server and one token. url: its address without a path. prefix: of all paths. sleep: pauses for a
    number of seconds.

    Redirects aren't followed, which would send the token to another server. Connections aren't kept, so that
    none is found closed.
    """

    def __init__(
        self, url: str, token: str, *, prefix: str = "", sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.url, self.sleep = url, sleep
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "User-Agent": "lifecycle",
        }
        self._http = httpx.Client(
            base_url=url + prefix,
            headers=headers,
            timeout=TIMEOUT_SECONDS,
            limits=httpx.Limits(max_keepalive_connections=0),
            verify=ssl.create_default_context(),
        )

    def get(self, path: str, **query: object) -> Any:
        """The JSON of a GET; empty values are left out of the query."""
        return self._json("GET", path, query)

    def post(self, path: str, body: Any = None, *, twice: bool = False) -> Any:
        """The JSON of a POST. twice: the request is idempotent, so it is sent again after a lost response."""
        return self._json("POST", path, body=body, twice=twice)

    def put(self, path: str, body: Any) -> Any:
        """The JSON of a PUT, which may be sent twice."""
        return self._json("PUT", path, body=body, twice=True)

    def delete(self, path: str) -> Any:
        """The JSON of a DELETE, which may be sent twice."""
        return self._json("DELETE", path, twice=True)

    def send(self, path: str, file: IO[bytes], **query: object) -> Any:
        """The JSON of a POST whose body is a file, read as it is sent."""
        return self._json("POST", path, query, file)

    def download(self, method: str, path: str, target: IO[bytes], **query: object) -> None:
        """Write a response's body to a file."""
        for chunk in self._body(self._open(method, path, query)):
            target.write(chunk)

    def every(
        self, path: str, searching: Callable[[], None] = lambda: None, /, **query: object
    ) -> Iterator[dict[str, Any]]:
        """All rows of a paged list, newest first. searching: called where the server stopped a search early
        and it continues.
        """
        before: object = None
        while True:
            page = self.get(path, **query, before=before)
            yield from page["results"]
            if not (before := page["before"]):
                return
            if page.get("stopped"):
                searching()

    def _json(self, *args: Any, **kwargs: Any) -> Any:
        raw = b"".join(self._body(self._open(*args, **kwargs)))
        try:
            return json.loads(raw) if raw else None
        except ValueError as error:
            raise Unreachable(
                f"{self.url} responds, but isn't a Lifecycle server. Check the address: lifecycle login"
            ) from error

    def _body(self, response: httpx.Response) -> Iterator[bytes]:
        """A response's body, piece by piece."""
        try:
            yield from response.iter_bytes()
        except httpx.TransportError as error:
            raise Unreachable(
                f"{self.url} broke off its response: {reason(error)}. Check what was done, then try again."
            ) from error
        finally:
            response.close()

    def _open(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        body: Any = None,
        *,
        twice: bool = False,
    ) -> httpx.Response:
        """The open response; retried while the server is busy. Raises ApiRefusal or Unreachable."""
        params: Any = {name: value for name, value in (query or {}).items() if value not in (None, "")}
        is_file = hasattr(body, "seek")
        content: dict[str, Any] = (
            {"content": body, "headers": {"Content-Type": "application/octet-stream"}}
            if is_file
            else {"json": body}
        )
        may_repeat = method == "GET" or twice
        for attempt in range(1, ATTEMPTS + 1):
            last = attempt == ATTEMPTS
            if is_file:
                body.seek(0)
            try:
                response = self._http.send(
                    self._http.build_request(method, path, params=params, **content), stream=True
                )
                if response.is_success:
                    return response
                response.read()
            except httpx.TransportError as error:
                if last or not may_repeat:
                    step = (
                        "Is it running, and is the address right?"
                        if may_repeat or isinstance(error, NEVER_SENT)
                        else MAYBE
                    )
                    raise Unreachable(f"{self.url} doesn't respond: {reason(error)}. {step}") from error
                self.sleep(pause("", attempt))
                continue
            again = response.status_code in NOT_DONE or (may_repeat and response.status_code in UNKNOWN)
            if last or not again:
                raise refusal(
                    self.url, response, "" if may_repeat or response.status_code not in UNKNOWN else MAYBE
                )
            self.sleep(pause(response.headers.get("Retry-After", ""), attempt))
        raise AssertionError("unreachable")


def pause(retry_after: str, attempt: int) -> float:
    """Seconds before the next attempt: Retry-After, at most a minute; else 0.5, 1, 2, 4."""
    if retry_after.strip().isdecimal():
        return min(float(retry_after), LONGEST_WAIT_SECONDS)
    try:
        return min(
            max(parsedate_to_datetime(retry_after).timestamp() - time.time(), 0.0), LONGEST_WAIT_SECONDS
        )
    except ValueError:  # no such header, or not a date
        return 0.5 * 2 ** (attempt - 1)


def refusal(url: str, response: httpx.Response, step: str) -> Exception:
    """The server's error as an exception; Unreachable where a proxy responds in its place. step: what to
    do.
    """
    code = response.status_code
    if 300 <= code < 400:
        target = urlsplit(response.headers.get("Location", ""))
        return Unreachable(
            f"{url} redirects to {target.scheme}://{target.netloc}. Log in with that address: lifecycle login"
        )
    try:
        found = response.json()
    except ValueError:
        found = None
    data = found if isinstance(found, dict) else {}
    message = str(data.get("message") or data.get("error") or "")
    if not message and code in NO_ANSWER:
        return Unreachable(f"{url} doesn't respond: its proxy returned {code}. {step or 'Is it running?'}")
    if not message and code >= 500:
        message, step = (
            f"{url} failed ({code}) without a reason.",
            "Its operator finds the reason in the log.",
        )
    message = message or f"{url} responded with {code} and no reason."
    fields = {name: [str(text) for text in texts] for name, texts in flat(data.get("fields", {})).items()}
    if code == 401:
        step = "Log in again: lifecycle login"
    elif "lacks the scope" in message:
        step = SCOPES
    elif code == 429:
        step = "Try again later."
    return ApiRefusal(code, str(data.get("code", "error")), message, fields, step)


def flat(fields: Any, prefix: str = "") -> dict[str, list[Any]]:
    """Messages by the dotted name of their field, at any depth."""
    nested = (
        fields.items() if isinstance(fields, dict) else enumerate(fields) if isinstance(fields, list) else ()
    )
    if isinstance(fields, dict) or any(isinstance(value, dict) for _, value in nested):
        return {
            name: texts
            for key, value in nested
            for name, texts in flat(value, f"{prefix}.{key}".lstrip(".")).items()
        }
    texts = fields if isinstance(fields, list) else [fields]
    return {prefix: texts} if texts else {}


def reason(error: httpx.TransportError) -> str:
    """Why a connection failed, in a few words."""
    if isinstance(error, httpx.TimeoutException):
        return f"no response within {TIMEOUT_SECONDS} seconds"
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)).rstrip(".") or type(error).__name__
