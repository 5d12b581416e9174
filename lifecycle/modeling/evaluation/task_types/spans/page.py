"""The pages of spans: how they were mistaken, and the texts with both sides in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lifecycle.modeling.evaluation import charts, queries, rules
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.parts import may_read
from lifecycle.modeling.evaluation.rules import Answer, Change
from lifecycle.modeling.evaluation.task_types.page import Line, Note, Read, ReportPage, Says, by_label, line_of, matrix, why
from lifecycle.modeling.evaluation.task_types.spans.rows import ENTRY as ROWS
from lifecycle.modeling.evaluation.task_types.spans.rows import NOTHING, NOTHING_FOUND, SpanRow, answer
from lifecycle.modeling.evaluation.threshold_words import GOALS, Question, Thresholds
from lifecycle.runtime.task_types.spans.measures import KINDS
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count, things
from registry.ground.access.models import User

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
SORTS = {"f1": False, "label": False, "support": True}
FEW = 5  # texts with the surest mistakes on the report itself
MOST = 12  # labels whose confusion is printed; of more the table by label tells

SPANS = Question(
    GOALS, "Precision", "Recall", "Spans kept", "Cost of a wrong span", "Cost of a missed span",
    "Keep a span", "drop it", "Keeping no span costs least.", unit="spans", in_texts=True,
)  # fmt: skip
SPANS_OF_LABEL = replace(SPANS, act="Keep a span of {label}", never="Keeping no span of {label} costs least.")


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
    """A piece of a text. true, found: the label of the span that it is a part of, "" where it is of none."""

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
class SpanLine(Line):
    """A text with its spans. pieces, mistakes: empty without the text. wrong: matches that are not right."""

    pieces: list[Piece]
    mistakes: list[Mistake]
    wrong: int


class SpanThresholds(Thresholds):
    """Of the confidence of a found span, of a label or of any."""

    every = "Any"

    def question(self, label: str) -> Question:
        """Whether a span is kept."""
        return SPANS_OF_LABEL if label else SPANS

    def begin(self, evaluation: Evaluation) -> dict[str, str]:
        """With spans of any label."""
        return {}

    def beside(self, evaluation: Evaluation) -> tuple[str, str]:
        """All spans."""
        return "keeping all that it finds", "All kept"

    def answers(self, evaluation: Evaluation, label: str) -> str:
        """All spans."""
        return "giving every span that it finds"


class SpanPage(ReportPage[SpanRow]):
    """Each figure opens the texts that hold its spans."""

    templates = "spans"
    unit = "text"
    name = "Texts"
    wrong = "A text counts here whose spans are not all right."
    turned = {
        "of": "Spans",
        "meant": "Fixed and broken count texts in which only one of the two has every span of the class right and none too many.",
    }
    says = Says("a span", "Span", "Each span is asked for in its place; its own words are not left out.", "True spans")
    loss = "the mean over its words, or their pieces where spans end within words, of minus the logarithm of the probability of the tag"
    flips = "Beside a change stands the F1 of the text’s own spans, before and after; beside spans the surest that changed."
    threshold = SpanThresholds()

    def summary(self, evaluation: Evaluation) -> dict[str, Any]:
        """How spans were found, F1 by label and reliability."""
        report = evaluation.report
        return {
            "rival": rules.rival(report),
            "kinds": kinds(report),
            "f1": charts.f1_by_class(report),
            "reliability": charts.reliability(report, charts.Reliability(counted="spans")),
            "errors": rules.errors(report),
        }

    def report(self, viewer: User, evaluation: Evaluation, given: Mapping[str, str]) -> dict[str, Any]:
        """With the confusion of labels, each label, and the surest mistakes."""
        report = evaluation.report
        labels, counts = confusion(report)
        return super().report(viewer, evaluation, given) | {
            "notes": [note for note in (beyond(report),) if note],
            "lost": report["lost"],
            "matrix": matrix(labels, counts) if len(labels) <= MOST + 1 else None,
            **by_label(report, SORTS, given.get("sort", "")),
            "lines": self.lines(viewer, evaluation, self.rows.first(evaluation, FEW)),
        }

    def counted(self, report: Mapping[str, Any]) -> Figure:
        """True spans."""
        return Figure("True spans", count(report["spans"]["true"]), sub=f"{count(report['rows'])} texts")

    def cell(self, given: Mapping[str, str]) -> dict[str, str]:
        """A kind of mistake, a cell of the confusion, or both."""
        found = {name: given.get(name, "") for name in ("kind", "true", "predicted")}
        return found | ({} if found["kind"] in NAMES else {"kind": ""})

    def heading(self, cell: Mapping[str, str]) -> dict[str, Any]:
        """The kind with what it means, and the labels."""
        return {**cell, "kind": NAMES.get(cell["kind"], ""), "meant": MEANT.get(cell["kind"], ""), "nothing": NOTHING}

    def lines(self, viewer: User, evaluation: Evaluation, rows: Sequence[SpanRow]) -> list[SpanLine]:
        """Texts with their spans in them."""
        items, readable = queries.items_by_digest(evaluation, [row.item for row in rows]), may_read(viewer, evaluation)
        found = []
        for row in rows:
            line = line_of(evaluation, items.get(row.item), row.item, readable)
            text = line["text"]
            line["why"] = why(evaluation, row.item) if text and row.found else ""
            found.append(SpanLine(**line, pieces=pieces(text, row), mistakes=mistakes(text, row) if text else [], wrong=row.wrong))
        return found

    def quoted(self, change: Change, text: str) -> Change:
        """With the words of each span in the place of its numbers."""
        if not text:
            return change
        return replace(change, true=in_words(change.true, text), first=in_words(change.first, text), second=in_words(change.second, text))

    def names(self, kept: str, read: Read) -> tuple[str, ...]:
        """Each span with its words, or its place where they may not be read."""
        text = "".join(read.disturbed)
        return tuple(quote(text, *each) if text else "{2} {0}–{1}".format(*each) for each in json.loads(kept))

    def explained(self, evaluation: Evaluation, digest: str, chosen: str = "") -> dict[str, Any]:
        """With why there is none, where no span was found."""
        found = super().explained(evaluation, digest, chosen)
        is_none = not found["report"] and (found["analysis"] or not found["answer"].predicted)
        return found | {"nothing": NOTHING_FOUND if is_none else ""}

    def explanations(self, kept: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Of each found span."""
        found: Sequence[Mapping[str, Any]] = kept.get("parts", [])
        return found

    def key(self, each: Mapping[str, Any]) -> str:
        """The place of a span."""
        return f"{each['start']}-{each['end']}"

    def part(self, each: Mapping[str, Any], text: str) -> str:
        """The words of a span with its label."""
        return quote(text, each["start"], each["end"], each["answer"])

    def answered(self, row: SpanRow, text: str) -> Answer:
        """Its spans by their words."""
        found = answer(row)
        return replace(found, true=in_words(found.true, text), predicted=in_words(found.predicted, text))


