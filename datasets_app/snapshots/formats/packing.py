"""Files by split in one ZIP. Pure except for writing the files."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from lifecycle.runtime.task_types.exports import Entry, Lines, Tally

SPLITS = ("train", "validation", "test")


class Splits:
    """A text file for each split that has rows."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._files: dict[str, IO[str]] = {}

    def __getitem__(self, split: str) -> IO[str]:
        if split not in self._files:
            self._files[split] = self._stack.enter_context(
                (self._folder / split).open("w", encoding="utf-8", newline="")
            )
        return self._files[split]


@contextmanager
def by_split(path: Path, name: str, others: Mapping[str, str] | None = None) -> Iterator[Splits]:
    """Text files by split, packed on exit. name: inside the ZIP, with {split}. others: text of more files, by
    name.
    """
    folder = path.with_suffix(".parts")
    folder.mkdir()
    with ExitStack() as stack:
        yield Splits(folder, stack)
    pack(path, {name.format(split=split): folder / split for split in SPLITS}, others or {})


def pack(path: Path, files: Mapping[str, Path], others: Mapping[str, str]) -> None:
    """Write a ZIP of the existing ones of these files, and of texts."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in others.items():
            packed.writestr(name, text)
        for name, file in files.items():
            if file.exists():
                packed.write(file, name)
                file.unlink()


def write_lines(files: Splits, entries: Iterator[Entry], tally: Tally, lines: Lines) -> None:
    """Write each entry as lines of its split's file."""
    for entry in entries:
        for line in lines(entry, tally):
            files[entry.split].write(line)
            tally.rows += 1
