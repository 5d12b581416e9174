"""What a person or a script reads: results on stdout, as text or as JSON; everything on the way on stderr."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from io import TextIOWrapper
from typing import Any

from lifecycle.cli.errors import Usage


class Screen:
    """as_json: results are JSON documents, refusals too; progress is not shown unless stderr is a terminal.

    field: of a result only this one is shown, such as number or counts.rows.
    """

    def __init__(self, *, as_json: bool, field: str = "") -> None:
        self.as_json, self.field = as_json, field
        for stream in (sys.stdout, sys.stderr):  # a terminal that has no such letter shows another in its place
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="replace")
        self._live = sys.stderr.isatty() and os.environ.get("TERM", "") != "dumb"
        self._open, self._milestone = False, ""

    def show(self, value: Any, *lines: str) -> None:
        """The result: the value for scripts, the lines for people."""
        self.close()
        if self.field:
            print(picked(value, self.field))
            return
        ascii_only = str(sys.stdout.encoding or "utf-8").lower() not in ("utf-8", "utf8")  # JSON loses no letter either way
        print(document(value, indent=2, ascii_only=ascii_only) if self.as_json else safe("\n".join(lines)))

    def tell(self, text: str) -> None:
        """A sentence on the way."""
        self.close()
        if not self.as_json:
            print(safe(text), file=sys.stderr)

    def live(self, text: str, milestone: str) -> None:
        """One line that is rewritten in place; where stderr is no terminal a line of its own whenever the milestone is another."""
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{plain(text)[:width]}", end="", file=sys.stderr, flush=True)
            self._open = True
        elif milestone != self._milestone and not self.as_json:
            print(plain(text), file=sys.stderr, flush=True)
        self._milestone = milestone

    def close(self) -> None:
        """End the line that is rewritten, so that what follows begins on a new one."""
        if self._open:
            print(file=sys.stderr)
        self._open = False

    def refuse(self, code: str, message: str, fields: dict[str, list[str]]) -> None:
        """Why it was not done."""
        self.close()
        if self.as_json:
            print(document({"code": code, "message": message, "fields": fields}), file=sys.stderr)
            return
        print(plain(message), file=sys.stderr)
        for name, texts in fields.items():
            print(plain(f"  {name}: {' '.join(texts)}" if name != "non_field_errors" else f"  {' '.join(texts)}"), file=sys.stderr)


def picked(value: Any, field: str) -> str:
    """One field of a result, as a script takes it: texts as they are, all else as JSON. Raises Usage where it is not there."""
    for name in field.split("."):
        if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, dict) and name in value:
            value = value[name]
        else:
            known = ", ".join(value) if isinstance(value, dict) else f"{len(value)} rows" if isinstance(value, list) else "nothing in it"
            raise Usage(f"It was done, but its result has no field {name}: it has {known}.")
    return plain(value) if isinstance(value, str) else document(value, ascii_only=True)


def document(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """JSON in which what cannot be seen is escaped: a program reads the same, and a terminal is not steered by a text from the server."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    return re.sub(r"[^\n -~]", lambda found: found[0] if found[0].isprintable() else escaped(found[0]), text)


def escaped(letter: str) -> str:
    """A letter as JSON escapes it: \\u009b, or two of them for one beyond the first plane."""
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines with aligned columns; numbers to the right."""
    cells = [[plain(cell) for cell in row] for row in rows]
    right = [bool(cells) and all(is_number(row[at]) for row in cells) for at in range(len(heads))]
    widths = [max(len(head), *(len(row[at]) for row in cells)) if cells else len(head) for at, head in enumerate(heads)]
    return [
        "  ".join(cell.rjust(width) if flush else cell.ljust(width) for cell, width, flush in zip(row, widths, right, strict=True)).rstrip()
        for row in [list(heads), *cells]
    ]


def facts(rows: Iterable[tuple[str, object]]) -> list[str]:
    """Lines of a name and what it is; empty ones are left out."""
    found = [(name, plain(value)) for name, value in rows if value not in (None, "", [])]
    width = max((len(name) for name, _ in found), default=0)
    return [f"{name.ljust(width)}  {value}" for name, value in found]


def plain(value: object) -> str:
    """A cell without anything that moves the cursor: a text from the server cannot write over the screen."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = "–" if value is None else str(value)
    return "".join(letter if letter.isprintable() else " " for letter in text)


def safe(lines: str) -> str:
    """Lines of which each is plain."""
    return "\n".join(plain(line) for line in lines.split("\n"))


def is_number(text: str) -> bool:
    """Whether a cell is a figure, or stands for one that is not there."""
    return text == "–" or text.replace(",", "").replace(".", "", 1).replace("%", "").strip().lstrip("-+").isdecimal()


def seconds(value: float | None) -> str:
    """A span of time in two units at most; empty when it is not known."""
    if value is None:
        return ""
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(text: str | None) -> str:
    """A time of the server to the minute, UTC, as it is written there."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).strftime("%Y-%m-%d %H:%M") if text else "–"


def count(number: int, noun: str) -> str:
    """1 row, 1,204 rows."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 1 as percent."""
    return "–" if share is None else f"{share * 100:.{digits}f} %"