def kinds(report: Mapping[str, Any]) -> list[Kind]:
    """In the order of KINDS."""
    total = sum(report["kinds"].values()) or 1
    return [Kind(name, NAMES[name], MEANT[name], report["kinds"][name], report["kinds"][name] / total) for name in KINDS]


def beyond(report: Mapping[str, Any]) -> Note | None:
    """How many true spans lie where the model does not read; None without any."""
    lost = report["lost"]
    if not lost["beyond"]:
        return None
    fact = f"{things(lost['beyond'], 'true span')} in {things(lost['texts_beyond'], 'text')} could not be found."
    text = "They lie beyond the longest text that the model reads, and count as missed."
    return Note("warn", fact, f"{text} Train with a larger max_tokens, or divide long texts.")


def confusion(report: Mapping[str, Any]) -> tuple[list[str], list[list[int]]]:
    """Labels, and behind them NOTHING, with the counts of the confusion."""
    return [*report["confusion"]["labels"], NOTHING], report["confusion"]["counts"]


def pieces(text: str, row: SpanRow) -> list[Piece]:
    """The text cut where a true or found span begins or ends; joined together they are the text."""
    found = [each.span for each in row.found]
    cuts = sorted({0, len(text), *(at for start, end, _ in (*row.true, *found) for at in (start, end) if at <= len(text))})

    def at(spans: Sequence[tuple[int, int, int]], start: int) -> str:
        return next((row.labels[label] for first, last, label in spans if first <= start < last), "")

    return [Piece(text[start:end], at(row.true, start), at(found, start)) for start, end in zip(cuts, cuts[1:], strict=False)]


def mistakes(text: str, row: SpanRow) -> list[Mistake]:
    """Every match of an item in words, in the order of places."""
    return [
        Mistake(
            match.kind,
            row.labels[match.true[2]] if match.true else "",
            text[match.true[0] : match.true[1]] if match.true else "",
            row.labels[match.found.label] if match.found else "",
            text[match.found.start : match.found.end] if match.found else "",
            match.found.confidence if match.found else None,
        )
        for match in row.matches
    ]


def in_words(names: Sequence[str], text: str) -> tuple[str, ...]:
    """Spans as `rows.placed` names them, with their words in the place of their numbers."""
    found = []
    for name in names:
        label, _, place = name.rpartition(" ")
        start, _, end = place.partition("–")
        found.append(quote(text, int(start), int(end), label))
    return tuple(found)


def quote(text: str, start: int, end: int, label: str) -> str:
    """A part of a text with its label."""
    return f"“{text[start:end]}” {label}"


ENTRY = SpanPage(ROWS)
