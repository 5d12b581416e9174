"""advise."""

from __future__ import annotations

from typing import Any

from lifecycle.cli import find
from lifecycle.cli.screen import table
from lifecycle.cli.session import Session

LIMITS = ("latency_ms", "size_mb", "minutes")


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    parser = commands.add_parser("advise", parents=[common], help="whether to fine-tune on a snapshot and how, with reasons")
    parser.add_argument("snapshot", metavar="SNAPSHOT", help="DATASET@NUMBER, such as inbox@3, or its uuid")
    parser.add_argument("--base", default="", metavar="NAME", help="base model, by name or uuid; the project's newest by default")
    parser.add_argument("--sensitive", action="store_true", help="the texts are sensitive")
    parser.add_argument("--baseline-does", action="store_true", help="something simpler would do")
    parser.add_argument("--latency-ms", type=float, default=None, metavar="MS", help="the longest time for a text, on one core")
    parser.add_argument("--size-mb", type=float, default=None, metavar="MB", help="the largest model")
    parser.add_argument("--minutes", type=float, default=None, metavar="MIN", help="the longest training")
    parser.set_defaults(run=advise)


def advise(session: Session) -> None:
    """The verdict, what to look at first, and the settings with their reasons. Nothing is started."""
    args = session.args
    snapshot = find.snapshot(session, args.snapshot)
    project = find.read(session, f"/datasets/{snapshot['dataset']}/", "dataset of this snapshot")["project"]
    said = {name: "true" for name in ("sensitive", "baseline_does") if getattr(args, name)}
    limits = {name: value for name in LIMITS if (value := getattr(args, name)) is not None}
    base = find.base(session, args.base, project)["uuid"]
    found = session.api.get(f"/snapshots/{snapshot['uuid']}/advice/", base=base, **said, **limits)
    rows = [(each["name"], str(each["value"]), each["reason"]) for each in found["settings"]]
    session.screen.show(
        found,
        f"{found['verdict']['title']} {found['verdict']['reason']}",
        *(f"{each['severity']}: {each['title']} {each['detail']} {each['next_step']}".rstrip() for each in found["warnings"]),
        "",
        *table(("setting", "proposed", "why"), rows),
    )
