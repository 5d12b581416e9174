"""Whether a file may be stored: its type, and whether an archive is harmless. Nothing is unpacked to a path
from the archive.
"""

from __future__ import annotations

import gzip
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from datasets_app.datasets.importing.readers.encodings import MARKS, looks_utf16
from datasets_app.datasets.importing.readers.sources import (
    CHUNK,
    COMPANIONS,
    WORKBOOK,
    Member,
    is_link,
    open_source,
    shown,
)

ENTRIES_LIMIT = 1_000
RATIO_LIMIT, RATIO_FROM = 250, 20_000_000  # unpacked bytes per packed byte, checked above RATIO_FROM bytes
WORKBOOK_LIMIT = 400_000_000  # bytes of an unpacked workbook: its shared texts are held in memory
KINDS = {
    "csv": "CSV",
    "tsv": "TSV",
    "tab": "TSV",
    "jsonl": "JSONL",
    "ndjson": "JSONL",
    "json": "JSON",
    "txt": "text",
    "ft": "text",
    "conll": "CoNLL",
    "iob": "CoNLL",
    "bio": "CoNLL",
    "parquet": "Parquet",
    "xlsx": "Excel",
}
PACKED = ("zip", "gz", "tgz", "tar", "bz2", "xz", "7z", "rar", "zst", "jar", "whl")
MAGIC = {
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip file",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"SQLite format 3": "a database",
    b"\x7fELF": "a program",
    b"7z\xbc\xaf": "a 7z archive",
    b"BZh": "a bzip2 file",
    b"\xff\xfe\x00\x00": "a UTF-32 file",
    b"Rar!": "a RAR archive",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
}
DAMAGED = (
    EOFError,
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
READABLE = "CSV, TSV, JSONL, JSON, text, CoNLL, Parquet, or Excel"
SAVE_AS = "Export it as CSV (UTF-8) or JSONL, then upload that file."


class Fault(NamedTuple):
    """Why a file is refused, and what to do."""

    sentence: str
    fix: str


class Unfit(Exception):
    """A file that is refused. Holds the fault."""

    def __init__(self, sentence: str, fix: str) -> None:
        super().__init__(sentence)
        self.fault = Fault(sentence, fix)


def find_fault(path: Path, limit: int) -> Fault | None:
    """Why the file is refused, or None. limit: bytes that an archive may unpack to; it's unpacked completely,
    without storing anything.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    try:
        if head.startswith(b"\x1f\x8b"):
            check_gzip(path, limit)
        elif head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            check_zip(path, path.stat().st_size, limit)
        elif kind := foreign_kind(head):
            raise Unfit(f"This is {kind}, not {READABLE}.", SAVE_AS)
    except Unfit as unfit:
        return unfit.fault
    return None


def foreign_kind(head: bytes) -> str:
    """The type of a file that is neither text nor Parquet, else empty. head: its first bytes."""
    if head.startswith(b"PAR1"):
        return ""
    if kind := next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), ""):
        return kind
    if head[257:262] == b"ustar":
        return "a tar archive"
    if any(head.startswith(mark) for mark, _ in MARKS):
        return ""
    return "a binary file" if head.count(0) > len(head) // 20 and not looks_utf16(head) else ""


def check_gzip(path: Path, limit: int) -> None:
    """Raises Unfit for a gzip file that is damaged, a bomb, or anything but one readable file."""
    inner = Member(path, "gz")
    with refuse_damaged("The gzip file"):
        head = inner.head(4096)
    if head.startswith(b"PK\x03\x04") or head[257:262] == b"ustar" or head.startswith(b"\x1f\x8b"):
        raise Unfit("The gzip file contains another archive.", "Upload the inner file directly.")
    if kind := foreign_kind(head):
        raise Unfit(f"The gzip file contains {kind}, not {READABLE}.", SAVE_AS)
    with refuse_damaged("The gzip file"), gzip.open(path, "rb") as file:
        if not measure(file.read, path.stat().st_size, limit):
            raise Unfit("The gzip file contains an empty file.", "Choose a file with at least one row.")


def check_zip(path: Path, packed: int, limit: int, total: int = 0) -> int:
    """Raises Unfit for an archive, or a workbook, that is damaged, hostile, a bomb, or holds no data of one
    kind.

    packed: bytes of the file that was uploaded, which may hold this workbook; total: bytes unpacked before.
    Returns the new total.
    """
    if count_entries(path) > 2 * ENTRIES_LIMIT:
        raise Unfit(f"The archive has more than {ENTRIES_LIMIT:,} files.", "Put the rows into fewer files.")
    with refuse_damaged("The archive"), zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        if len(infos) > ENTRIES_LIMIT:
            raise Unfit(
                f"The archive has {len(infos):,} files; the limit is {ENTRIES_LIMIT:,}.",
                "Put the rows into fewer files.",
            )
        workbook = any(info.filename == WORKBOOK for info in infos)
        for info in infos:
            check_entry(info)
        if not workbook:
            check_kinds(
                [
                    info.filename
                    for info in infos
                    if not info.is_dir() and not COMPANIONS.search(info.filename)
                ]
            )
        total = check_sizes(archive, infos, packed, limit, total, WORKBOOK_LIMIT if workbook else limit)
    if not workbook:
        for member in open_source(path).members:
            total = check_member(member, packed, limit, total)
    return total


def count_entries(path: Path) -> int:
    """Estimate the number of entries, before the directory is read into memory."""
    count, rest = 0, b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            count += (rest + chunk).count(b"PK\x01\x02")
            rest = chunk[-3:]
    return count


def check_entry(info: zipfile.ZipInfo) -> None:
    """Raises Unfit for an entry that is encrypted, a link, or outside the archive."""
    name = shown(info.filename)
    parts = re.split(r"[/\\]", info.filename)
    if info.flag_bits & 0x1:
        raise Unfit(f"{name} is encrypted.", "Create the archive without a password.")
    if is_link(info):
        raise Unfit(f"{name} is a link, not a file.", "Add the file it points to.")
    if ".." in parts or not parts[0] or re.match(r"[A-Za-z]:", info.filename):
        raise Unfit(f"{name} points outside the archive.", "Use plain file names.")


def check_kinds(entries: list[str]) -> None:
    """Raises Unfit unless the entries are data of one type, without nested archives."""
    if not entries:
        raise Unfit("The archive has no data files.", f"Add {READABLE} files.")
    if len(set(entries)) < len(entries):
        raise Unfit("The archive has two files with the same name.", "Add each file once.")
    kinds: dict[str, str] = {}
    for entry in entries:
        ending = entry.lower().rpartition(".")[2]
        if ending in PACKED:
            raise Unfit(f"{shown(entry)} is an archive inside the archive.", "Add the files themselves.")
        if ending not in KINDS:
            raise Unfit(f"{shown(entry)} isn't {READABLE}.", "Remove it from the archive.")
        kinds.setdefault(KINDS[ending], shown(entry))
    if len(kinds) > 1:
        (first, one), (second, other) = list(kinds.items())[:2]
        raise Unfit(
            f"The archive mixes {first} ({one}) and {second} ({other}).", "Use files of one type only."
        )


def check_sizes(
    archive: zipfile.ZipFile,
    infos: list[zipfile.ZipInfo],
    packed: int,
    limit: int,
    total: int,
    own_limit: int,
) -> int:
    """Raises Unfit if the archive unpacks to too many bytes, whatever its headers state. own_limit: of this
    archive alone.
    """
    most = min(limit, total + own_limit)
    for info in infos:
        if not info.is_dir():
            with archive.open(info) as file:
                total = measure(file.read, packed, most, total)
    return total


def measure(read: Callable[[int], bytes], packed: int, limit: int, total: int = 0) -> int:
    """Count the bytes of a stream in constant memory, and add them to total. Raises Unfit over the limits."""
    for chunk in iter(lambda: read(CHUNK), b""):
        total += len(chunk)
        if total > limit:
            fix = "Split it, or ask your administrator to raise UPLOAD_MAX_MB."
            raise Unfit(f"It expands to more than {limit // 1024**2:,} MB.", fix)
        if total > RATIO_FROM and total > RATIO_LIMIT * packed:
            raise Unfit(f"It expands to more than {RATIO_LIMIT} times its size, so it's rejected.", SAVE_AS)
    return total


def check_member(member: Member, packed: int, limit: int, total: int) -> int:
    """Raises Unfit for a file inside an archive that doesn't match its name. Workbooks count towards the
    archive's limits.
    """
    head = member.head(4096)
    if member.name.lower().endswith(".xlsx") and head.startswith(b"PK"):
        with member.local() as path:
            try:
                return check_zip(path, packed, limit, total)
            except Unfit as unfit:
                raise Unfit(f"{member.name}: {unfit.fault.sentence}", unfit.fault.fix) from unfit
    if kind := foreign_kind(head):
        raise Unfit(f"{member.name} is {kind}.", "Remove it from the archive.")
    return total


@contextmanager
def refuse_damaged(what: str) -> Iterator[None]:
    """Turn errors of unpacking into Unfit."""
    try:
        yield
    except DAMAGED as error:
        raise Unfit(f"{what} is damaged or truncated.", "Create it again and upload it again.") from error
