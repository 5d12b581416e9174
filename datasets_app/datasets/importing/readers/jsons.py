"""JSON, one object a line or a list of objects: flat columns, numbers as they were written.

The list is decoded object by object with the standard library. ijson would stream it too, but it turns half a
surrogate pair into a question mark, keeps the last of two equal keys and rewrites numbers, all silently.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from datasets_app.datasets.importing.readers.checks import checked
from datasets_app.datasets.importing.readers.lines import LINE_LIMIT, numbered_lines, open_text
from datasets_app.datasets.importing.readers.shapes import COLUMNS_LIMIT, Header, Reading, Row
from datasets_app.datasets.importing.readers.sources import Member
from datasets_app.datasets.importing.report import Problem
from datasets_app.datasets.rules import place

SAMPLE = 1_000  # objects that determine the columns
BLOCK = 1 << 18  # characters read at once
BLANK = " \t\n\r\ufeff"
WHOLE = "Put one complete JSON object on each line."
LIST = "Write the file again as one list of objects, or as one object per line."


class Pairs(dict[str, Any]):
    """A JSON object. Kept apart from other values by its class."""


def unique_pairs(pairs: list[tuple[str, Any]]) -> Pairs:
    """An object, unless it names a key twice. Raises ValueError."""
    found = Pairs(pairs)
    if len(found) != len(pairs):
        raise ValueError("has a duplicate key")
    return found


class Number(str):
    """A number as it was written."""

    __slots__ = ()


DECODER = json.JSONDecoder(
    object_pairs_hook=unique_pairs, parse_int=Number, parse_float=Number, parse_constant=Number
)
LENIENT = json.JSONDecoder(
    object_pairs_hook=Pairs, parse_int=Number, parse_float=Number, parse_constant=Number
)
Found = tuple[int, Pairs | Problem]


def header(member: Member, reading: Reading) -> Header:
    """The keys of the first objects, in the order of their first use."""
    return keys(rows(member, reading))


def rows(member: Member, reading: Reading) -> Iterator[Row | Problem]:
    """One row for each object, nested keys joined with dots."""
    where = place(reading.parser)
    for number, found in objects(member, reading.encoding, as_list=reading.parser == "json"):
        yield found if isinstance(found, Problem) else row_of(number, found, where)


def objects(member: Member, encoding: str, *, as_list: bool) -> Iterator[Found]:
    """The objects of a file with their lines, or their places in the list; a Problem in the place of each
    that cannot be read.
    """
    with open_text(member, encoding) as file:
        yield from listed(file) if as_list else lined(file)


def row_of(number: int, found: Pairs, where: str) -> Row | Problem:
    """An object as a row of flat columns."""
    flat: dict[str, str] = {}
    try:
        flatten("", found, flat)
    except RecursionError:
        return Problem(number, "json", f"{where} {number:,} is nested too deeply.", "Flatten the objects.")
    return checked(Row(number, flat), where)


def lined(file: io.TextIOBase) -> Iterator[Found]:
    """One object per line; blank lines are skipped."""
    for number, text in numbered_lines(file):
        yield number, text if isinstance(text, Problem) else one_line(text.strip(BLANK), number)


def one_line(text: str, line: int) -> Pairs | Problem:
    """The object of one line."""
    try:
        value = DECODER.decode(text)
    except json.JSONDecodeError as error:
        if line == 1 and text.startswith("["):
            return Problem(
                line,
                "json",
                "The file is one JSON list, not one object per line.",
                "Choose the parser JSON: a list of objects.",
            )
        return Problem(
            line,
            "json",
            f"Line {line:,} isn't valid JSON: {error.msg.lower()} at character {error.pos + 1:,}.",
            WHOLE,
        )
    except RecursionError:
        return Problem(line, "json", f"Line {line:,} is nested too deeply.", WHOLE)
    except ValueError as error:
        return Problem(line, "json", f"Line {line:,} {error}.", "Remove one of the two.")
    if not isinstance(value, Pairs):
        if line == 1 and isinstance(value, list):
            return Problem(
                line,
                "json",
                "The file is one JSON list, not one object per line.",
                "Choose the parser JSON: a list of objects.",
            )
        return Problem(line, "json", f"Line {line:,} is JSON, but not an object.", WHOLE)
    return value


class Window:
    """The part of a text that is being decoded. Grows until a value is whole, up to LINE_LIMIT characters."""

    def __init__(self, file: io.TextIOBase) -> None:
        self._file = file
        self.text, self.at = "", 0

    def more(self) -> bool:
        """Read more, dropping decoded text. False at the end of the file."""
        block = self._file.read(max(BLOCK, len(self.text) - self.at))
        if block:
            self.text, self.at = self.text[self.at :] + block, 0
        return bool(block)

    def peek(self) -> str:
        """The next character that is not blank, or the empty text at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in BLANK:
                self.at += 1
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def value(self) -> Any:
        """The next value. Raises JSONDecodeError, RecursionError or OverflowError (too long); ValueError
        after skipping it.
        """
        decoder, fault = DECODER, None
        while True:
            try:
                value, end = decoder.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string") or error.pos > len(self.text) - 16
                if cut and len(self.text) - self.at > LINE_LIMIT:
                    raise OverflowError from error
                if not cut or not self.more():
                    raise
            except ValueError as error:
                if fault:
                    raise
                decoder, fault = LENIENT, error
            else:
                if end < len(self.text) or not self.more():
                    self.at = end
                    if fault:
                        raise fault
                    return value


