"""corrections: a file of corrected labels, looked through first, then written as decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lifecycle.cli import find, watching
from lifecycle.cli.arguments import of_dataset
from lifecycle.cli.errors import Usage
from lifecycle.cli.screen import count, facts, moment, plain, table
from lifecycle.cli.session import Session
from lifecycle.refusals import Refused

OUTCOMES = {
    "changed": "changed", "unchanged": "as it is decided, or as it was exported", "moved": "decided anew since the export",
    "own": "labelled by yourself", "unknown_label": "a class that is not there", "unknown_item": "no item of this dataset",
    "unreadable": "no label that can be read", "repeated": "an item that stood above with another label",
}  # fmt: skip
CASES, PAIRS = 10, 20  # that are shown


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser(
        "corrections", help="bring a file of corrected labels: dry run first, decisions with --accept",
        description="Export a snapshot as CSV, Excel, JSONL or Parquet, correct its labels, keep its other columns, and bring it.",
    ).add_subparsers(dest="what", metavar="WHAT", required=True)  # fmt: skip
    new = group.add_parser(
        "bring", parents=[common], help="send a file and see what it would change",
        description="Nothing is decided before it is accepted: with --accept at once, or later with "
        "`lifecycle corrections bring CORRECTION --accept`, where CORRECTION is the uuid that the dry run prints.",
    )  # fmt: skip
    new.add_argument("file", metavar="FILE", help="a file, or the uuid of an earlier dry run")
    new.add_argument("--dataset", default="", metavar="SLUG", help="the dataset that it belongs to, by slug or uuid")
    new.add_argument("--accept", action="store_true", help="write what it changes as decisions that you answer for")
    new.add_argument("--take-moved", action="store_true", help="with --accept: also where the decision moved on since the export")
    new.set_defaults(run=bring)
    of_dataset(group, common, "list", "the newest 30 files").set_defaults(run=list_)
    one = group.add_parser("show", parents=[common], help="what a file would change, or what came of it")
    one.add_argument("correction", metavar="CORRECTION", help="its uuid")
    one.set_defaults(run=show)
    away = group.add_parser("discard", parents=[common], help="put a file aside that waits: yours, or as an ML lead any")
    away.add_argument("correction", metavar="CORRECTION", help="its uuid")
    away.set_defaults(run=discard)


def bring(session: Session) -> None:
    """Send, look, and accept if asked."""
    args = session.args
    found = looked(session, sent(session) if Path(args.file).exists() else earlier(session, args.file))
    lines = told(session, found)
    if not args.accept:
        may = counts(found).get("changed", 0) or counts(found).get("moved", 0)
        how = f"Accept it with: lifecycle corrections bring {found['uuid']} --accept" if may else "It changes no label."
        return session.screen.show(found, *lines, "", "Nothing is decided yet.", how)
    session.screen.tell("\n".join(lines))
    job = session.api.post(f"/labeling/corrections/{found['uuid']}/accept/", {"take_moved": args.take_moved})
    watching.follow_job(session, job["uuid"])
    done = session.api.get(f"/labeling/corrections/{found['uuid']}/")
    return session.screen.show(done, *written(done))


def sent(session: Session) -> dict[str, Any]:
    """A file that lies here."""
    path, args = Path(session.args.file), session.args
    if not args.dataset:
        raise Usage("Say which dataset the file belongs to: --dataset SLUG.")
    if not path.is_file():
        raise Usage(f"{path} is no file.")
    dataset = find.dataset(session, args.dataset)
    where = f"/labeling/datasets/{dataset['uuid']}/corrections/"
    with path.open("rb") as file:
        return dict(session.api.send(where, file, name=path.name))


def earlier(session: Session, name: str) -> dict[str, Any]:
    """An earlier dry run."""
    if not find.is_uuid(name):
        raise Usage(f"There is no file {name}.")
    return find.read(session, f"/labeling/corrections/{name}/", f"file of corrections {name}")


def looked(session: Session, found: dict[str, Any]) -> dict[str, Any]:
    """The file once a job has looked through it. Raises Refused where that failed, or it was accepted already."""
    while found["state"] == "looking":
        session.screen.live(f"{found['file_name']} is being looked through", "looking")
        session.sleep(watching.POLL_SECONDS)
        found = session.api.get(f"/labeling/corrections/{found['uuid']}/")
    session.screen.close()
    error = found["report"].get("error", {})
    if found["state"] == "failed":
        raise Refused(error.get("message") or f"{found['file_name']} could not be read.", next_step=error.get("next_step", ""))
    if found["state"] != "looked":
        raise Refused(f"This file is {found['state']} already.", next_step=f"See: lifecycle corrections show {found['uuid']}")
    return found


def counts(found: dict[str, Any]) -> dict[str, int]:
    """Rows by what becomes of them."""
    return dict(found["report"].get("look", {}).get("counts", {}))


def told(session: Session, found: dict[str, Any]) -> list[str]:
    """What the look found: how many rows of each kind, from what to what, and the rows in doubt."""
    look = found["report"].get("look", {})
    lines = facts([
        ("File", f"{found['file_name']}, {found['state']}"),
        ("Rows", f"{look.get('rows', 0):,}"),
        *((words.capitalize(), number) for name, words in OUTCOMES.items() if (number := counts(found).get(name))),
        ("Page", session.page(f"/labeling/corrections/{found['uuid']}/")),
    ])  # fmt: skip
    pairs = [tuple(row) for row in look.get("pairs", [])]
    lines += ["", *table(["WAS", "BECOMES", "ROWS"], pairs[:PAIRS])] if pairs else []
    lines += [f"… and {count(len(pairs) - PAIRS, 'more pair')}."] if len(pairs) > PAIRS else []
    lines += [f"{plain(name)}: no class, {count(number, 'row')}{meant(near)}" for name, number, near in look.get("unknown", [])]
    return lines + [case(name, row) for name in OUTCOMES for row in look.get("cases", {}).get(name, [])[:CASES]]


def meant(near: str) -> str:
    """The class that was probably meant."""
    return f". Did you mean {near}?" if near else ""


def case(name: str, row: dict[str, Any]) -> str:
    """One row in doubt."""
    what = plain(row["told"]) or OUTCOMES[name]
    change = f": now {row['now']}, in the file {row['said']}" if "now" in row else ""
    return f"Line {row['line']:,}: {what}{plain(change)}"


def written(done: dict[str, Any]) -> list[str]:
    """What became of it."""
    found = done["report"].get("written", {})
    made = found.get("changed", 0) + (found.get("moved", 0) if done["take_moved"] else 0)
    left = [f"{words} {found[name]:,}" for name, words in OUTCOMES.items() if found.get(name) and name not in taken(done)]
    return [f"{count(made, 'decision')} written." + (f" Left as they are: {', '.join(left)}." if left else "")]


def taken(done: dict[str, Any]) -> tuple[str, ...]:
    """What becomes a decision."""
    return ("changed", "moved") if done["take_moved"] else ("changed",)


def list_(session: Session) -> None:
    """Newest first."""
    dataset = find.dataset(session, session.args.dataset)
    rows = session.api.get(f"/labeling/datasets/{dataset['uuid']}/corrections/")
    lines = table(
        ["CORRECTION", "FILE", "STATE", "CHANGED", "MOVED", "BROUGHT"],
        [
            (row["uuid"], row["file_name"], row["state"], counts(row).get("changed"), counts(row).get("moved"), moment(row["created_at"]))
            for row in rows
        ],
    )
    session.screen.show(rows, *(lines if rows else [f"No corrected labels were brought to {dataset['slug']} yet."]))


def show(session: Session) -> None:
    """As it is now."""
    found = earlier(session, session.args.correction)
    error = found["report"].get("error", {})
    lines = told(session, found) + ([plain(f"{error['message']} {error['next_step']}")] if error else [])
    session.screen.show(found, *lines, *(["", *written(found)] if found["state"] == "written" else []))


def discard(session: Session) -> None:
    """For good; twice is once."""
    found = session.api.post(f"/labeling/corrections/{session.args.correction}/discard/", twice=True)
    session.screen.show(found, f"{found['file_name']} is discarded.")
