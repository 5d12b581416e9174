"""fastText: __label__ and the names of classes, then the text, one row a line. Pure but for writing the files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from datasets_app.snapshots.formats.entries import About, Entry, Tally, count_bare
from datasets_app.snapshots.formats.packing import by_split

PREFIX = "__label__"
BREAK = re.compile(r"[\r\n]+")
SPACE = re.compile(r"\s+")


def write(path: Path, entries: Iterator[Entry], tally: Tally, about: About) -> None:
    """A ZIP with a file for each split."""
    with by_split(path, "{split}.ft") as files:
        for entry in entries:
            text = BREAK.sub(" ", entry.text).lstrip()
            if text.startswith(PREFIX):
                tally.losses["like_label"] += 1
                continue
            names = [entry.said] if isinstance(entry.said, str) else entry.said
            files[entry.split].write("".join(f"{PREFIX}{SPACE.sub('_', name)} " for name in names) + text + "\n")
            tally.rows += 1
            tally.losses["breaks"] += text != entry.text
            tally.losses["names"] += any(SPACE.search(name) for name in names)
            tally.losses["no_class"] += not names
            tally.losses["joined"] += bool(entry.content)
            count_bare(entry, tally)
