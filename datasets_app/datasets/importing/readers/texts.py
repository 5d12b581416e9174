"""Plain text, one text a line; and fastText's form of it, with labels in front."""

from __future__ import annotations

from collections.abc import Iterator

from datasets_app.datasets.importing.readers.checks import checked
from datasets_app.datasets.importing.readers.lines import numbered_lines, open_text
from datasets_app.datasets.importing.readers.shapes import Header, Reading, Row
from datasets_app.datasets.importing.readers.sources import Member
from datasets_app.datasets.importing.report import Problem

PREFIX = "__label__"


def header(member: Member, reading: Reading) -> Header:
    """The columns that the format has by itself."""
    return Header(("label", "text") if reading.parser == "fasttext" else ("text",))


def rows(member: Member, reading: Reading) -> Iterator[Row | Problem]:
    """A row for each line that is not blank."""
    with open_text(member, reading.encoding) as file:
        for number, line in numbered_lines(file):
            if isinstance(line, Problem):
                yield line
                continue
            text = line.removesuffix("\n").removesuffix("\r").removeprefix("\ufeff")
            found = labelled(number, text) if reading.parser == "fasttext" else Row(number, {"text": text})
            yield found if isinstance(found, Problem) else checked(found)


def labelled(number: int, line: str) -> Row | Problem:
    """A line of fastText: at most one label, then the text."""
    labels: list[str] = []
    rest = line.lstrip()
    while rest.startswith(PREFIX):
        label, _, rest = rest.partition(" ") if " " in rest else (rest, "", "")
        labels.append(label.removeprefix(PREFIX))
        rest = rest.lstrip()
    if len(labels) > 1:
        return several_labels("Line", number, len(labels))
    return Row(number, {"label": labels[0] if labels else "", "text": rest})


def several_labels(where: str, number: int, count: int) -> Problem:
    """A row that has more labels than a dataset with one label per text can keep."""
    sentence = f"{where} {number:,} has {count:,} labels; a dataset with one label per text takes one."
    return Problem(number, "labels", sentence, "Keep the one that matters most, or bring the text without a label.")
