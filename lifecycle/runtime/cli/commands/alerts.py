"""alerts list; what alerts show prints."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from typer import Option

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.screen import Table, moment, table
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import FAILED, Noun
from lifecycle.runtime.cli.wording import Words

ABOUT = (
    "alert=title; state={severity}, {state}; occurrences=count; since=first_at; last=last_at;"
    " notified={notified_at|'no one'}; resolved={resolved_at}: {outcome}; act on={url:page}; page"
)
CHECKS = "measured=at; times; result=state; value={value:,.2f}; limit={threshold:,.2f}; =message"
noun = Noun("Alerts: list, acknowledge, resolve.")


@noun.verb
def list_(
    session: Session,
    endpoint: Annotated[str, Option(metavar="ENDPOINT", help="only of this endpoint")] = "",
    severity: Annotated[
        Literal["page", "ticket", "digest"] | None, Option(help="only of this severity")
    ] = None,
    every: Annotated[bool, Option("--all", help="the newest 30, resolved ones too")] = False,
    check: Annotated[bool, Option("--check", help="exit with 1 while one is open, for scripts")] = False,
) -> int | None:
    """List the open alerts, newest first."""
    wanted = {
        "endpoint": find.endpoint(session, endpoint)["uuid"] if endpoint else "",
        "severity": severity or "",
    }
    rows = session.api.get("/alerts/", **wanted)["results"] if every else find.open_alerts(session, **wanted)
    project = find.project(session)
    rows = [row for row in rows if project in ("", row["project"])]
    lines = table(
        ["ALERT", "SEVERITY", "STATE", "SINCE", "OCCURRENCES", "TITLE"],
        [
            (
                row["uuid"][: find.SHORT],
                row["severity"],
                row["state"],
                moment(row["first_at"]),
                row["count"],
                row["title"],
            )
            for row in rows
        ],
    )
    session.screen.show(rows, lines if rows else "No open alerts." if not every else "No alerts yet.")
    return FAILED if check and any(row["state"] in find.ALERT_OPEN for row in rows) else None


@noun.draws("show")
def described(words: Words, found: dict[str, Any]) -> list[str | Table]:
    """The alert, its text, and what its rule measured."""
    about = found | {
        "outcome": found["resolution"] or None if found["resolved_at"] else None,
        "url": found["url"] or None,
    }
    return [words.facts(ABOUT, about), "", found["text"], *words.tables((CHECKS, found["checks"]))]
