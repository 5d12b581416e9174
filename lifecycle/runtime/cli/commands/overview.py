"""dashboard: how the models do, what needs a person, and what they do for the business."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.screen import facts, percent, table
from lifecycle.runtime.cli.session import Session

WEEKS = (4, 13, 26)


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    made = commands.add_parser("dashboard", parents=[common], help="how the models do, and what needs a person")
    made.add_argument("--weeks", type=int, choices=WEEKS, default=WEEKS[1], help="the period (default: 13)")
    made.set_defaults(run=dashboard)


def dashboard(session: Session) -> None:
    """The figures of the page."""
    found = session.api.get("/dashboard/", weeks=session.args.weeks, project=find.project(session))
    governance = found["governance"]
    lines = facts([
        ("Since", f"{found['since']}, {found['weeks']} weeks"),
        ("Promotions", f"{governance['asked']:,} asked, {governance['approved']:,} approved, {governance['waiting']:,} waiting"),
        ("Page", session.page("/dashboard/")),
    ])  # fmt: skip
    models = table(
        ["ENDPOINT", "VERSION", "HEALTH", "RIGHT", "REQUESTS", "P95 MS", "DRIFT"],
        [
            (row["endpoint"], row["version"], row["health"], percent(row["right"]), row["requests"], figure(row["p95_ms"]), row["drift"])
            for row in found["models"]
        ],
    )
    lifts = table(["FIGURE", "CASES", "READING"], [(row["name"], row["n"], row["reading"]) for row in found["lifts"]])
    notes = [f"{'!' if note['kind'] == 'bad' else '-'} {note['fact']}" for note in found["attention"]]
    session.screen.show(
        found, *lines, "", *(models if found["models"] else ["Nothing is served yet."]),
        *(["", *lifts] if found["lifts"] else []), "", *(notes or ["Nothing burns and nothing waits for a decision."]),
    )  # fmt: skip


def figure(value: float | None) -> str:
    """One digit, or a dash where it was not measured."""
    return "–" if value is None else f"{value:,.1f}"
