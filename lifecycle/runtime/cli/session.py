"""One call of the command: its arguments, its screen, and the servers it talks to."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cached_property

from lifecycle.runtime.cli import settings
from lifecycle.runtime.cli.client import Client
from lifecycle.runtime.cli.screen import Screen
from lifecycle.runtime.cli.settings import Login, Usage

LOG_IN = "Log in first: lifecycle login. Or set LIFECYCLE_URL and LIFECYCLE_TOKEN."


class Session:
    """What a command works with."""

    def __init__(self, args: argparse.Namespace, screen: Screen, sleep: Callable[[float], None]) -> None:
        self.args, self.screen, self.sleep = args, screen, sleep

    @cached_property
    def login(self) -> Login:
        """Whose token, and for which server. Raises Usage where nobody has logged in."""
        found = settings.load()
        if not found.url or not found.token:
            raise Usage(f"No {'server' if not found.url else 'token for ' + found.url} is known here. {LOG_IN}")
        return found

    @cached_property
    def api(self) -> Client:
        """The REST API."""
        return Client(self.login.url, self.login.token, prefix="/api/v1", sleep=self.sleep)

    @cached_property
    def inference(self) -> Client:
        """The inference server."""
        return Client(settings.address(self.login.inference_url), self.login.token, sleep=self.sleep)

    def page(self, path: str) -> str:
        """The address of a page of the site."""
        return f"{self.login.url}{path}"
