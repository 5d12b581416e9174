"""Output: results on stdout as text or JSON, progress and messages on stderr."""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from io import TextIOWrapper
from typing import Any, NamedTuple

from lifecycle.runtime.cli.errors import Usage

DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


class Table(NamedTuple):
    """Rows under heads, or without heads names and what they are. Laid out by rich, which is loaded only
    then.
    """

    heads: Sequence[str]
    rows: list[tuple[object, ...]]


class Screen:
    """as_json: results are JSON documents, refusals too; progress is shown only on a terminal.

    field: of a result only this one is shown, such as number or counts.rows.
    """

    def __init__(self, *, as_json: bool, field: str = "") -> None:
        self.as_json, self.field = as_json, field
        for stream in (sys.stdout, sys.stderr):  # a terminal without a character shows a replacement
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="replace")
        self._live = sys.stderr.isatty() and os.environ.get("TERM", "") != "dumb"
        self._status: Any = None
        self._milestone = ""

    def show(self, value: Any, *parts: str | Table) -> None:
        """Print the result: the value for scripts, lines and tables for people."""
        self.close()
        if self.field:
            print(picked(value, self.field))
            return
        # JSON loses no letter either way
        ascii_only = str(sys.stdout.encoding or "utf-8").lower() not in ("utf-8", "utf8")
        if self.as_json:
            print(document(value, indent=2, ascii_only=ascii_only))
        else:
            print(drawn(parts))

    def info(self, *parts: str | Table) -> None:
        """Print a message on stderr; nothing with --json."""
        self.close()
        if not self.as_json:
            print(drawn(parts), file=sys.stderr)

    def live(self, text: str, milestone: str) -> None:
        """A status that changes in place; where stderr is no terminal a line of its own for each
        milestone.
        """
        if self._live:
            self._status = self._status or layout().status()
            self._status.update(layout().Text(plain(text)))
        elif milestone != self._milestone and not self.as_json:
            print(plain(text), file=sys.stderr, flush=True)
        self._milestone = milestone

    def close(self) -> None:
        """End the status."""
        if self._status:
            self._status.stop()
        self._status = None

    def refuse(self, code: str, message: str, fields: dict[str, list[str]] | None = None) -> None:
        """Print an error on stderr, with --json as JSON."""
        self.close()
        if self.as_json:
            print(document({"code": code, "message": message, "fields": fields or {}}), file=sys.stderr)
            return
        print(plain(message), file=sys.stderr)
        for name, texts in (fields or {}).items():
            print(
                plain(
                    f"  {name}: {' '.join(texts)}" if name != "non_field_errors" else f"  {' '.join(texts)}"
                ),
                file=sys.stderr,
            )


def drawn(parts: Sequence[str | Table]) -> str:
    """Lines and tables as they are printed."""
    return "\n".join(safe(part) if isinstance(part, str) else layout().text(part) for part in parts)


def layout() -> Any:
    """The module that draws with rich, which takes as long to load as a small request."""
    return importlib.import_module("lifecycle.runtime.cli.layout")


def picked(value: Any, field: str) -> str:
    """One field of a result, for scripts: texts as they are, all else as JSON. Raises Usage where it is
    missing.
    """
    for name in field.split("."):
        if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, dict) and name in value:
            value = value[name]
        else:
            known = (
                ", ".join(value)
                if isinstance(value, dict)
                else f"{len(value)} rows"
                if isinstance(value, list)
                else "nothing"
            )
            raise Usage(f"Done, but the result has no field {name}. It has: {known}.")
    return plain(value) if isinstance(value, str) else document(value, ascii_only=True)


def document(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """JSON with non-printable characters escaped, so that server text can't control the terminal; it parses
    the same.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    return re.sub(r"[^\n -~]", lambda found: found[0] if found[0].isprintable() else escaped(found[0]), text)


def escaped(letter: str) -> str:
    """A letter as JSON escapes it: \\u009b, or two of them for one beyond the first plane."""
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Aligned columns; numbers to the right."""
    return Table(heads, [tuple(row) for row in rows])


def facts(rows: Iterable[tuple[str, object]]) -> Table:
    """A name and a value a line; empty ones are left out."""
    return Table((), [row for row in rows if row[1] not in (None, "", [])])


def plain(value: object) -> str:
    """A cell without control characters: server text can't move the cursor."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "".join(
        letter if letter.isprintable() else " " for letter in ("–" if value is None else str(value))
    )


def safe(lines: str) -> str:
    """Lines without control characters."""
    return "\n".join(plain(line) for line in lines.split("\n"))


def shown(value: Any) -> str:
    """Format a value of a response for people: times to the minute, numbers with three digits, names of
    objects.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, list):
        return ", ".join(shown(each) for each in value)
    if isinstance(value, dict):
        if "text" in value:
            return f"{value['by']}: {value['text']}" if "by" in value else str(value["text"])
        called = value.get("username") or value.get("name") or value.get("slug")
        return str(called or ", ".join(f"{name} {shown(each)}" for name, each in value.items()))
    return moment(value) if isinstance(value, str) and DATE_TIME.match(value) else plain(value)


def seconds(value: float | None) -> str:
    """A duration in at most two units; empty when unknown."""
    if value is None:
        return ""
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(text: str | None) -> str:
    """A time of the server to the minute, UTC."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).strftime("%Y-%m-%d %H:%M") if text else "–"


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 1 as percent."""
    return "–" if share is None else f"{share * 100:.{digits}f} %"


def figure(value: float | None, digits: int = 3, unit: str = "") -> str:
    """A number with its unit, or a dash where it was not measured."""
    return "–" if value is None else f"{value:,.{digits}f} {unit}".rstrip()
