"""items: the items of a dataset, searched and filtered, listed or as a file. slices: filters under a name."""

from __future__ import annotations

import hashlib
from itertools import islice
from pathlib import Path
from typing import Any

from lifecycle.cli import find, watching
from lifecycle.cli.errors import Usage
from lifecycle.cli.screen import count, plain
from lifecycle.cli.session import Session
from lifecycle.refusals import Refused

LINE = 100  # characters of a text
MOST = 10_000  # items of one call


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    made = commands.add_parser(
        "items", parents=[common], help="search and filter the items of a dataset, newest first",
        description="Every filter of the items page by the name that it has in the page's address, such as decided_how=unanimous.",
    )  # fmt: skip
    made.add_argument("dataset", metavar="DATASET", help="slug or uuid")
    made.add_argument("--search", default="", metavar="WORDS", help='card transfer, "a phrase", -without, begin*')
    made.add_argument("--filter", action="append", default=[], metavar="NAME=VALUE", help="may be given several times")
    made.add_argument("--slice", default="", metavar="UUID", help="the filters of a slice, to which others are added")
    made.add_argument("--limit", type=int, default=30, metavar="N", help=f"how many, 1 to {MOST:,} (default: 30)")
    made.add_argument("--csv", type=Path, metavar="FILE", help="write all that is found to this file instead, with its labels")
    made.set_defaults(run=items)
    kept = commands.add_parser("slices", parents=[common], help="the slices of a dataset: yours, and what others share")
    kept.add_argument("dataset", metavar="DATASET", help="slug or uuid")
    kept.set_defaults(run=slices)


def items(session: Session) -> None:
    """List them, page by page up to the limit; or write them to a file."""
    args = session.args
    if not 1 <= args.limit <= MOST:
        raise Usage(f"--limit takes 1 to {MOST:,}.")
    dataset = find.dataset(session, args.dataset)
    if args.csv:
        fetch(session, dataset["uuid"], asked(args), args.csv)
        return
    rows = list(islice(found(session, dataset["uuid"], asked(args)), args.limit))
    lines = [f"{row['external_id'] or row['digest'][:8]}  {shown(row)}" for row in rows]
    session.screen.show(rows, *(lines or ["No item matches."]))


def fetch(session: Session, dataset: str, filters: dict[str, str], target: Path) -> None:
    """Have the file made, stay until it is there, and write it. Raises Refused where other bytes arrived than were made."""
    address = f"/datasets/{dataset}/item-exports/"
    body = {"filters": {name: value for name, value in filters.items() if name != "slice"}, "slice": filters.get("slice")}
    job = session.api.post(address, body)
    watching.follow_job(session, job["uuid"])
    made = session.api.get(address)[0]
    with target.open("wb") as file:
        session.api.download("GET", f"/item-files/{made['uuid']}/", file)
    with target.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != made["sha256"]:
            raise Refused(f"{target} is not the file that was made.", next_step="Fetch it again.")
    session.screen.show(made, f"{count(made['items'], 'item')} in {target}", f"sha256  {made['sha256']}")


def asked(args: Any) -> dict[str, str]:
    """The filters as the API takes them. Raises Usage for one without a value."""
    said = dict(each.partition("=")[::2] for each in args.filter)
    if without := [name for name, value in said.items() if not name or not value]:
        raise Usage(f"Write --filter NAME=VALUE; there is no value for {without[0] or 'nothing'}.")
    return said | ({"q": args.search} if args.search else {}) | ({"slice": args.slice} if args.slice else {})


def found(session: Session, dataset: str, filters: dict[str, str]) -> Any:
    """The items that are found, one by one; pages are asked for as they are needed."""
    before: dict[str, Any] = {}
    while True:
        page = session.api.get(f"/datasets/{dataset}/items/", **filters, **before)
        yield from page["results"]
        if page["before"] is None:
            return
        if page["stopped"]:
            session.screen.live("Still looking", "looking")
        before = {"before": page["before"]}


def shown(row: dict[str, Any]) -> str:
    """The beginning of its text, where the token's owner may read it."""
    text = " ".join((row["text"] or "").split())
    return plain(text[:LINE] + ("…" if len(text) > LINE else "")) if row["text"] is not None else row["digest"]


def slices(session: Session) -> None:
    """List them, newest first."""
    dataset = find.dataset(session, session.args.dataset)
    rows = session.api.get(f"/datasets/{dataset['uuid']}/slices/")["results"]
    lines = [f"{row['uuid']}  {plain(row['name'])}, {size(row)}" for row in rows]
    session.screen.show(rows, *(lines or ["No slice was saved yet, or none that you see."]))


def size(row: dict[str, Any]) -> str:
    """What was counted."""
    return "not counted" if row["size"] is None else f"{count(row['size'], 'item')} as of {row['counted_at'][:10]}"
