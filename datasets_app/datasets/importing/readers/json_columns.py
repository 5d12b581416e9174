"""One JSON object of columns: lists of values, or objects of values by row, as pandas and `datasets` write
them.

    {"text": ["a", "b"], "label": [0, 1]}        {"text": {"0": "a", "1": "b"}, "label": {"0": 0, "1": 1}}

The columns follow one another, so each is written to its own file with one value per line, and these are read
in parallel: memory contains one value of each column, not the columns.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from datasets_app.datasets.importing.readers.checks import checked
from datasets_app.datasets.importing.readers.jsons import DECODER, Pairs, Window, flatten, json_text, keys
from datasets_app.datasets.importing.readers.lines import LINE_LIMIT, open_text
from datasets_app.datasets.importing.readers.shapes import COLUMNS_LIMIT, Header, Reading, Row
from datasets_app.datasets.importing.readers.sources import Member
from datasets_app.datasets.importing.readers.watching import step
from datasets_app.datasets.importing.report import Problem

KEPT_BYTES = 64_000_000  # of an uploaded file with cached columns on disk
FIX = "Write it again as a list of objects (pandas: orient='records'), or as one object per line."
CLOSING = {"[": "]", "{": "}"}


@dataclass(slots=True)
class Columns:
    """The columns of a file, in a folder that is deleted with this object. fault: why they can't be read."""

    folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="columns-")
    )
    names: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    fault: Problem | None = None

    def path(self, number: int) -> Path:
        """The file of a column, with one JSON value per line."""
        return Path(self.folder.name) / str(number)


class Broken(Exception):
    """A file that isn't an object of columns. Holds the sentence."""


def header(member: Member, reading: Reading) -> Header:
    """The columns, flattened by the first rows, and the problems of ignored columns or of the file."""
    with opened(member, reading) as columns:
        if columns.fault:
            return Header((), (columns.fault,))
        found = keys(row for row in side_by_side(columns))
        sentence = "{!r} isn't a list with one value per row, so it's ignored."
        ignored = tuple(
            Problem(0, "left_out", sentence.format(name), "No action needed if that's right.", notice=True)
            for name in columns.ignored
        )
        return Header(found.columns, (*found.problems, *ignored))


def rows(member: Member, reading: Reading) -> Iterator[Row | Problem]:
    """One row for each value of the columns."""
    with opened(member, reading) as columns:
        if not columns.fault:
            yield from side_by_side(columns)


@contextmanager
def opened(member: Member, reading: Reading) -> Iterator[Columns]:
    """The columns on disk."""
    found = member.path.stat()
    if member.entry or found.st_size > KEPT_BYTES:
        yield laid_out(member, reading.encoding)
    else:
        yield cached_columns(member, reading.encoding, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=1)
def cached_columns(member: Member, encoding: str, _changed: int, _size: int) -> Columns:
    """The columns, cached for the last file: a dry run reads it four times."""
    return laid_out(member, encoding)


def laid_out(member: Member, encoding: str) -> Columns:
    """Write each column of a file to a file of its own."""
    columns = Columns()
    try:
        with open_text(member, encoding) as file:
            lay_out(Window(file), columns)
    except (Broken, OverflowError, RecursionError, ValueError) as error:
        columns.fault = Problem(0, "json", sentence_of(error), FIX, blocks=True)
    return columns


def sentence_of(error: Exception) -> str:
    """What is wrong with the file, as a sentence."""
    if isinstance(error, Broken):
        return str(error)
    if isinstance(error, OverflowError):
        return f"A value is longer than {LINE_LIMIT:,} characters."
    if isinstance(error, RecursionError):
        return "A value is nested too deeply."
    reason = error.msg.lower() if isinstance(error, json.JSONDecodeError) else str(error)
    return f"The file isn't one JSON object of columns ({reason})."


def lay_out(window: Window, columns: Columns) -> None:
    """Read the object. Raises Broken, and as Window.value."""
    expect(window, "{")
    shape: tuple[int, bytes] | None = None
    while window.peek() == '"':
        name = str(window.value())
        expect(window, ":")
        if name in (*columns.names, *columns.ignored):
            raise Broken(f"The file has the column {name[:200]!r} twice.")
        if window.peek() not in CLOSING:
            window.value()
            columns.ignored.append(name)
        else:
            found = write_column(window, columns.path(len(columns.names)))
            columns.names.append(name)
            if shape not in (None, found):
                raise Broken(unequal(columns.names[0], name, shape, found))
            shape = found
        if len(columns.names) > COLUMNS_LIMIT:
            raise Broken(f"The file has more than {COLUMNS_LIMIT} columns.")
        if window.peek() != ",":
            break
        window.at += 1
    expect(window, "}")
    if window.peek():
        raise Broken("The file has extra text after the JSON object.")
    if not columns.names:
        raise Broken("The file is one JSON object, and none of its keys has a list of values.")


