"""login, whoami."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

from typer import Argument, Option

from lifecycle.runtime.cli import settings
from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.settings import HERE, Login
from lifecycle.runtime.cli.verbs import Noun

noun = Noun()


@noun.verb
def login(
    session: Session,
    url: Annotated[
        str, Argument(metavar="URL", help="address of the site, such as https://lifecycle.example.org")
    ] = "",
    inference: Annotated[
        str,
        Option(metavar="URL", help="address of the inference server; port 8001 on this machine by default"),
    ] = "",
) -> None:
    """Save a server and a token.

    The token is asked for, or read from stdin: on a command line others could read it.
    """
    site = settings.address(url or prompt_address(settings.stored().url or HERE))
    inference = settings.address(inference) if inference else ""
    for each in (site, inference):
        if each.startswith("http://") and not settings.loopback(each):
            session.screen.info(f"Warning: {each} isn't encrypted. Anyone on the way can read the token.")
    token = prompt_token()
    if not token:
        raise Usage("No token was given. Create one in your profile, with the scopes that you need.")
    me = session.client(site, token, prefix="/api/v1").get("/me/")
    where = settings.store(Login(url=site, token=token, inference=inference))
    session.screen.show(
        {"url": site, "user": me["user"], "file": str(where)},
        f"{me['user']['name']} is logged in to {site}. Saved in {where}, readable by you only.",
    )


def prompt_address(proposed: str) -> str:
    """Prompt for the address; without a terminal, the proposed one."""
    if not sys.stdin.isatty():
        return proposed
    return input(f"Address [{proposed}]: ").strip() or proposed


def prompt_token() -> str:
    """Prompt for the token without echo; without a terminal, the first line of stdin."""
    return (getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()


@noun.verb
def whoami(session: Session) -> None:
    """Show whose token this is, and their roles."""
    me, projects = session.api.get("/me/"), session.api.get("/projects/")
    lines = [f"{me['user']['name']} ({me['user']['username']}) at {session.login.url}"]
    lines += [f"  {each['slug']}: {', '.join(me['roles'].get(each['uuid'], []))}" for each in projects]
    session.screen.show({"url": session.login.url, **me, "projects": projects}, *lines)
