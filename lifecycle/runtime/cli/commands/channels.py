"""channels: the ways by which alerts leave the product, and a test of one."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.screen import table
from lifecycle.runtime.cli.session import Session


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser("channels", help="the ways by which alerts leave the product").add_subparsers(
        dest="what", metavar="WHAT", required=True
    )
    group.add_parser("list", parents=[common], help="all that you may see").set_defaults(run=list_)
    attempt = group.add_parser("test", parents=[common], help="send a message that says that it is a test")
    attempt.add_argument("channel", metavar="CHANNEL", help="name or uuid")
    attempt.set_defaults(run=test)


def channels(session: Session) -> list[dict[str, Any]]:
    """By project and name."""
    project = find.project(session)
    return [row for row in session.api.get("/channels/")["results"] if project in ("", row["project"])]


def list_(session: Session) -> None:
    """Each with what it takes."""
    rows = channels(session)
    lines = table(
        ["CHANNEL", "KIND", "TO", "TAKES", ""],
        [(row["name"], row["kind"], row["host"], ", ".join(row["wants"]), "" if row["is_on"] else "off") for row in rows],
    )
    session.screen.show(rows, *(lines if rows else ["No channels. An ML lead or an on-call adds one on the page of alerts."]))


def test(session: Session) -> None:
    """One message, now."""
    name = session.args.channel
    found = find.only([row for row in channels(session) if name in (row["name"], row["uuid"])], f"channel {name}")
    made = session.api.post(f"/channels/{found['uuid']}/test/", {"once": str(uuid4())})
    session.screen.show(made, f"A test is on its way over {found['name']}. How it went: {session.page('/alerts/channels/')}")
