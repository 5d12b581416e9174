"""Annotations of spans in a text, each with a label: {"spans": [{"start", "end", "label"}, …]}, by place.
Spans may overlap; no duplicates.

Offsets count Unicode code points, as in Python: "👨🏻‍🚒" is four of them. A span has at least one character
and doesn't start or end with white space, which token formats can't represent.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from lifecycle.runtime.task_types.answers import (
    DROPPED,
    BadAnswer,
    ItemContent,
    LabelAnswers,
    Labels,
    Part,
    Read,
    Value,
    listed,
)
from lifecycle.runtime.task_types.inputs import BadInput, Cell, clean, loaded
from lifecycle.runtime.task_types.spans.tags import TAG, spans_of

LIMIT = 1_000  # per text
KEYS = {"start", "end", "label"}
UNITS = "Count Unicode code points."
Place = tuple[int, int, str]  # start, end, label


class SpanAnswers(LabelAnswers):
    """Spans by place."""

    name = "spans"
    coefficients = ("percent", "span_f1", "span_f1_overlap")

    def parse(self, raw: Any, item: ItemContent, labels: Labels) -> Value:
        """The spans without duplicates. A span's optional "text" must match the item at its place."""
        found = listed(raw, self.name)
        check_count(found)
        return self.join(checked(each, item.text, labels) for each in found)

    def from_cell(self, cell: Cell, item: ItemContent, read: Read = clean) -> Any:
        """Spans as lists or objects, with offsets in any unit; or tags of space-separated tokens."""
        if cell.is_empty:
            return None
        text = cell.text.strip()
        found = tagged(text, item.text) if text.startswith('["') else marked(text, item.text)
        names = {label: read(label) for label in sorted({label for _, _, label in found})}
        return self.join((start, end, names[label]) for start, end, label in found if names[label])

    def parts(self, value: Value) -> list[Part]:
        """The spans as (start, end, label)."""
        return [(each["start"], each["end"], each["label"]) for each in value[self.name]]

    def join(self, parts: Iterable[Any]) -> Value:
        """The spans in the order of their places."""
        return {
            self.name: [
                {"start": start, "end": end, "label": label} for start, end, label in sorted(set(parts))
            ]
        }

    def label_of(self, part: Any) -> str:
        """The label of a span."""
        return str(part[2])

    def relabel(self, part: Any, label: Any) -> Part:
        """The same place."""
        return (*part[:2], label)

    def words(self, value: Value, names: Mapping[str, str], text: str = "") -> str:
        """The spans with their labels; quoted if the text is given."""
        places = (
            (each["start"], each["end"], names.get(each["label"], DROPPED)) for each in value[self.name]
        )
        return (
            ", ".join((f"“{text[start:end]}” " if text else "") + name for start, end, name in places)
            or "no spans"
        )


def check_count(found: Sequence[Any]) -> None:
    """Raise BadAnswer for too many spans."""
    if len(found) > LIMIT:
        raise BadAnswer(
            "too_many_spans", f"An annotation has at most {LIMIT:,} spans; this one has {len(found):,}."
        )


def checked(raw: Any, text: str, labels: Labels) -> Place:
    """One span. Raises BadAnswer, with the text at its place."""
    if not isinstance(raw, Mapping) or not KEYS <= set(raw) <= KEYS | {"text"}:
        raise BadAnswer("span", "A span is an object with start, end, and label.", "Reload the page.")
    start, end = raw["start"], raw["end"]
    if type(start) is not int or type(end) is not int:
        raise BadAnswer(
            "offsets", f"Span {str(start)[:20]}–{str(end)[:20]}: start and end must be whole numbers.", UNITS
        )
    if not 0 <= start < end <= len(text):
        raise outside(start, end, text)
    inner = text[start:end]
    if inner != inner.strip():
        raise BadAnswer(
            "white_space",
            f"Span {start}–{end} starts or ends with white space: {inner!r}.",
            "Leave the white space out.",
        )
    check_words(start, end, inner, raw.get("text", inner))
    return start, end, labels.resolve(raw["label"])


def outside(start: int, end: int, text: str) -> BadAnswer:
    """The error for a span outside the text."""
    return BadAnswer(
        "outside", f"Span {start}–{end} isn't in the text, which has {len(text):,} characters.", UNITS
    )


def check_words(start: int, end: int, there: str, words: Any) -> None:
    """Raise BadAnswer if a span's text doesn't match the item."""
    if words != there:
        message = (
            f"Span {start}–{end} has the text {str(words)[:80]!r}, but the item has {there[:80]!r} there."
        )
        raise BadAnswer("other_text", message, UNITS)


# ── Cells ───────────────────────────────────────────────────────────────────
class Raw(NamedTuple):
    """A span with the file's offsets. words: its text, if the file has it."""

    start: int
    end: int
    label: str
    words: str | None


