"""login and whoami."""

from __future__ import annotations

import getpass
import sys
from typing import Any

from lifecycle.cli import settings
from lifecycle.cli.errors import Usage
from lifecycle.cli.session import Session
from lifecycle.cli.settings import HERE, Login


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    login_ = commands.add_parser(
        "login", parents=[common], help="remember a server and a token",
        description="Remember a server and a token. The token is asked for, or read from stdin: on a command line others could read it.",
    )  # fmt: skip
    login_.add_argument("url", nargs="?", default="", metavar="URL", help="address of the site, such as https://lifecycle.example.org")
    login_.add_argument(
        "--inference",
        default="",
        metavar="URL",
        help="address of the inference server; port 8001 where the site is on this machine",
    )
    login_.set_defaults(run=login)
    whoami_ = commands.add_parser("whoami", parents=[common], help="whose token this is, and their roles")
    whoami_.set_defaults(run=whoami)


def login(session: Session) -> None:
    """Ask, try the token, and only then remember it."""
    args, known = session.args, settings.stored()
    url = settings.address(args.url or asked_address(known.url or HERE))
    inference = settings.address(args.inference) if args.inference else ""
    for each in (url, inference):
        if each.startswith("http://") and not settings.loopback(each):
            session.screen.tell(f"Warning: {each} is not encrypted. Whoever is on the way reads the token.")
    token = asked_token()
    if not token:
        raise Usage("No token was given. Make one in your profile, with the scopes that you need.")
    me = session.client(url, token, prefix="/api/v1").get("/me/")
    where = settings.store(Login(url=url, token=token, inference=inference))
    session.screen.show(
        {"url": url, "user": me["user"], "file": str(where)}, f"{me['user']['name']} is logged in to {url}. Kept in {where}, for you alone."
    )


def asked_address(proposed: str) -> str:
    """From a terminal; without one, what was known."""
    if not sys.stdin.isatty():
        return proposed
    return input(f"Address [{proposed}]: ").strip() or proposed


def asked_token() -> str:
    """Typed unseen, or the first line of stdin."""
    return (getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()


def whoami(session: Session) -> None:
    """Name, server and roles."""
    me, projects = session.api.get("/me/"), session.api.get("/projects/")
    lines = [f"{me['user']['name']} ({me['user']['username']}) at {session.login.url}"]
    lines += [f"  {each['slug']}: {', '.join(me['roles'].get(each['uuid'], []))}" for each in projects]
    session.screen.show({"url": session.login.url, **me, "projects": projects}, *lines)
