"""tokens: which there are, and ending one."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.screen import moment, table
from lifecycle.runtime.cli.session import Session

PEOPLE, ENDPOINTS = "/tokens/", "/endpoint-tokens/"


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser("tokens", help="your API tokens, everybody's, or those of programs that ask an endpoint")
    each = group.add_subparsers(dest="what", metavar="WHAT", required=True)
    about = "Live tokens. They are created on the profile page, those of programs on the endpoint's: a person signs in and confirms."
    list_ = each.add_parser("list", parents=[common], help="live tokens, never their secrets", description=about)
    whose = list_.add_mutually_exclusive_group()
    whose.add_argument("--all", action="store_true", help="everybody's; for organisation admins")
    whose.add_argument("--endpoint", default="", metavar="NAME", help="of programs that ask this endpoint")
    list_.set_defaults(run=show)
    revoke_ = each.add_parser("revoke", parents=[common], help="end a token at once")
    revoke_.add_argument("token", metavar="UUID", help="UUID from `tokens list`; revoke another person's on the API tokens page")
    revoke_.add_argument("--of-endpoint", action="store_true", help="it is the token of a program")
    revoke_.set_defaults(run=revoke)


def show(session: Session) -> None:
    """One line a token."""
    args = session.args
    if args.endpoint:
        endpoint = find.endpoint(session, args.endpoint)
        rows = session.api.get(f"/endpoints/{endpoint['uuid']}/tokens/")
        lines = table(["TOKEN", "SERVICE ACCOUNT", "EXPIRES"], [(row["uuid"], row["name"], moment(row["expires_at"])) for row in rows])
    else:
        rows = session.api.get(PEOPLE, all="1" if args.all else "")
        lines = table(
            ["TOKEN", "OWNER", "NAME", "SCOPES", "LAST USED", "EXPIRES"],
            [
                (
                    row["uuid"], row["user"]["username"], row["name"], ",".join(row["scopes"]), moment(row["last_used_at"]),
                    moment(row["expires_at"]),
                )
                for row in rows
            ],
        )  # fmt: skip
    session.screen.show(rows, *(lines if rows else ["No live tokens."]))


def revoke(session: Session) -> None:
    """It opens nothing from now on."""
    token = session.args.token
    session.api.delete(f"{ENDPOINTS if session.args.of_endpoint else PEOPLE}{token}/")
    session.screen.show({"uuid": token, "revoked": True}, f"Token {token} is revoked.")
