"""What may be said of marked parts that a model found. Pure: predictions and reports in, lists for pages out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lifecycle.evaluation.rules import SIDES, Answer, Change, Turned
from lifecycle.task_types.spans.measures import ENTRY, KINDS, Match, SpanPredictions, matches
from lifecycle.task_types.spans.tagging import Found, Span

NAMES = {
    "exact": "Right",
    "boundary": "Right class, other place",
    "class": "Right place, other class",
    "both": "Other place and class",
    "missed": "Missed",
    "invented": "Invented",
}
MEANT = {
    "exact": "place and class are those of a true span",
    "boundary": "it overlaps a true span of its class, and begins or ends elsewhere",
    "class": "it stands exactly on a true span of another class",
    "both": "it overlaps a true span of another class",
    "missed": "a true span on which nothing was found",
    "invented": "found where no true span is",
}
NOTHING = "–"  # in the place of a class where nothing is, or nothing was found


@dataclass(frozen=True, slots=True)
class Kind:
    """How many spans were found in one way. share: of all matches, 0 to 1."""

    name: str
    label: str
    meant: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text. true, found: the class of the span that it is a part of, "" where it is of none."""

    text: str
    true: str = ""
    found: str = ""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A true span beside what was found in its place, in words. kind: of KINDS. confidence: None where nothing was found."""

    kind: str
    true: str
    true_text: str
    found: str
    found_text: str
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Marks:
    """One item's spans. item: its digest."""

    item: str
    true: tuple[Span, ...]
    found: tuple[Found, ...]
    matches: tuple[Match, ...]

    @property
    def wrong(self) -> int:
        """Matches that are not right."""
        return sum(each.kind != "exact" for each in self.matches)


def kinds(report: Mapping[str, Any]) -> list[Kind]:
    """In the order of KINDS."""
    total = sum(report["kinds"].values()) or 1
    return [Kind(name, NAMES[name], MEANT[name], report["kinds"][name], report["kinds"][name] / total) for name in KINDS]


def every(predictions: SpanPredictions) -> list[Marks]:
    """One an item, in the order of the file."""
    rows = zip(predictions.ids, predictions.truth, predictions.found, strict=True)
    return [Marks(item, true, found, tuple(matches(true, found))) for item, true, found in rows]


def pieces(text: str, marks: Marks, labels: Sequence[str]) -> list[Piece]:
    """The text cut where a true or found span begins or ends; joined together they are the text."""
    found = [each.span for each in marks.found]
    cuts = sorted({0, len(text), *(at for start, end, _ in (*marks.true, *found) for at in (start, end) if at <= len(text))})

    def at(spans: Sequence[Span], start: int) -> str:
        return next((labels[label] for first, last, label in spans if first <= start < last), "")

    return [Piece(text[start:end], at(marks.true, start), at(found, start)) for start, end in zip(cuts, cuts[1:], strict=False)]


def mistakes(text: str, marks: Marks, labels: Sequence[str]) -> list[Mistake]:
    """Every match of an item in words, in the order of places."""
    return [
        Mistake(
            match.kind,
            labels[match.true[2]] if match.true else "",
            text[match.true[0] : match.true[1]] if match.true else "",
            labels[match.found.label] if match.found else "",
            text[match.found.start : match.found.end] if match.found else "",
            match.found.confidence if match.found else None,
        )
        for match in marks.matches
    ]


def matrix(report: Mapping[str, Any]) -> tuple[list[str], list[list[int]]]:
    """Classes, and behind them NOTHING, with the counts of the confusion."""
    return [*report["confusion"]["labels"], NOTHING], report["confusion"]["counts"]


def shared(first: SpanPredictions, second: SpanPredictions) -> Iterator[tuple[str, set[Span], set[Span], set[Span]]]:
    """(item, true, found by the first, found by the second) of the items that both answered with the same truth; classes by number in the
    first."""
    theirs = {item: row for row, item in enumerate(second.ids)}
    other = ENTRY.under(second, first.labels)
    for row, item in enumerate(first.ids):
        at = theirs.get(item)
        if at is not None and set(other.truth[at]) == set(first.truth[row]):
            yield item, set(first.truth[row]), {each.span for each in first.found[row]}, {each.span for each in other.found[at]}


def quoted(change: Change, text: str) -> Change:
    """With the words of each span in the place of its numbers."""
    return replace(
        change, true=in_words(change.true, text), first=in_words(change.first, text), second=in_words(change.second, text)
    )  # fmt: skip


def in_words(names: Sequence[str], text: str) -> tuple[str, ...]:
    """Spans as `placed` names them, with their words in the place of their numbers."""
    found = []
    for name in names:
        label, _, place = name.rpartition(" ")
        start, _, end = place.partition("–")
        found.append(quote(text, int(start), int(end), label))
    return tuple(found)


def quote(text: str, start: int, end: int, label: str) -> str:
    """A part of a text with its class."""
    return f"“{text[start:end]}” {label}"


def placed(spans: Iterable[Span], labels: Sequence[str]) -> tuple[str, ...]:
    """Class and place of each span, in order."""
    return tuple(f"{labels[label]} {start}–{end}" for start, end, label in sorted(spans))


def answers(predictions: SpanPredictions) -> Iterator[Answer]:
    """One an item. confidence: of the least sure span that was found, 0 where there is none."""
    for each in every(predictions):
        found = placed((one.span for one in each.found), predictions.labels)
        sure = min((one.confidence for one in each.found), default=0.0)
        yield Answer(each.item, placed(each.true, predictions.labels), found, sure, 0.0)


def turned_by_class(first: SpanPredictions, second: SpanPredictions) -> dict[str, Turned]:
    """Of each class the texts in which only the second, only the first, has all its spans right and none too many."""
    found: dict[str, Turned] = {label: {} for label in first.labels}
    for item, truth, mine, new in shared(first, second):
        for number, label in enumerate(first.labels):
            before, after = ({s for s in some if s[2] == number} == {s for s in truth if s[2] == number} for some in (mine, new))
            if before != after:
                found[label][item] = SIDES["broken" if before else "fixed"]
    return found


def changes(first: SpanPredictions, second: SpanPredictions) -> list[Change]:
    """Items in which the two found different spans, with the same truth: broken (only the first has every span right), fixed, other."""
    found = []
    for item, truth, mine, new in shared(first, second):
        if mine != new:
            kind = "fixed" if new == truth else "broken" if mine == truth else "other"
            found.append(Change(item, placed(truth, first.labels), placed(mine, first.labels), placed(new, first.labels), kind))
    return sorted(found, key=lambda change: (("broken", "fixed", "other").index(change.kind), change.item))
