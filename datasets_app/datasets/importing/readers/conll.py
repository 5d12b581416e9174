"""CoNLL: one token per line with its tag in the last column, a blank line after each sentence. Tags: IOB1,
IOB2, BIOES or BILOU.

The format has no spacing: a sentence is its tokens joined by blanks, and its spans are offsets into that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from datasets_app.datasets.importing.readers.checks import checked
from datasets_app.datasets.importing.readers.lines import numbered_lines, open_text
from datasets_app.datasets.importing.readers.shapes import Header, Reading, Row
from datasets_app.datasets.importing.readers.sources import Member
from datasets_app.datasets.importing.report import Problem
from lifecycle.runtime.task_types.inputs import TEXT_LIMIT
from lifecycle.runtime.task_types.spans.tags import TAG, spans_of

DOCUMENT = "-DOCSTART-"
TAGGED = re.compile(r"\S.*[ \t](O|[BIESLU]-\S+)[ \t]*")
Token = tuple[int, str, str]  # line, word, tag


def header(member: Member, reading: Reading) -> Header:
    """The fixed columns of the format."""
    return Header(("text", "spans"))


def rows(member: Member, reading: Reading) -> Iterator[Row | Problem]:
    """A row for each sentence, or a Problem if one of its lines isn't a token with a tag."""
    sentence: list[Token] = []
    broken: Problem | None = None
    last = length = 0
    with open_text(member, reading.encoding) as file:
        for number, line in numbered_lines(file):
            text = "" if isinstance(line, Problem) else line.removeprefix("\ufeff").strip(" \t\r\n")
            if number > last + 1 or starts_document(text):  # after blank lines
                yield from ended(sentence, broken)
                sentence, broken, length = [], None, 0
            last = number
            if starts_document(text) or is_remark(text):
                continue
            found = line if isinstance(line, Problem) else token(number, text)
            if isinstance(found, Problem):
                broken = broken or found
            elif not broken:
                sentence.append(found)
                length += len(found[1]) + 1
            if length > TEXT_LIMIT:
                sentence, length = [], 0
                reason = (
                    f"The sentence that starts before line {number:,} has more than {TEXT_LIMIT:,}"
                    " characters."
                )
                broken = Problem(number, "long_text", reason, "Add a blank line after each sentence.")
        yield from ended(sentence, broken)


def starts_document(text: str) -> bool:
    """Whether a line marks the start of a document, as in CoNLL-2003. Without -X- it may be a text's first
    word.
    """
    return text.split()[:2] == [DOCUMENT, "-X-"]


def is_remark(text: str) -> bool:
    """Whether a line is a comment: it starts with a hash and doesn't end in a tag."""
    return text.startswith("#") and not TAG.fullmatch(text.split()[-1])


def token(number: int, text: str) -> Token | Problem:
    """One line: the word in its first column, the tag in its last."""
    parts = text.split("\t") if "\t" in text else text.split()
    word, tag = parts[0].strip(), parts[-1].strip()
    if len(parts) < 2 or not word or not TAG.fullmatch(tag):
        return Problem(
            number,
            "tag",
            f"Line {number:,} isn't a token with a tag such as O or B-PER.",
            "Put the tag in the last column.",
        )
    return number, word, tag


def ended(sentence: list[Token], broken: Problem | None) -> Iterator[Row | Problem]:
    """The row of a sentence, if it has any tokens."""
    if broken:
        yield broken
    elif sentence and [word for _, word, _ in sentence] != [DOCUMENT]:
        spans = json.dumps(spans_of([(word, tag) for _, word, tag in sentence]), ensure_ascii=False)
        yield checked(
            Row(sentence[0][0], {"text": " ".join(word for _, word, _ in sentence), "spans": spans})
        )


def looks_tagged(sample: str) -> bool:
    """Whether nearly every line that is not blank is a token with a tag."""
    lines = [
        line
        for line in sample.splitlines()
        if line.strip() and not line.startswith(DOCUMENT) and not is_remark(line)
    ][:200]
    fitting = sum(bool(TAGGED.fullmatch(line)) for line in lines)
    return (
        len(lines) >= 2
        and fitting >= 0.95 * len(lines)
        and any("-" in line.split()[-1] or "\n\n" in sample for line in lines)
    )
