"""The physical lines of a text."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from datasets_app.datasets.importing.readers.sources import Member
from datasets_app.datasets.importing.report import Problem

HEAD = 1 << 20
LINE_LIMIT = 4_000_000  # characters of one physical line


class Lines:
    """The physical lines of a text file, counted from 1. A line over the limit raises OverflowError once and
    is then skipped.
    """

    def __init__(self, file: io.TextIOBase) -> None:
        self._file = file
        self.number = 0

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._file.readline(LINE_LIMIT)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) == LINE_LIMIT and not line.endswith(("\n", "\r")):
            while (rest := self._file.readline(LINE_LIMIT)) and not rest.endswith(("\n", "\r")):
                pass
            raise OverflowError
        return line


@contextmanager
def open_text(member: Member, encoding: str) -> Iterator[io.TextIOWrapper]:
    """The file as text with unchanged line ends. Only a file without any newline is split at carriage
    returns.
    """
    head = member.head(HEAD).decode(encoding, "ignore")
    newline = "\r" if "\r" in head and "\n" not in head else "\n"
    with (
        member.open() as raw,
        io.TextIOWrapper(cast("IO[bytes]", raw), encoding=encoding, newline=newline) as file,
    ):
        yield file


def numbered_lines(file: io.TextIOBase) -> Iterator[tuple[int, str | Problem]]:
    """Every line that isn't blank with its number, with a Problem in place of each that is too long."""
    lines = Lines(file)
    while True:
        try:
            text = next(lines)
        except StopIteration:
            return
        except OverflowError:
            yield lines.number, too_long(lines.number)
            continue
        if text.strip():
            yield lines.number, text


def too_long(line: int) -> Problem:
    """A problem for a physical line over the limit."""
    return Problem(
        line, "long_line", f"Line {line:,} is longer than {LINE_LIMIT:,} characters.", "Shorten it."
    )
