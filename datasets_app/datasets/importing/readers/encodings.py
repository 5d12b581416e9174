"""The encoding of a text: by its byte order mark, else strict UTF-8, else a person chooses. Never guessed."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import NamedTuple

from datasets_app.datasets.importing.readers.sources import Member, open_source

CHUNK = 1 << 20
ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 with byte order mark",
    "utf-16": "UTF-16 with byte order mark",
    "utf-16-le": "UTF-16, little endian",
    "utf-16-be": "UTF-16, big endian",
    "cp1252": "Windows Western (1252)",
    "iso-8859-1": "Latin 1 (ISO 8859-1)",
    "iso-8859-15": "Latin 9 (ISO 8859-15)",
    "cp1250": "Windows Central European (1250)",
    "cp1251": "Windows Cyrillic (1251)",
    "cp1253": "Windows Greek (1253)",
    "cp1254": "Windows Turkish (1254)",
    "cp850": "DOS Western (850)",
    "mac-roman": "Mac Roman",
    "shift_jis": "Japanese (Shift JIS)",
    "gb18030": "Chinese (GB 18030)",
    "big5": "Chinese (Big5)",
    "euc-kr": "Korean (EUC-KR)",
}
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Misfit(NamedTuple):
    """The first line with invalid bytes. member: the file inside an archive that contains it."""

    line: int
    member: str = ""


def looks_utf16(head: bytes) -> bool:
    """Whether every second byte is mostly NUL, as in Western text in UTF-16 without a mark."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    return bool(head) and (min(even, odd) == 0) and max(even, odd) > len(head) // 4


def find_encoding(path: Path) -> tuple[str, Misfit | None]:
    """The encoding of the file, or of all files of an archive; empty if a person has to choose, with the
    first invalid line.
    """
    found: dict[str, Misfit | None] = {}
    for member in open_source(path).members:
        name, line = encoding_of(member)
        if not name:
            return "", Misfit(line or 1, member.name)
        found.setdefault(name, Misfit(1, member.name))
    if set(found) == {"utf-8", "utf-8-sig"}:
        return "utf-8-sig", None  # it reads both, and drops the mark where there is one
    if len(found) == 1:
        return next(iter(found)), None
    return "", next(misfit for name, misfit in found.items() if name.startswith("utf-16"))


def encoding_of(member: Member) -> tuple[str, int | None]:
    """The encoding by byte order mark, else strict UTF-8, else the empty text. With the first invalid
    line.
    """
    head = member.head(4096)
    marked = next((name for mark, name in MARKS if head.startswith(mark)), "")
    if not marked and looks_utf16(head):
        return "", 1
    name = marked or "utf-8"
    line = first_misfit(member, name)
    return (name if marked or line is None else ""), line


def first_unreadable(path: Path, encoding: str) -> Misfit | None:
    """The first line with invalid bytes for the encoding, or None."""
    for member in open_source(path).members:
        if (line := first_misfit(member, encoding)) is not None:
            return Misfit(line, member.name)
    return None


def first_misfit(member: Member, encoding: str) -> int | None:
    """The first line of one file with invalid bytes for the encoding, or None."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    line = 1
    with member.open() as file:
        while True:
            chunk = file.read(CHUNK)
            try:
                line += decoder.decode(chunk, final=not chunk).count("\n")
            except UnicodeDecodeError as error:
                return line + error.object[: error.start].decode(encoding, "ignore").count("\n")
            if not chunk:
                return None
