"""Marked spans as CoNLL in IOB2: a token and its tag a line, a blank line after each text. Pure but for writing the files.

The format keeps no spacing, no ids, no blanks in names of classes (they become _) and no overlapping spans: of two that overlap the longer
one stays, and the other is counted.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

SPACE = re.compile(r"\s+")
Span = tuple[int, int, str]


def write(path: Path, rows: Iterator[tuple[str, str, Sequence[Mapping[str, Any]]]], folder: Path) -> tuple[int, int]:
    """A ZIP with a file for each split. rows: (split, text, spans). folder: for what is not packed yet. Returns rows and spans left out."""
    count = dropped = 0
    with ExitStack() as stack:
        files: dict[str, Any] = {}
        for split, text, spans in rows:
            if split not in files:
                files[split] = stack.enter_context((folder / f"{split}.conll").open("w", encoding="utf-8"))
            kept = without_overlap([(each["start"], each["end"], each["label"]) for each in spans])
            files[split].writelines(f"{word}\t{tag}\n" for word, tag in tagged(text, kept))
            files[split].write("\n")
            count += 1
            dropped += len(spans) - len(kept)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for split in sorted(files):
            packed.write(folder / f"{split}.conll", f"{split}.conll")
    return count, dropped


def without_overlap(spans: Sequence[Span]) -> list[Span]:
    """The spans in order without those that overlap a longer one, or one of the same length before them."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda each: (each[0] - each[1], each)):
        if all(span[1] <= other[0] or other[1] <= span[0] for other in kept):
            kept.append(span)
    return sorted(kept)


def tagged(text: str, spans: Sequence[Span]) -> Iterator[tuple[str, str]]:
    """(token, IOB2 tag) of a text: runs without white space, cut where a span begins or ends within one. spans: in order, apart."""
    cuts = sorted({0, len(text), *(at for start, end, _ in spans for at in (start, end))})
    inside = {start: (end, label) for start, end, label in spans}
    for start, end in zip(cuts, cuts[1:], strict=False):
        label = next((each[2] for each in spans if each[0] <= start and end <= each[1]), "")
        fresh = start in inside
        for word in SPACE.split(text[start:end]):
            if word:
                yield word, f"{'B' if fresh else 'I'}-{SPACE.sub('_', label)}" if label else "O"
                fresh = False
