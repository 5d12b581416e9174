"""Marked parts of a text, each with a class: {"spans": [{"start", "end", "label"}, …]}. Spans may overlap; none is there twice.

Offsets count Unicode code points, as Python does: "👨🏻‍🚒" is four of them. A span holds at least one character and neither begins nor ends
with white space, which token formats could not write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasets_app.labeling.values.parts import DROPPED, Subject, Value, find_class, only_list, refuse

NAME = "spans"
LIMIT = 1_000
KEYS = {"start", "end", "label"}
Part = tuple[int, int, str]


def read(raw: Any, subject: Subject, known: Mapping[str, str]) -> Value:
    """The spans in the order of their places. A span may carry its "text", which has to be what stands there. Raises Refused."""
    found = only_list(raw, NAME)
    if len(found) > LIMIT:
        raise refuse(f"An answer has at most {LIMIT:,} spans; this one has {len(found):,}.")
    return joined(list({checked(each, subject.text, known) for each in found}))


def checked(raw: Any, text: str, known: Mapping[str, str]) -> Part:
    """One span, as (start, end, class). Raises Refused with what stands at its place."""
    if not isinstance(raw, Mapping) or not KEYS <= set(raw) <= KEYS | {"text"}:
        raise refuse("A span is an object with start, end and label.", "Reload the page.")
    start, end = raw["start"], raw["end"]
    if type(start) is not int or type(end) is not int:
        raise refuse(f"Span {str(start)[:20]}–{str(end)[:20]}: start and end are whole numbers of Unicode code points.")
    if not 0 <= start < end <= len(text):
        raise refuse(f"Span {start}–{end} does not lie in the text, which has {len(text):,} characters.", "Count Unicode code points.")
    marked = text[start:end]
    if marked != marked.strip():
        raise refuse(f"Span {start}–{end} begins or ends with white space: {marked!r}.", "Leave it out.")
    if "text" in raw and raw["text"] != marked:
        raise refuse(f"Span {start}–{end} says {str(raw['text'])[:80]!r}, but {marked[:80]!r} stands there.", "Count Unicode code points.")
    return start, end, find_class(raw["label"], known)


def parts(value: Value) -> list[Part]:
    """The spans as (start, end, class)."""
    return [(each["start"], each["end"], each["label"]) for each in value[NAME]]


def class_of(part: Part) -> str:
    """The class of a span."""
    return part[2]


def joined(found: Sequence[Part]) -> Value:
    """These spans, in the order of their places."""
    return {NAME: [{"start": start, "end": end, "label": label} for start, end, label in sorted(found)]}


def renamed(value: Value, names: Mapping[str, str]) -> Value:
    """With the names of the classes; spans that are equal then become one."""
    return joined(list({(start, end, names[label]) for start, end, label in parts(value)}))


def words(value: Value, names: Mapping[str, str], text: str) -> str:
    """What is marked as what."""
    marked = [(f"“{text[start:end]}” " if text else "", names.get(label, DROPPED)) for start, end, label in parts(value)]
    return ", ".join(quoted + name for quoted, name in marked) or "nothing to mark"