def unequal(first: str, name: str, one: tuple[int, bytes] | None, other: tuple[int, bytes]) -> str:
    """Why two columns can't be aligned."""
    if one and one[0] != other[0]:
        return f"The column {first[:200]!r} has {one[0]:,} values, {name[:200]!r} has {other[0]:,}."
    return f"The columns {first[:200]!r} and {name[:200]!r} don't name the same rows in the same order."


def expect(window: Window, sign: str) -> None:
    """Skip a character. Raises Broken if another one follows."""
    found = window.peek()
    if found != sign:
        raise Broken(
            f"The file ends where {sign} was expected."
            if not found
            else f"The file has {found!r} where {sign} was expected."
        )
    window.at += 1


def write_column(window: Window, path: Path) -> tuple[int, bytes]:
    """Write the values of a list or an object, one per line. Returns their number, and a digest of the keys,
    empty for a list.
    """
    opening = window.peek()
    window.at += 1
    closing, count, digest = CLOSING[opening], 0, hashlib.blake2b(digest_size=16)
    with path.open("w", encoding="utf-8", errors="surrogatepass") as file:
        while (sign := window.peek()) and sign != closing:
            if opening == "{":
                digest.update(f"{window.value()}\n".encode("utf-8", "surrogatepass"))
                expect(window, ":")
                window.peek()
            value = window.value()
            file.write(
                f"{json.dumps(value, ensure_ascii=False) if type(value) is str else json_text(value)}\n"
            )
            count += 1
            if window.peek() == ",":
                window.at += 1
            elif window.peek() != closing:
                break
    expect(window, closing)
    return count, digest.digest() if opening == "{" else b""


def side_by_side(columns: Columns) -> Iterator[Row | Problem]:
    """The rows of columns on disk."""
    with ExitStack() as stack:
        files = [
            stack.enter_context(columns.path(at).open(encoding="utf-8", errors="surrogatepass"))
            for at in range(len(columns.names))
        ]
        for number, lines in enumerate(zip(*files, strict=True), start=1):
            step()
            flat: dict[str, str] = {}
            try:
                for name, line in zip(columns.names, lines, strict=True):
                    flatten(name, DECODER.decode(line), flat)
            except RecursionError:
                yield Problem(number, "json", f"Row {number:,} is nested too deeply.", "Flatten the objects.")
                continue
            yield checked(Row(number, flat), "Row")


# ── Detection ───────────────────────────────────────────────────────────────
def looks_like_columns(sample: str, *, whole: bool) -> bool:
    """Whether a sample starts one object of columns, rather than one object per line. whole: the sample is
    the entire file.
    """
    text = sample.lstrip()
    first, _, rest = text.partition("\n")
    try:
        found = DECODER.decode(first)
    except (ValueError, RecursionError):
        return begins(text)
    if not isinstance(found, Pairs) or rest.strip() or not whole:
        return False
    if any(isinstance(inner, Pairs) for each in found.values() if isinstance(each, list) for inner in each):
        return False  # messages or spans of one row
    sizes = {len(each) if isinstance(each, list | Pairs) else -1 for each in found.values()}
    return (
        len(sizes) == 1 and -1 not in sizes and (sizes != {1} or all(plain(each) for each in found.values()))
    )


def plain(value: object) -> bool:
    """Whether every value of a column is a text or a number."""
    inner = list(value.values() if isinstance(value, Pairs) else value if isinstance(value, list) else ())
    return all(isinstance(each, str) for each in inner)


def begins(text: str) -> bool:
    """Whether the first key of a truncated object has a list, or an object by row."""
    try:
        key, end = DECODER.raw_decode(text, text.index('"'))
        value = text[end:].lstrip().removeprefix(":").lstrip()
        if text[1 : text.index('"')].strip() or not isinstance(key, str) or value[:1] not in CLOSING:
            return False
        if value[0] == "{":
            row, _ = DECODER.raw_decode(value, value.index('"'))
            return not value[1 : value.index('"')].strip() and str(row).isdecimal()
        inner = value[1:].lstrip()
        return inner[:1] != "{"
    except (ValueError, RecursionError):
        return False
