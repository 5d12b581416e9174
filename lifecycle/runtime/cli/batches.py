"""Files of JSON lines that are sent in batches, and continued where they stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.refusals import Refusal, Refused
from lifecycle.runtime.words import things

BATCH = 1_000
Row = dict[str, Any]
Line = tuple[int, Row]
# converts a line of the file for the API; raises ValueError with what is wrong with it
Shape = Callable[[Row], Row]


def send(session: Session, path: Path, start: int, shape: Shape, post: Callable[[list[Row]], Any]) -> int:
    """Send all lines from number `start` on; returns how many. If it ends early, it prints the line to
    continue with.
    """
    sent, following = 0, start
    try:
        for batch in batches(read(path, start, shape)):
            try:
                post([row for _, row in batch])
            except Refusal as refusal:
                raise located(refusal, batch) from refusal
            sent, following = sent + len(batch), batch[-1][0] + 1
            session.screen.live(f"{things(sent, 'line')} sent", f"{sent}")
    except BaseException:
        session.screen.info(f"{things(sent, 'line')} sent. Continue with: {path} --from {following}")
        raise
    session.screen.close()
    return sent


def batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """Up to 1,000 lines at a time."""
    while batch := list(islice(lines, BATCH)):
        yield batch


def read(path: Path, start: int, shape: Shape) -> Iterator[Line]:
    """The non-empty lines of a file with their numbers, from 1. Raises Usage naming the first that can't be
    read.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, text in enumerate(file, 1):
                if number >= start and text.strip():
                    yield number, parsed(number, text, shape)
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(
            f"{path} can't be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}."
        ) from error


def parsed(number: int, text: str, shape: Shape) -> Row:
    """One line as the API takes it."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Usage(f"Line {number:,} isn't JSON. Each line is one object.") from error
    if not isinstance(found, dict):
        raise Usage(f"Line {number:,} isn't a JSON object.")
    try:
        return shape(found)
    except ValueError as error:
        raise Usage(f"Line {number:,}: {error}") from error


def located(refusal: Refusal, batch: list[Line]) -> Refusal:
    """The same refusal with the lines of the file in place of positions in the batch."""
    fields = {}
    for name, texts in refusal.fields.items():
        _, _, rest = name.partition(".")
        position, _, field = rest.partition(".")
        known = position.isdecimal() and int(position) < len(batch)
        fields[f"line {batch[int(position)][0]:,} {field}".rstrip() if known else name] = texts
    made = Refused(refusal.message, next_step=refusal.next_step, fields=fields)
    made.code = refusal.code
    return made