def marked(cell: str, text: str) -> list[Place]:
    """Spans: [[start, end, label], …], or objects with start (start_offset), end (end_offset), label (labels:
    [one]), and text.

    If every span has its text and the offsets don't match, they are read as UTF-16 units, then as grapheme
    clusters, then with each line end as one character, as in an exported sheet. White space around a span is
    trimmed. Raises BadInput.
    """
    raw = loaded(cell, "spans")
    if not isinstance(raw, list):
        raise BadAnswer("shape", "The spans must be a list.", "Write them as [[start, end, label], …].")
    check_count(raw)
    spans = [one_span(each) for each in raw]
    units: Sequence[int] = range(len(text) + 1)
    if spans and all(each.words is not None for each in spans):
        ways = (units, utf16(text), graphemes(text), line_ends(text))
        units = next((way for way in ways if all(fits(each, way, text) for each in spans)), units)
    return [resolved(each, units, text) for each in spans]


def one_span(raw: Any) -> Raw:
    """A span in any of these formats. Raises BadAnswer."""
    if isinstance(raw, list) and len(raw) == 3:
        start, end, label, words = raw[0], raw[1], raw[2], None
    elif isinstance(raw, dict):
        start, end = raw.get("start", raw.get("start_offset")), raw.get("end", raw.get("end_offset"))
        label, words = raw.get("label", raw.get("labels")), raw.get("text")
    else:
        raise BadAnswer("span", "A span must be [start, end, label] or an object.")
    if isinstance(label, list) and len(label) == 1:
        label = label[0]
    start, end = (
        int(each) if isinstance(each, str) and each.isdecimal() and len(each) < 10 else each
        for each in (start, end)
    )
    if type(start) is not int or type(end) is not int or not isinstance(label, str) or not label.strip():
        raise BadAnswer("span", "A span needs a start, an end, and a label.")
    return Raw(start, end, clean(label), words if isinstance(words, str) else None)


def utf16(text: str) -> list[int]:
    """The code point at each UTF-16 unit, -1 within a pair."""
    found: list[int] = []
    for at, character in enumerate(text):
        found += [at] if ord(character) < 0x10000 else [at, -1]
    return [*found, len(text)]


def graphemes(text: str) -> list[int]:
    """The code point at each approximate grapheme cluster: marks, joined emoji, and modifiers stay with the
    character before them.
    """
    found: list[int] = []
    for at, character in enumerate(text):
        joins = at > 0 and (
            unicodedata.category(character) in ("Mn", "Me", "Mc")
            or character == "\u200d"
            or text[at - 1] == "\u200d"
            or 0x1F3FB <= ord(character) <= 0x1F3FF
            or (text[at - 1] == "\r" and character == "\n")
        )
        if not joins:
            found.append(at)
    return [*found, len(text)]


def line_ends(text: str) -> list[int]:
    """The code point at each character, with a carriage return and its line feed as one."""
    return [at for at in range(len(text) + 1) if text[at - 1 : at + 1] != "\r\n"]


def fits(span: Raw, units: Sequence[int], text: str) -> bool:
    """Whether the text of a span is at its place, counted in these units."""
    return 0 <= span.start < span.end < len(units) and text[units[span.start] : units[span.end]] == span.words


def resolved(span: Raw, units: Sequence[int], text: str) -> Place:
    """A span in code points, trimmed. Raises BadAnswer."""
    if not 0 <= span.start < span.end < len(units) or -1 in (units[span.start], units[span.end]):
        raise outside(span.start, span.end, text)
    there = text[units[span.start] : units[span.end]]
    check_words(span.start, span.end, there, there if span.words is None else span.words)
    inner = there.strip()
    if not inner:
        raise BadAnswer("white_space", f"Span {span.start}–{span.end} is only white space.", "Remove it.")
    first = units[span.start] + len(there) - len(there.lstrip())
    return first, first + len(inner), span.label


def tagged(cell: str, text: str) -> list[Place]:
    """Token tags such as O and B-PER, from a JSON list; text: the tokens separated by spaces. Raises
    BadInput.
    """
    tags, tokens = loaded(cell, "tags"), text.split(" ")
    if len(tags) != len(tokens) or not all(isinstance(each, str) and TAG.fullmatch(each) for each in tags):
        raise BadAnswer(
            "tags",
            f"There are {len(tags):,} tags such as O or B-PER for {len(tokens):,} tokens.",
            "Write one tag per token.",
        )
    return spans_of(list(zip(tokens, tags, strict=True)))


def tokens_text(cell: str) -> str:
    """Tokens of a JSON list separated by spaces; other text unchanged. Raises BadInput."""
    if not cell.startswith('["'):
        return cell
    try:
        tokens = loaded(cell, "tokens")
    except BadInput as error:
        if error.code == "not_json":
            return cell
        raise
    if not isinstance(tokens, list) or not all(isinstance(each, str) and each.strip() for each in tokens):
        raise BadAnswer("tokens", "The tokens must be texts.")
    return " ".join(tokens)