def listed(file: io.TextIOBase) -> Iterator[Found]:
    """The objects of one list. A syntax error blocks the file: nothing after it can be parsed."""
    window = Window(file)
    if window.peek() != "[":
        yield (
            0,
            Problem(
                0,
                "json",
                "The file isn't one JSON list.",
                "If it has one object per line, choose the parser JSONL.",
                blocks=True,
            ),
        )
        return
    window.at += 1
    number = 0
    while (sign := window.peek()) and sign != "]":
        number += 1
        try:
            found = object_of(window.value(), number)
        except (json.JSONDecodeError, OverflowError, RecursionError) as error:
            yield number, broken(number, error)
            return
        except ValueError as error:
            found = Problem(number, "json", f"Object {number:,} {error}.", "Remove one of the two.")
        yield number, found
        if window.peek() == ",":
            window.at += 1
        elif window.peek() != "]":
            break
    if window.peek() != "]":
        sentence = (
            f"The list is truncated after object {number:,}."
            if number
            else "The list is truncated at its start."
        )
        yield number, Problem(number, "json", sentence, LIST, blocks=True)


def object_of(value: Any, number: int) -> Pairs | Problem:
    """An entry of a list, which has to be an object."""
    if isinstance(value, Pairs):
        return value
    return Problem(
        number, "json", f"Entry {number:,} of the list isn't an object.", "Make every entry an object."
    )


def broken(number: int, error: Exception) -> Problem:
    """The problem that ended the list."""
    if isinstance(error, OverflowError):
        return Problem(
            number,
            "long_line",
            f"Object {number:,} is longer than {LINE_LIMIT:,} characters.",
            "Shorten it.",
            blocks=True,
        )
    if isinstance(error, RecursionError):
        return Problem(
            number, "json", f"Object {number:,} is nested too deeply.", "Flatten the objects.", blocks=True
        )
    reason = error.msg.lower() if isinstance(error, json.JSONDecodeError) else "broken"
    return Problem(
        number,
        "json",
        f"Object {number:,} isn't valid JSON ({reason}); nothing after it can be read.",
        LIST,
        blocks=True,
    )


def flatten(prefix: str, value: Any, flat: dict[str, str]) -> None:
    """Put a JSON value under its dotted name: numbers as they were written, lists as JSON text, null as the
    empty text.
    """
    if isinstance(value, Pairs):
        for key, inner in value.items():
            flatten(f"{prefix}.{key}" if prefix else key, inner, flat)
    else:
        flat[prefix] = cell_of(value)


def cell_of(value: Any) -> str:
    """One value as text."""
    if isinstance(value, str):
        return str(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json_text(value)


def json_text(value: Any) -> str:
    """A list or an object as JSON text, with numbers as they were written."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(
                f"{json.dumps(key, ensure_ascii=False)}: {json_text(inner)}" for key, inner in value.items()
            )
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(json_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def keys(found: Iterable[Row | Problem]) -> Header:
    """A header of the keys of the first rows, in the order of their first use."""
    columns: dict[str, None] = {}
    problems: tuple[Problem, ...] = ()
    for row in islice(found, SAMPLE):
        if isinstance(row, Row):
            columns |= dict.fromkeys(row.values)
        if len(columns) > COLUMNS_LIMIT:
            sentence = f"The first rows have more than {COLUMNS_LIMIT} different keys."
            problems = (Problem(0, "header", sentence, "Remove unneeded keys.", blocks=True),)
            break
    return Header(tuple(columns)[:COLUMNS_LIMIT], problems)
