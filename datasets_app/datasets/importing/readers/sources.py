"""The bytes to read: a file, the content of a gzip file, or the files of a ZIP archive, which count as one
logical file.
"""

from __future__ import annotations

import gzip
import io
import re
import shutil
import stat
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, cast

import yaml

from datasets_app.datasets.importing.readers.watching import Watched

CHUNK = 1 << 20
# the bytes before a packed file; they end in the lengths of two more fields
LOCAL_HEADER, LENGTHS = 30, struct.Struct("<HH")
CARD_LIMIT = 1_000_000  # bytes of a README that are read
WORKBOOK = "xl/workbook.xml"
# Files next to the data that aren't data: read-me files, licences, lists of classes, system files.
COMPANIONS = re.compile(
    r"(^|/)(\.[^/]*|__MACOSX(/.*)?|(readme|licen[cs]e|copying)[^/]*"
    r"|(classes|labels|categories|label_names)\.(txt|json)|(dataset_infos?|dataset_dict|state|config|metadata)\.json|Thumbs\.db"
    r"|[^/]*config[^/]*\.xml|[^/]*\.(md|rst|ya?ml|py|lock|bib))$",
    re.IGNORECASE,
)
CONFIG = re.compile(r"(^|/)[^/.]*config[^/]*\.xml$", re.IGNORECASE)
SPLIT_NAMES = re.compile(
    r"(?:^|[/_.-])(train|training|validation|valid|val|dev|test)(?=[/_.-]|$)", re.IGNORECASE
)
Names = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Member:
    """One file to be read. packing: empty, gz or zip. name: of a file inside an archive, as shown; entry: its
    row in the archive's directory. split: from its name.
    """

    path: Path
    packing: str = ""
    name: str = ""
    entry: zipfile.ZipInfo | None = None
    split: str = ""

    @contextmanager
    def open(self) -> Iterator[Watched]:
        """Its unpacked bytes, as a watched stream."""
        if self.entry:
            with self.path.open("rb") as archive, unpacked(archive, self.entry) as file:
                yield Watched(file)
        elif self.packing == "gz":
            with gzip.open(self.path, "rb") as packed:
                yield Watched(packed)  # type: ignore[arg-type]
        else:
            with self.path.open("rb") as plain:
                yield Watched(plain)

    @contextmanager
    def local(self) -> Iterator[Path]:
        """A path with its unpacked bytes, for formats that need random access."""
        if not self.packing:
            yield self.path
            return
        with tempfile.NamedTemporaryFile(prefix="member-") as scratch, self.open() as file:
            shutil.copyfileobj(file, scratch, CHUNK)
            scratch.flush()
            yield Path(scratch.name)

    def head(self, size: int) -> bytes:
        """Its first bytes."""
        with self.open() as file:
            return file.read(size)


def unpacked(archive: IO[bytes], entry: zipfile.ZipInfo) -> IO[bytes]:
    """Open a file inside an archive that was checked on upload. The directory, which may have a thousand
    rows, isn't read again.
    """
    archive.seek(entry.header_offset)
    name, extra = LENGTHS.unpack_from(archive.read(LOCAL_HEADER), LOCAL_HEADER - LENGTHS.size)
    archive.seek(name + extra, io.SEEK_CUR)
    return cast("IO[bytes]", zipfile.ZipExtFile(archive, "r", entry))


@dataclass(frozen=True, slots=True)
class Source:
    """The files to read, in order. names: class names of integer columns, from a data set's card.

    config: the labeling configuration next to them, as XML text.
    """

    members: tuple[Member, ...]
    names: Names = field(default_factory=dict)
    config: str = ""
    ignored: tuple[str, ...] = ()


def open_source(path: Path) -> Source:
    """The files to read in a file that was checked on upload."""
    found = path.stat()
    return read_source(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=32)
