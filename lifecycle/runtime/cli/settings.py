"""Which server, and whose token: from the environment, else from one file that only its owner reads."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.env import env_str

HERE = "http://127.0.0.1:8000"
INFERENCE_PORT = 8001
LOGIN_HINT = "Log in with its address: lifecycle login --inference URL. Or set LIFECYCLE_INFERENCE_URL."
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Login(NamedTuple):  # not a dataclass: importing those takes a third of the command's start-up time
    """A saved login. inference: the address of the inference server, empty for port 8001 where the site is on
    this machine.
    """

    url: str = ""
    token: str = ""
    inference: str = ""

    @property
    def inference_url(self) -> str:
        """The inference server's address. Raises Usage where it is unknown: the token is sent to no guessed
        port of another machine.
        """
        if self.inference:
            return self.inference
        if not loopback(self.url):
            raise Usage(f"The address of {self.url}'s inference server is unknown. {LOGIN_HINT}")
        site = urlsplit(self.url)
        host = f"[{site.hostname}]" if ":" in (site.hostname or "") else site.hostname
        return f"{site.scheme}://{host}:{INFERENCE_PORT}"


def path() -> Path:
    """The path of the saved login."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(home) if home else Path.home() / ".config") / "lifecycle" / "config.json"


def load() -> Login:
    """The login: each part from the environment where it is set there, else from the file. Raises Usage for a
    file that cannot be read.
    """
    kept = stored()
    url, token = env_str("LIFECYCLE_URL"), env_str("LIFECYCLE_TOKEN")
    # a token is never sent to another server than the one it was given for
    same = not url or address(url) == kept.url
    return Login(
        url=address(url) if url else kept.url,
        token=token or (kept.token if same else ""),
        inference=env_str("LIFECYCLE_INFERENCE_URL") or (kept.inference if same else ""),
    )


def stored() -> Login:
    """The login in the file; an empty one without a file."""
    try:
        found = json.loads(path().read_text(encoding="utf-8"))
        return Login(
            url=str(found["url"]), token=str(found["token"]), inference=str(found.get("inference", ""))
        )
    except FileNotFoundError:
        return Login()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Usage(f"{path()} can't be read. Remove it and log in again: lifecycle login") from error


def store(login: Login) -> Path:
    """Save a login atomically, readable only by its owner. Returns the path."""
    target = path()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(login._asdict(), file, indent=1)
    part.replace(target)
    return target


def address(text: str) -> str:
    """Scheme, host and port of an address. Raises Usage for anything that is no address of the web."""
    given = text.strip()
    found = urlsplit(
        given if "://" in given else f"http://{given}" if loopback(given) else f"https://{given}"
    )
    try:
        usable = (
            found.scheme in ("http", "https")
            and bool(found.hostname)
            and found.username is None
            and found.port != 0
        )
    except ValueError:  # a port that is no number
        usable = False
    if not usable:
        raise Usage(f"{given!r} isn't an address of a server. It looks like https://lifecycle.example.org.")
    return f"{found.scheme}://{found.netloc}"


def loopback(text: str) -> bool:
    """Whether an address means this machine."""
    return (urlsplit(text if "://" in text else f"//{text}").hostname or "") in LOOPBACK
