"""export: a snapshot as a file. answers: everybody's answers as a file of another labeling tool."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from lifecycle.runtime.cli import find, watching
from lifecycle.runtime.cli.screen import count
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.refusals import Refused

SNAPSHOT_FORMATS = (
    "csv", "xlsx", "jsonl", "parquet", "hf", "fasttext", "conll", "chat", "sharegpt", "prompts", "alpaca", "summaries", "trl", "openai",
    "unpaired", "rankings",
)  # fmt: skip
ANSWER_FORMATS = ("labelstudio", "doccano", "prodigy", "argilla")
TO = "where it is kept; without it under its own name here, where nothing lies yet"


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    made = commands.add_parser("export", parents=[common], help="a snapshot as a file with its texts, checked by its digest")
    made.add_argument("snapshot", metavar="SNAPSHOT", help="dataset@number or uuid")
    made.add_argument("--format", choices=SNAPSHOT_FORMATS, required=True, help="the kind of file")
    made.add_argument("--to", type=Path, metavar="FILE", help=TO)
    made.set_defaults(run=export)
    said = commands.add_parser("answers", parents=[common], help="everybody's answers as a file of another labeling tool")
    said.add_argument("dataset", metavar="DATASET", help="slug or uuid")
    said.add_argument("--format", choices=ANSWER_FORMATS, required=True, help="the kind of file")
    said.add_argument("--queue", default="", metavar="QUEUE", help="about the items of this queue alone, by name or uuid")
    said.add_argument("--to", type=Path, metavar="FILE", help=TO)
    said.set_defaults(run=answers)


def export(session: Session) -> None:
    """Have it made, stay until it is, and fetch it."""
    args = session.args
    snapshot = find.snapshot(session, args.snapshot)
    where = f"/snapshots/{snapshot['uuid']}/exports/"
    made = ordered(session, where, {"format": args.format}, lambda row: row["format"] == args.format)
    path = fetch(session, f"/snapshot-files/{made['uuid']}/", made, args.to)
    odd = [f"{count(made['neutralised'], 'cell')} would have run as a formula: a ' stands before each."] if made["neutralised"] else []
    session.screen.show(made | {"path": str(path)}, *kept(path, made, count(made["rows"], "row")), *odd, *lost(made["left_out"]))


def answers(session: Session) -> None:
    """The same for what people said."""
    args = session.args
    dataset = find.dataset(session, args.dataset)
    queue = find.queue(session, args.queue, dataset["uuid"])["uuid"] if args.queue else None
    where, body = f"/datasets/{dataset['uuid']}/answer-exports/", {"format": args.format, "queue": queue}
    made = ordered(session, where, body, lambda row: (row["format"], row["queue"]) == (args.format, queue))
    path = fetch(session, f"/answer-files/{made['uuid']}/", made, args.to)
    held = f"{count(made['items'], 'item')}, {count(made['answers'], 'answer')}"
    session.screen.show(
        made | {"path": str(path)}, *kept(path, made, held), *lost([f"{text} {number:,}" for text, number in made["dropped"].items()])
    )


def ordered(session: Session, where: str, body: dict[str, Any], ours: Any) -> dict[str, Any]:
    """The newest file of that kind, once its job is done."""
    watching.follow_job(session, session.api.post(where, body)["uuid"])
    return next(row for row in session.api.get(where) if ours(row))


def fetch(session: Session, path: str, made: dict[str, Any], to: Path | None) -> Path:
    """The file, here; what lies under --to is replaced by the whole file or not at all. made: file_name, and sha256 where it is known.
    Raises Refused."""
    target = to or Path(Path(made["file_name"]).name)
    if to is None and target.exists():
        raise Refused(f"{target} lies here already, and may be yours.", next_step=f"Say where the file goes: --to {target}, to replace it.")
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as file:
            session.api.download("GET", path, file)
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if made["sha256"] and found != made["sha256"]:
            raise Refused(f"What came is not the file: its sha256 is {found}, not {made['sha256']}.", next_step="Try again.")
        os.replace(part, target)
    except OSError as error:
        raise Refused(f"{target} cannot be written: {error.strerror}.", next_step="Say where else it goes: --to FILE") from error
    finally:
        part.unlink(missing_ok=True)
    return target


def kept(path: Path, made: dict[str, Any], held: str) -> list[str]:
    """What was fetched."""
    return [f"{path}: {held}; {made['size']:,} bytes.", f"sha256 {made['sha256']}"]


def lost(losses: list[str]) -> list[str]:
    """What the format cannot hold."""
    return ["The format cannot hold:", *(f"  {each}" for each in losses)] if losses else ["Nothing was left out."]