def read_source(path: Path, _changed: int, _size: int) -> Source:
    """The members of a file; cached until it changes."""
    with path.open("rb") as file:
        head = file.read(4)
    if head[:2] == b"\x1f\x8b":
        return Source((Member(path, "gz"),))
    if not head.startswith((b"PK\x03\x04", b"PK\x05\x06")) or not zipfile.is_zipfile(path):
        return Source((Member(path),))
    with zipfile.ZipFile(path) as archive:
        entries = [info.filename for info in archive.infolist() if not info.is_dir()]
        if WORKBOOK in entries:
            return Source((Member(path),))
        data = [entry for entry in entries if not COMPANIONS.search(entry)]
        splits = splits_of(data)
        members = tuple(
            Member(path, "zip", shown(entry), archive.getinfo(entry), splits.get(entry, ""))
            for entry in sorted(data, key=order)
        )
        return Source(
            members,
            card_names(archive, entries),
            config_text(archive, entries),
            tuple(shown(entry) for entry in entries if entry not in data),
        )


def splits_of(entries: list[str]) -> dict[str, str]:
    """The split of each file by its name; empty unless every name contains one."""
    found = {entry: words[-1].lower() for entry in entries if (words := SPLIT_NAMES.findall(entry))}
    return found if len(found) == len(entries) else {}


def order(entry: str) -> tuple[int, str]:
    """Train before validation before test, then by name."""
    words = SPLIT_NAMES.findall(entry)
    word = words[-1].lower()[:2] if words else ""
    whole = entry.rpartition("/")[2].lower() == "all.jsonl"  # project-wide files before files per person
    return ({"tr": 0, "va": 1, "de": 1, "te": 2}.get(word, 3 + (not whole)), entry)


def shown(entry: str) -> str:
    """A name inside an archive as it may be shown and kept: printable, its last 200 characters."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in entry
    )[-200:]


def config_text(archive: zipfile.ZipFile, entries: list[str]) -> str:
    """The first labeling configuration next to the data, or empty."""
    entry = next((entry for entry in entries if CONFIG.search(entry)), "")
    if not entry:
        return ""
    with archive.open(entry) as file:
        return file.read(CARD_LIMIT).decode("utf-8-sig", "replace")


def card_names(archive: zipfile.ZipFile, entries: list[str]) -> Names:
    """The class names in the front matter of a Hugging Face card."""
    card = next((entry for entry in entries if entry.lower().rpartition("/")[2] == "readme.md"), "")
    if not card:
        return {}
    with archive.open(card) as file:
        text = file.read(CARD_LIMIT).decode("utf-8", "replace")
    front = re.match(r"---\r?\n(.*?)\r?\n---", text, re.DOTALL)
    try:
        found = plain_yaml(front[1]) if front else None
    except (yaml.YAMLError, RecursionError):
        return {}
    return features_names(found.get("dataset_info") if isinstance(found, dict) else None)


def plain_yaml(text: str) -> object:
    """YAML without aliases, which can expand a few lines to billions. Raises YAMLError."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=loader)):
        raise yaml.YAMLError("It has aliases.")
    return yaml.load(text, Loader=loader)  # noqa: S506 — a safe loader, in C where there is one


def features_names(info: object) -> Names:
    """Class names by column of a dataset_info, or of the first in a list that has any."""
    if isinstance(info, list):
        return next((found for each in info if (found := features_names(each))), {})
    features = info.get("features") if isinstance(info, dict) else None
    names: Names = {}
    for feature in features if isinstance(features, list) else []:
        parts = feature if isinstance(feature, dict) else {}
        dtype = next(
            (parts[name] for name in ("dtype", "sequence", "list") if isinstance(parts.get(name), dict)), None
        )
        classes = dtype.get("class_label") if isinstance(dtype, dict) else None
        listed = classes.get("names") if isinstance(classes, dict) else None
        if isinstance(listed, dict):
            listed = [
                listed[key] for key in sorted(listed, key=lambda key: int(key) if str(key).isdigit() else 0)
            ]
        if (
            isinstance(listed, list)
            and listed
            and all(isinstance(name, str | int | float) for name in listed)
        ):
            names[str(parts.get("name", ""))[:200]] = [str(name) for name in listed]
    return names


def is_link(info: zipfile.ZipInfo) -> bool:
    """Whether an entry is a symbolic link, or anything but a file or folder."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    return kind not in (0, stat.S_IFREG, stat.S_IFDIR)
