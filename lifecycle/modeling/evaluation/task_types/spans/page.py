"""Evaluation pages of spans: span results, and texts with true and predicted spans."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lifecycle.modeling.evaluation import charts, queries, rules
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.parts import may_read
from lifecycle.modeling.evaluation.rules import Answer, Change
from lifecycle.modeling.evaluation.task_types.page import (
    AttributionTexts,
    Line,
    Note,
    Read,
    ReportPage,
    by_label,
    line_of,
    matrix,
    why,
)
from lifecycle.modeling.evaluation.task_types.spans.rows import ENTRY as ROWS
from lifecycle.modeling.evaluation.task_types.spans.rows import NOTHING, NOTHING_FOUND, SpanRow, answer
from lifecycle.modeling.evaluation.threshold_words import GOALS, Question, Thresholds
from lifecycle.runtime.task_types.spans.measures import KINDS
from lifecycle.runtime.words import things
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count
from registry.ground.access.models import User

NAMES = {
    "exact": "Correct",
    "boundary": "Right label, wrong boundary",
    "class": "Right boundary, wrong label",
    "both": "Wrong boundary and label",
    "missed": "Missed",
    "invented": "Spurious",
}
MEANT = {
    "exact": "boundary and label match a true span",
    "boundary": "overlaps a true span with the same label but different boundaries",
    "class": "same boundaries as a true span with another label",
    "both": "overlaps a true span with another label",
    "missed": "a true span without a predicted one",
    "invented": "predicted where there is no true span",
}
SORTS = {"f1": False, "label": False, "support": True}
FEW = 5  # texts with the most confident errors in the report
MOST = 12  # maximum number of labels in the confusion matrix

SPANS = Question(
    GOALS,
    "Precision",
    "Recall",
    "Spans kept",
    "Cost of a wrong span",
    "Cost of a missed span",
    "Keep a span",
    "drop it",
    "Keeping no spans costs least.",
    unit="spans",
    in_texts=True,
)
SPANS_OF_LABEL = replace(SPANS, act="Keep a {label} span", never="Keeping no {label} spans costs least.")


@dataclass(frozen=True, slots=True)
class Kind:
    """The number of spans with one result. share: of all matches, 0 to 1."""

    name: str
    label: str
    meant: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text. true, found: label of the true and predicted span that covers it; "" if none."""

    text: str
    true: str = ""
    found: str = ""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A true span and the prediction for it, as text. kind: of KINDS. confidence: None if nothing was
    predicted.
    """

    kind: str
    true: str
    true_text: str
    found: str
    found_text: str
    confidence: float | None


@dataclass(frozen=True, slots=True)
class SpanLine(Line):
    """A text with its spans. pieces, mistakes: empty without the text. wrong: number of incorrect matches."""

    pieces: list[Piece]
    mistakes: list[Mistake]
    wrong: int


class SpanThresholds(Thresholds):
    """The confidence threshold of predicted spans, for one label or any."""

    every = "Any"

    def question(self, label: str) -> Question:
        """Whether a span is kept."""
        return SPANS_OF_LABEL if label else SPANS

    def begin(self, evaluation: Evaluation) -> dict[str, str]:
        """Starts with spans of any label."""
        return {}

    def beside(self, evaluation: Evaluation) -> tuple[str, str]:
        """All predicted spans."""
        return "keeping all predicted spans", "All kept"

    def answers(self, evaluation: Evaluation, label: str) -> str:
        """All predicted spans."""
        return "predicting all spans"


class SpanPage(ReportPage[SpanRow]):
    """Each figure links to the texts with its spans."""

    templates = "spans"
    unit = "text"
    name = "Texts"
    wrong = "Texts with any wrong span count."
    turned = {
        "of": "Spans",
        "meant": (
            "Fixed and broken count texts in which only one of the two models gets exactly the right spans of"
            " the label."
        ),
    }
    attribution = AttributionTexts(
        "a span", "Span", "Each span is explained in its place; its own words aren't left out.", "True spans"
    )
    loss = (
        "the mean negative log-probability of the tags of its words, or of their pieces where spans end"
        " within words"
    )
    flips = (
        "Changed predictions are shown with their F1 before and after, and with the confidence of the most"
        " confident changed span."
    )
    threshold = SpanThresholds()

    def summary(self, evaluation: Evaluation) -> dict[str, Any]:
        """Span results, F1 by label, and reliability."""
        report = evaluation.report
        return {
            "rival": rules.rival(report),
            "kinds": kinds(report),
            "f1": charts.f1_by_class(report),
            "reliability": charts.reliability(report, charts.Reliability(counted="spans")),
            "errors": rules.errors(report),
        }

    def report(self, viewer: User, evaluation: Evaluation, given: Mapping[str, str]) -> dict[str, Any]:
        """Adds the label confusion matrix, each label, and the most confident errors."""
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
        """Number of true spans."""
        return Figure("True spans", count(report["spans"]["true"]), sub=f"{count(report['rows'])} texts")

    def cell(self, given: Mapping[str, str]) -> dict[str, str]:
        """A result, a cell of the confusion matrix, or both."""
        found = {name: given.get(name, "") for name in ("kind", "true", "predicted")}
        return found | ({} if found["kind"] in NAMES else {"kind": ""})

    def heading(self, cell: Mapping[str, str]) -> dict[str, Any]:
        """The result with its meaning, and the labels."""
        return {
            **cell,
            "kind": NAMES.get(cell["kind"], ""),
            "meant": MEANT.get(cell["kind"], ""),
            "nothing": NOTHING,
        }

    def lines(self, viewer: User, evaluation: Evaluation, rows: Sequence[SpanRow]) -> list[SpanLine]:
        """Texts with their spans marked."""
        items, readable = (
            queries.items_by_digest(evaluation, [row.item for row in rows], viewer),
            may_read(viewer, evaluation),
        )
        found = []
        for row in rows:
            line = line_of(evaluation, items.get(row.item), row.item, readable)
            text = line["text"]
            line["why"] = why(evaluation, row.item) if text and row.found else ""
            found.append(
                SpanLine(
                    **line,
                    pieces=pieces(text, row),
                    mistakes=mistakes(text, row) if text else [],
                    wrong=row.wrong,
                )
            )
        return found

    def quoted(self, change: Change, text: str) -> Change:
        """Spans quoted instead of numbered."""
        if not text:
            return change
        return replace(
            change,
            true=in_words(change.true, text),
            first=in_words(change.first, text),
            second=in_words(change.second, text),
        )

    def names(self, kept: str, read: Read) -> tuple[str, ...]:
        """Each span quoted, or its place if the text may not be read."""
        text = "".join(read.disturbed)
        return tuple(quote(text, *each) if text else "{2} {0}–{1}".format(*each) for each in json.loads(kept))

    def explained(self, evaluation: Evaluation, digest: str, chosen: str = "") -> dict[str, Any]:
        """Adds the reason if no span was predicted."""
        found = super().explained(evaluation, digest, chosen)
        is_none = not found["report"] and (found["analysis"] or not found["answer"].predicted)
        return found | {"nothing": NOTHING_FOUND if is_none else ""}

    def explanations(self, kept: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """One for each predicted span."""
        found: Sequence[Mapping[str, Any]] = kept.get("parts", [])
        return found

    def key(self, each: Mapping[str, Any]) -> str:
        """The place of a span."""
        return f"{each['start']}-{each['end']}"

    def part(self, each: Mapping[str, Any], text: str) -> str:
        """A quoted span with its label."""
        return quote(text, each["start"], each["end"], each["answer"])

    def answered(self, row: SpanRow, text: str) -> Answer:
        """Its spans, quoted."""
        found = answer(row)
        return replace(found, true=in_words(found.true, text), predicted=in_words(found.predicted, text))


def kinds(report: Mapping[str, Any]) -> list[Kind]:
    """Counts in the order of KINDS."""
    total = sum(report["kinds"].values()) or 1
    return [
        Kind(name, NAMES[name], MEANT[name], report["kinds"][name], report["kinds"][name] / total)
        for name in KINDS
    ]


def beyond(report: Mapping[str, Any]) -> Note | None:
    """The note on true spans beyond the maximum length; None if there are none."""
    lost = report["lost"]
    if not lost["beyond"]:
        return None
    fact = (
        f"{things(lost['beyond'], 'true span')} in {things(lost['texts_beyond'], 'text')} couldn't be found."
    )
    text = "They're beyond the model's maximum length and count as missed."
    return Note("warn", fact, f"{text} Train with a larger max_tokens, or split long texts.")


def confusion(report: Mapping[str, Any]) -> tuple[list[str], list[list[int]]]:
    """Labels followed by NOTHING, with the counts of the confusion matrix."""
    return [*report["confusion"]["labels"], NOTHING], report["confusion"]["counts"]


def pieces(text: str, row: SpanRow) -> list[Piece]:
    """The text cut at every boundary of a true or predicted span; joined, the pieces are the text."""
    found = [each.span for each in row.found]
    cuts = sorted(
        {
            0,
            len(text),
            *(at for start, end, _ in (*row.true, *found) for at in (start, end) if at <= len(text)),
        }
    )

    def at(spans: Sequence[tuple[int, int, int]], start: int) -> str:
        return next((row.labels[label] for first, last, label in spans if first <= start < last), "")

    return [
        Piece(text[start:end], at(row.true, start), at(found, start))
        for start, end in zip(cuts, cuts[1:], strict=False)
    ]


def mistakes(text: str, row: SpanRow) -> list[Mistake]:
    """Every match of an item as text, by place."""
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
    """Spans named by `rows.placed`, quoted instead of numbered."""
    found = []
    for name in names:
        label, _, place = name.rpartition(" ")
        start, _, end = place.partition("–")
        found.append(quote(text, int(start), int(end), label))
    return tuple(found)


def quote(text: str, start: int, end: int, label: str) -> str:
    """A quoted part of a text with its label."""
    return f"“{text[start:end]}” {label}"


ENTRY = SpanPage(ROWS)
