"""Plain text, one text per line; and fastText's format, with labels in front."""

from __future__ import annotations

import json
from collections.abc import Iterator

from datasets_app.datasets.importing.readers.checks import checked
from datasets_app.datasets.importing.readers.lines import numbered_lines, open_text
from datasets_app.datasets.importing.readers.shapes import Header, Reading, Row
from datasets_app.datasets.importing.readers.sources import Member
from datasets_app.datasets.importing.report import Problem

PREFIX = "__label__"


def header(member: Member, reading: Reading) -> Header:
    """The fixed columns of the format."""
    return Header(("label", "text") if reading.parser == "fasttext" else ("text",))


def rows(member: Member, reading: Reading) -> Iterator[Row | Problem]:
    """A row for each line that is not blank."""
    with open_text(member, reading.encoding) as file:
        for number, line in numbered_lines(file):
            if isinstance(line, Problem):
                yield line
                continue
            text = line.removesuffix("\n").removesuffix("\r").removeprefix("\ufeff")
            yield checked(
                labeled(number, text) if reading.parser == "fasttext" else Row(number, {"text": text})
            )


def labeled(number: int, line: str) -> Row:
    """A line of fastText: its labels, several as a JSON list, then the text."""
    labels: list[str] = []
    rest = line.lstrip()
    while rest.startswith(PREFIX):
        label, _, rest = rest.partition(" ") if " " in rest else (rest, "", "")
        labels.append(label.removeprefix(PREFIX))
        rest = rest.lstrip()
    plain = len(labels) == 1 and not set(labels[0]) & set("|;")
    return Row(
        number,
        {
            "label": labels[0] if plain else json.dumps(labels, ensure_ascii=False) if labels else "",
            "text": rest,
        },
    )
