"""proposals: what people would have a guideline say, and what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lifecycle.runtime.cli import classes, find
from lifecycle.runtime.cli.arguments import of_dataset
from lifecycle.runtime.cli.commands.schema import published
from lifecycle.runtime.cli.screen import count, moment, plain
from lifecycle.runtime.cli.session import Session

STATES = ("open", "taken_up", "declined", "withdrawn")


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser("proposals", help="what people would have a guideline say").add_subparsers(
        dest="what", metavar="WHAT", required=True
    )
    listing = of_dataset(group, common, "list", "those that wait for an answer, newest first; of others only for who manages labels")
    listing.add_argument("--state", choices=STATES, default="open", help="default: open")
    listing.set_defaults(run=list_)
    new = of_dataset(group, common, "make", "say what the guideline should say")
    new.add_argument("text", metavar="TEXT", help="the rule as you would have it")
    new.add_argument("--class", dest="about", action="append", default=[], metavar="CLASS", help="about this class; several times for more")
    new.add_argument("--queue", default="", metavar="QUEUE", help="the queue of --item, by name or uuid")
    new.add_argument("--item", default="", metavar="ITEM", help="an example, by the id that it came with or uuid; with --queue")
    new.set_defaults(run=make)
    yes = of_dataset(group, common, "take-up", "publish a version that says so; who proposed it is told")
    yes.add_argument("proposal", nargs="+", metavar="PROPOSAL", help="uuids")
    yes.add_argument("--file", type=Path, required=True, metavar="FILE", help="the version: JSON, as `schema export` writes it")
    yes.add_argument("--retire", action="store_true", help="retire the classes that the file lacks")
    yes.set_defaults(run=take_up)
    no = group.add_parser("decline", parents=[common], help="say no, with a sentence for who proposed it")
    no.add_argument("proposal", metavar="PROPOSAL", help="its uuid")
    no.add_argument("--answer", required=True, metavar="TEXT", help="why")
    no.set_defaults(run=decline)
    back = group.add_parser("withdraw", parents=[common], help="take back your own that nobody has answered")
    back.add_argument("proposal", metavar="PROPOSAL", help="its uuid")
    back.set_defaults(run=withdraw)


def list_(session: Session) -> None:
    """All pages."""
    dataset = find.dataset(session, session.args.dataset)
    rows = list(session.api.every(f"/labeling/datasets/{dataset['uuid']}/proposals/", state=session.args.state))
    names = classes.names(classes.versions(session, dataset["uuid"])) if any(row["classes"] for row in rows) else {}
    lines = [line for row in rows for line in told(row, names)]
    session.screen.show(rows, *(lines or [f"No proposals here that are {session.args.state.replace('_', ' ')}."]))


def told(row: dict[str, Any], names: dict[str, str]) -> list[str]:
    """One proposal."""
    about = ", ".join(names.get(key, classes.DROPPED) for key in row["classes"])
    version = f"on version {row['version']}" if row["version"] else "before any version"
    lines = [f"{row['uuid']}  {moment(row['created_at'])}, {row['by']} {version}{', about ' + about if about else ''}"]
    lines += [f"  {plain(row['text'])}"]
    lines += [f"  Declined: {plain(row['answer'])}"] if row["state"] == "declined" else []
    return [*lines, f"  Taken up in version {row['taken_up_in']}."] if row["taken_up_in"] else lines


def make(session: Session) -> None:
    """One; the same again while it is open is the first."""
    args = session.args
    dataset = find.dataset(session, args.dataset)
    schema = classes.newest(session, dataset) if args.about else {}
    body = {
        "text": args.text, "classes": [classes.called(schema, name) for name in args.about],
        "queue": find.queue(session, args.queue, dataset["uuid"])["uuid"] if args.queue else None,
        "item": find.item(session, dataset["uuid"], args.item) if args.item else None,
    }  # fmt: skip
    made = session.api.post(f"/labeling/datasets/{dataset['uuid']}/proposals/", body, twice=True)
    session.screen.show(made, f"Proposed: {made['uuid']}. Whoever manages the labels answers it.")


def take_up(session: Session) -> None:
    """By the version that says so."""
    args = session.args
    dataset = find.dataset(session, args.dataset)
    made = published(session, dataset, args.file, args.proposal, retire=args.retire)
    session.screen.show(made, f"Version {made['version']} of {dataset['slug']} takes up {count(len(set(args.proposal)), 'proposal')}.")


def decline(session: Session) -> None:
    """For good."""
    args = session.args
    made = session.api.post(f"/labeling/proposals/{args.proposal}/decline/", {"answer": args.answer})
    session.screen.show(made, f"Declined; {made['by']} reads why.")


def withdraw(session: Session) -> None:
    """One's own; twice is once."""
    made = session.api.post(f"/labeling/proposals/{session.args.proposal}/withdraw/", twice=True)
    session.screen.show(made, "Withdrawn.")
