"""One call of the command: its screen, its project, and the servers it talks to."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lifecycle.runtime.cli import settings
from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.screen import Screen
from lifecycle.runtime.cli.settings import Login

if TYPE_CHECKING:
    from lifecycle.runtime.cli.client import Client

LOG_IN = "Log in first: lifecycle login. Or set LIFECYCLE_URL and LIFECYCLE_TOKEN."


class Session:
    """What a command works with. project: slug or uuid of --project. sleep: makes a pause of so many
    seconds.
    """

    def __init__(self, screen: Screen, project: str, sleep: Callable[[float], None]) -> None:
        self.screen, self.project, self.sleep = screen, project, sleep

    @cached_property
    def login(self) -> Login:
        """Whose token, and for which server. Raises Usage before a login."""
        found = settings.load()
        if not found.url or not found.token:
            raise Usage(
                f"No {'server' if not found.url else 'token for ' + found.url} is known here. {LOG_IN}"
            )
        return found

    @cached_property
    def api(self) -> Client:
        """The REST API."""
        return self.client(self.login.url, self.login.token, prefix="/api/v1")

    @cached_property
    def inference(self) -> Client:
        """The inference server."""
        return self.client(settings.address(self.login.inference_url), self.login.token)

    def client(self, *args: Any, **kwargs: Any) -> Client:
        """Loaded only now: httpx takes as long to load as all that `--help` needs."""
        made: Client = importlib.import_module("lifecycle.runtime.cli.client").Client(
            *args, **kwargs, sleep=self.sleep
        )
        return made

    def page(self, path: str) -> str:
        """The address of a page of the site."""
        return f"{self.login.url}{path}"
