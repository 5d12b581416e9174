"""Propose parsing settings from a file's name and first rows. A person can always override them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

from datasets_app.datasets.importing import readers
from datasets_app.datasets.importing.mapping import names_known
from datasets_app.datasets.importing.readers import DELIMITERS, Reading
from datasets_app.datasets.importing.readers.conll import looks_tagged
from datasets_app.datasets.importing.readers.json_columns import looks_like_columns
from datasets_app.datasets.importing.readers.jsons import Pairs, objects
from datasets_app.datasets.importing.readers.sources import Member
from datasets_app.datasets.importing.readers.texts import PREFIX
from datasets_app.datasets.importing.readers.tools import recognise
from datasets_app.datasets.importing.readers.tools.doccano import is_exported
from lifecycle.runtime.task_types.columns import NAMES, plain_name

CELLS = ("csv", "tsv", "tab")  # endings of tables
TAGGED = ("conll", "iob", "bio")  # endings of files of tagged tokens
SAMPLE = 1 << 16
LOOKED_AT = 20  # objects that are checked for a tool


def propose(path: Path, file_name: str, encoding: str, *, lists: bool = True) -> Reading:
    """Parser, delimiter and header of a text file; of the first file, for an archive.

    lists: whether every object with a text and a list of labels is read as doccano's; else only those that
    doccano certainly wrote: for a task with several labels, a plain list of labels is an annotation, even an
    empty one.
    """
    members = readers.open_source(path).members
    member = members[0]
    raw = member.head(SAMPLE)
    sample = raw.decode(encoding, "ignore").removeprefix("\ufeff")
    if len(raw) == SAMPLE and "\n" in sample:
        sample = sample[: sample.rindex("\n") + 1]
    ending = ending_of(member.name or file_name)
    if (
        ending not in CELLS
        and sample.lstrip().startswith("{")
        and looks_like_columns(sample, whole=len(raw) < SAMPLE)
    ):
        return Reading(encoding, "json_columns", "", has_header=False)
    if parser := parser_without_cells(sample, ending):
        return Reading(
            encoding, tool_of(members, encoding, parser, lists=lists) or parser, "", has_header=False
        )
    delimiter = find_delimiter(sample)
    parser = "tsv" if delimiter == "\t" and not has_valid_quotes(sample) else "csv"
    return Reading(encoding, parser, delimiter, has_header=has_header(sample, delimiter, parser))


def binary_kind(path: Path) -> str:
    """The parser of a binary file, from its first bytes, or those of the first file in an archive. Empty for
    text.
    """
    member = readers.open_source(path).members[0]
    head = member.head(4)
    return {b"PAR1": "parquet", b"PK\x03\x04": "xlsx", b"PK\x05\x06": "xlsx"}.get(head, "")


def is_packed(path: Path) -> bool:
    """Whether the file is binary: an archive, Parquet or Excel."""
    member = readers.open_source(path).members[0]
    return bool(member.packing or binary_kind(path))


def ending_of(file_name: str) -> str:
    """The extension of a file name, ignoring .gz."""
    return file_name.lower().removesuffix(".gz").rpartition(".")[2]


def parser_without_cells(sample: str, ending: str) -> str:
    """json, jsonl, fasttext, conll or txt, by the sample or the file name; empty for cells with a
    delimiter.
    """
    text = sample.lstrip()
    if ending not in CELLS:
        if text.startswith("["):
            return "json"
        if text.startswith("{") or ending in ("jsonl", "ndjson", "json"):
            return "jsonl"
        if text.startswith(PREFIX) or ending == "ft":
            return "fasttext"
        if ending in TAGGED or looks_tagged(sample):
            return "conll"
    return "txt" if ending == "txt" and not has_cells(sample) else ""


def tool_of(members: Sequence[Member], encoding: str, parser: str, *, lists: bool) -> str:
    """The labeling tool that wrote the first objects of a JSON file, or the empty text. lists: as in
    `propose`.
    """
    if parser not in ("json", "jsonl"):
        return ""
    first = islice(objects(members[0], encoding, as_list=parser == "json"), LOOKED_AT)
    known = ((found, tool) for _, found in first if isinstance(found, Pairs) and (tool := recognise(found)))
    return next(
        (tool for found, tool in known if tool != "doccano" or lists or is_exported(found, members)), ""
    )


def has_cells(sample: str) -> bool:
    """Whether a .txt file is a table: most lines divided by tabs, or a first row that names columns."""
    delimiter = find_delimiter(sample)
    if delimiter == "\t" and "\t" in sample:
        return True
    rows = rows_of(sample, delimiter)
    names = {plain_name(cell) for cell in rows[0]} if rows else set()
    return any(known in names for role in NAMES.values() for known in role) and (len(rows[0]) > 1)


def rows_of(sample: str, delimiter: str, *, parser: str = "csv", strict: bool = False) -> list[list[str]]:
    """The rows of a sample, without blank ones, up to the first error. strict: raise csv.Error instead."""
    quoting: Literal[0, 3] = csv.QUOTE_NONE if parser == "tsv" else csv.QUOTE_MINIMAL
    rows: list[list[str]] = []
    try:
        for row in csv.reader(
            io.StringIO(sample, newline=""), delimiter=delimiter, quoting=quoting, strict=strict
        ):
            if row:
                rows.append(row)
    except csv.Error:
        if strict:
            raise
    return rows


def find_delimiter(sample: str) -> str:
    """The delimiter under which most rows have the same number of cells, more than one; a comma for a single
    column.
    """

    def fit(delimiter: str) -> tuple[float, int]:
        widths = Counter(len(row) for row in rows_of(sample, delimiter))
        width, count = max(
            ((w, c) for w, c in widths.items() if w > 1), key=lambda pair: pair[1], default=(0, 0)
        )
        return count / max(1, widths.total()), width

    best = max(DELIMITERS, key=fit)
    return best if fit(best)[0] >= 0.5 else ","


def has_valid_quotes(sample: str) -> bool:
    """Whether a tab-separated sample has quoted cells and parses without errors."""
    try:
        rows = rows_of(sample, "\t", strict=True)
    except csv.Error:
        return False
    quoted = sample.startswith('"') or '\t"' in sample or '\n"' in sample
    return quoted and len({len(row) for row in rows}) == 1


def counts_rows(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first column is a pandas index: no name, then row numbers."""
    below = [row[0] for row in rows[1:] if row]
    start = int(below[0]) if below and below[0] in ("0", "1") else -1
    return (
        len(rows[0]) > 1
        and not rows[0][0].strip()
        and start >= 0
        and below == [str(start + at) for at in range(len(below))]
    )


def has_header(sample: str, delimiter: str, parser: str) -> bool:
    """Whether the first row looks like column names: one is known, or all are short, unique and unlike the
    cells below.
    """
    rows = rows_of(sample, delimiter, parser=parser)
    if not rows:
        return True
    first = [cell.strip() for cell in rows[0]]
    if names_known(first):
        return True
    if counts_rows(rows):
        first, rows = first[1:], [row[1:] for row in rows]
    if len(set(first)) < len(first) or any(
        len(cell) > 40 or cell.count(" ") > 3 or cell[-1:] in ".?!" for cell in first
    ):
        return False
    below = {cell for row in rows[1:] for cell in row}
    return not any(cell in below or cell.replace(".", "").isdigit() or not cell for cell in first)
