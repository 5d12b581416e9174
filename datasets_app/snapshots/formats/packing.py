"""Files by split in one ZIP, and JSON lines with what stands beside a text. Pure but for writing the files."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from datasets_app.snapshots.formats.entries import About, Entry, Tally

SPLITS = ("train", "validation", "test")
Object = dict[str, Any]
Made = Callable[[Entry, Tally], Object | list[Object] | None]


class Splits:
    """A text file for each split that has rows."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._files: dict[str, IO[str]] = {}

    def __getitem__(self, split: str) -> IO[str]:
        if split not in self._files:
            self._files[split] = self._stack.enter_context((self._folder / split).open("w", encoding="utf-8", newline=""))
        return self._files[split]


@contextmanager
def by_split(path: Path, name: str, others: Mapping[str, str] | None = None) -> Iterator[Splits]:
    """Files that are packed when they are whole. name: inside the ZIP, with {split}. others: more files, by name, with their text."""
    folder = path.with_suffix(".parts")
    folder.mkdir()
    with ExitStack() as stack:
        yield Splits(folder, stack)
    pack(path, {name.format(split=split): folder / split for split in SPLITS}, others or {})


def pack(path: Path, files: Mapping[str, Path], others: Mapping[str, str]) -> None:
    """A ZIP of those of these files that exist, and of texts."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in others.items():
            packed.writestr(name, text)
        for name, file in files.items():
            if file.exists():
                packed.write(file, name)
                file.unlink()


def json_lines(made: Made) -> Callable[[Path, Iterator[Entry], Tally, About], None]:
    """A writer of one object a line, a file for each split. made: the object of a row, several, or None where it has none."""

    def write(path: Path, entries: Iterator[Entry], tally: Tally, about: About) -> None:
        with by_split(path, "{split}.jsonl") as files:
            write_lines(files, entries, tally, made)

    return write


def write_lines(files: Splits, entries: Iterator[Entry], tally: Tally, made: Made) -> None:
    """Each row's object with what stands beside it."""
    for entry in entries:
        found = made(entry, tally)
        for each in found if isinstance(found, list) else [] if found is None else [found]:
            files[entry.split].write(json.dumps(each | beside(entry, each, tally), ensure_ascii=False) + "\n")
            tally.rows += 1


def beside(entry: Entry, taken: Object, tally: Tally) -> Object:
    """Id, group, time and metadata of a row, under names that are not taken."""
    known = {name: value for name, value in (("id", entry.id), ("group", entry.group), ("time", entry.time)) if value}
    rest = {name: cell for name, cell in entry.metadata.items() if not is_inside(name, taken)}
    more = {name: structure(cell) for name, cell in rest.items() if name not in taken and name not in known}
    tally.losses["keys"] += len(rest) - len(more)
    return known | more


def is_inside(name: str, taken: Object) -> bool:
    """Whether a dotted name already stands inside the object."""
    head, _, rest = name.partition(".")
    inner = taken.get(head)
    return isinstance(inner, dict) and rest in inner


def structure(cell: str) -> Any:
    """A list or an object that was kept as JSON text, where it is written in no other way; any other text as it is."""
    if cell[:1] not in ("[", "{"):
        return cell
    try:
        found = json.loads(cell, parse_constant=no_number)
    except (ValueError, RecursionError):
        return cell
    return found if json.dumps(found, ensure_ascii=False) == cell else cell


def no_number(word: str) -> None:
    """NaN and Infinity are no JSON. Raises ValueError."""
    raise ValueError(word)
