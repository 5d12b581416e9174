"""Files that a job makes and the command fetches, whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lifecycle.runtime.cli import find, watching
from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.refusals import Refused

Row = dict[str, Any]


def text_of(path: Path) -> str:
    """A text file. Raises Usage where it can't be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(
            f"{path} can't be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}."
        ) from error


def sent(session: Session, file: str, dataset: str, where: str, **query: str) -> Row:
    """Upload a local file to a dataset; returns the response. where: the path, with {} for the dataset.
    Raises Usage.
    """
    if not Path(file).is_file():
        raise Usage(f"{file} isn't a file.")
    if not dataset:
        raise Usage("Name the file's dataset: --dataset SLUG.")
    uuid = find.dataset(session, dataset)["uuid"]
    with open(file, "rb") as opened:
        return dict(session.api.send(where.format(uuid), opened, name=Path(file).name, **query))


def earlier(session: Session, name: str, where: str, what: str) -> Row:
    """An earlier dry run, by its uuid. where: the path of all. Raises Usage for anything else."""
    if not find.is_uuid(name):
        raise Usage(f"There is no file {name}.")
    return find.read(session, f"{where}{name}/", f"{what} {name}")


def ordered(session: Session, where: str, body: Row, ours: Callable[[Row], bool]) -> Row:
    """The newest file of that kind, once its job is done."""
    watching.follow_job(session, session.api.post(where, body)["uuid"])
    return next(row for row in session.api.get(where) if ours(row))


def fetch(session: Session, path: str, made: Row, to: Path | None) -> Path:
    """Download a file. An existing file under --to is replaced by the whole file or not at all.

    made: file_name, and sha256 where it is known. Raises Refused.
    """
    target = to or Path(Path(made["file_name"]).name)
    if to is None and target.exists():
        raise Refused(
            f"{target} exists here already.", next_step=f"Name the file: --to {target}, to replace it."
        )
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as file:
            session.api.download("GET", path, file)
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if made["sha256"] and found != made["sha256"]:
            raise Refused(
                f"The download is damaged: its sha256 is {found}, not {made['sha256']}.",
                next_step="Try again.",
            )
        os.replace(part, target)
    except OSError as error:
        raise Refused(
            f"{target} can't be written: {error.strerror}.", next_step="Name another file: --to FILE"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return target


def saved(path: Path, made: Row, held: str) -> list[str]:
    """The lines about a downloaded file."""
    return [f"{path}: {held}; {made['size']:,} bytes.", f"sha256 {made['sha256']}"]


def lost(losses: list[str]) -> list[str]:
    """The losses of the format as lines."""
    return (
        ["The format can't hold:", *(f"  {each}" for each in losses)] if losses else ["Nothing was left out."]
    )
