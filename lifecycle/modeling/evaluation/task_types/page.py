"""Base class of evaluation pages: the report, its summary on the run page, rows, comparisons, and word
attribution.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic
from urllib.parse import urlencode

from django.http import Http404

from datasets_app.datasets.models import Item
from lifecycle.modeling.evaluation import compare, queries, rules
from lifecycle.modeling.evaluation.models import Analysis, Evaluation
from lifecycle.modeling.evaluation.parts import beside, may_read, measured, strip, tabs, thread, whole
from lifecycle.modeling.evaluation.rules import Answer, Change
from lifecycle.modeling.evaluation.shading import parts, strongest
from lifecycle.modeling.evaluation.task_types.rows import R, ReportRows
from lifecycle.modeling.evaluation.threshold_words import Thresholds
from lifecycle.runtime.engine.flips import Flip
from lifecycle.runtime.engine.perturb import disturb
from lifecycle.ui.addresses import find_url
from lifecycle.ui.marks import Figure
from registry.ground.access.models import User
from registry.ground.access.policy import can

PAGE = 30


@dataclass(frozen=True, slots=True)
class Note:
    """A finding. kind: ok, warn, or bad. fact: the headline; text: details. wash: highlighted, as it blocks
    the next step.
    """

    kind: str
    fact: str
    text: str
    wash: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A row with its item. text: the model's input, or its prompt; empty if erased or hidden from the viewer.
    url, uuid: of the item; empty if erased. why: URL of the word attribution; empty if unavailable.
    """

    item: str
    url: str
    uuid: str
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class ChangeLine(Line):
    """An item with different predictions from two models."""

    change: Change


@dataclass(frozen=True, slots=True)
class Read:
    """A row's input before and after perturbation, text by text; reference: for generated text."""

    text: tuple[str, ...] = ()
    disturbed: tuple[str, ...] = ()
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One clickable cell of a confusion matrix. depth: 0 to 6 on the sequential scale; 0 on the diagonal."""

    count: int
    depth: int
    true: str
    predicted: str


@dataclass(frozen=True, slots=True)
class AttributionTexts:
    """Wording of the word attribution page. part: what a word's effect is measured on; choice, how: heading
    and hint of the tabs; true, given: headings of the true and predicted value. scale: what effects are
    differences of; empty: log-odds of the part. sure: whether the prediction has a confidence. judged:
    whether it is right or wrong.
    """

    part: str = "the prediction"
    choice: str = ""
    how: str = ""
    true: str = "True label"
    given: str = "Predicted"
    scale: str = ""
    sure: bool = True
    judged: bool = True


@dataclass(frozen=True)
class ReportPage(ABC, Generic[R]):
    """The evaluation pages of one task. rows: its row reader. templates: its folder below task_types. words,
    changes: templates of word attribution and of predictions that differ between two models.

    unit: what is counted in the header. name, address: of the page that lists rows. heads: column headings.
    wrong: what an error cluster counts as an error. turned: note on the comparison by label (of, meant).
    loss: definition of a row's loss. disturbed: what robustness tests perturb; slow: note on the sample size;
    flips: note on the numbers beside changed predictions. threshold: None if the task has none.
    """

    rows: ReportRows[Any, R]
    templates: ClassVar[str]
    words: ClassVar[str] = "lifecycle/modeling/evaluation/words.html"
    changes: ClassVar[str] = "lifecycle/modeling/evaluation/changes.html"
    unit: ClassVar[str] = "row"
    name: ClassVar[str] = "Items"
    address: ClassVar[str] = "evaluation:items"
    heads: ClassVar[Mapping[str, str]] = {"text": "Text", "true": "True"}
    wrong: ClassVar[str] = ""
    turned: ClassVar[Mapping[str, str]] = {
        "of": "Rows",
        "meant": "Fixed and broken count rows whose label only one of the two models predicts correctly.",
    }
    loss: ClassVar[str]
    disturbed: ClassVar[str] = "texts"
    slow: ClassVar[str] = ""
    flips: ClassVar[str] = ""
    attribution: ClassVar[AttributionTexts] = AttributionTexts()
    threshold: ClassVar[Thresholds | None] = None

    # ── The report ──────────────────────────────────────────────────────────
    def report(self, viewer: User, evaluation: Evaluation, given: Mapping[str, str]) -> dict[str, Any]:
        """The context of report.html. given: query parameters, such as a sort key."""
        return self.summary(evaluation) | {
            "evaluation": evaluation,
            "templates": self.templates,
            "unit": self.unit,
            "tabs": tabs(evaluation, "detail"),
            "thread": thread(evaluation),
            "figures": self.figures(evaluation),
            "metrics": measured(evaluation.report),
            **beside(evaluation.report),
            "against": held_against(evaluation),
            "may_read": may_read(viewer, evaluation),
        }

    @abstractmethod
    def summary(self, evaluation: Evaluation) -> dict[str, Any]:
        """The context of summary.html, shown on the run page."""

    @abstractmethod
    def counted(self, report: Mapping[str, Any]) -> Figure:
        """The number of evaluated rows or spans."""

    def figures(self, evaluation: Evaluation) -> list[Figure]:
        """The header figures: main metrics with their intervals, and the count."""
        return [*strip(evaluation.report), self.counted(evaluation.report)]

    # ── Rows ────────────────────────────────────────────────────────────────
    def items(self, viewer: User, evaluation: Evaluation, given: Mapping[str, str]) -> dict[str, Any]:
        """A page of rows behind a figure or in an error cluster, or of all rows with errors; PAGE at a time,
        in a stable order.
        """
        group, start, cell = given.get("group", ""), whole(given.get("from", "")) or 0, self.cell(given)
        digests = queries.group_of_errors(evaluation, group) if group else None
        with self.rows.opened(evaluation) as opened:
            found = self.rows.find(opened, cell) if digests is None else self.rows.places(opened, digests)
            shown = self.listed(viewer, evaluation, opened, found[start : start + PAGE])
        return {
            "evaluation": evaluation,
            "templates": self.templates,
            "name": self.name,
            "thread": thread(evaluation),
            "may_read": may_read(viewer, evaluation),
            "group": group,
            "total": len(found),
            **shown,
            **self.heading(cell),
            "pick_url": pick_url(viewer, evaluation),
            "chosen": urlencode(cell | ({"group": group} if group else {})),
            "start": start,
            "before": max(0, start - PAGE),
            "after": start + PAGE if start + PAGE < len(found) else 0,
        }

    @abstractmethod
    def cell(self, given: Mapping[str, str]) -> dict[str, str]:
        """The filter in the query parameters, as `find` takes it; {}: all rows with errors."""

    @abstractmethod
    def heading(self, cell: Mapping[str, str]) -> dict[str, Any]:
        """The context of items.html for a filter."""

    def listed(
        self, viewer: User, evaluation: Evaluation, opened: Any, rows: Sequence[int]
    ) -> dict[str, Any]:
        """The context of lines.html for some rows. opened: from `ReportRows.opened`."""
        return {"lines": self.lines(viewer, evaluation, self.rows.at(opened, rows))}

    @abstractmethod
    def lines(self, viewer: User, evaluation: Evaluation, rows: Sequence[R]) -> Sequence[Line]:
        """Rows with their items; texts only for people who may read samples."""

    # ── Two evaluations ─────────────────────────────────────────────────────
    def changed(self, viewer: User, a: Evaluation, b: Evaluation) -> list[Any]:
        """The first items with different predictions, as changes.html shows them."""
        first = compare.first_changes(a, b)
        items = queries.items_by_digest(a, [each.item for each in first], viewer)
        readable = may_read(viewer, a)
        found: list[Any] = []
        for each in first:
            line = line_of(a, items.get(each.item), each.item, readable)
            found.append(ChangeLine(**line, change=self.quoted(each, line["text"])))
        return found

    def quoted(self, change: Change, text: str) -> Change:
        """The change for display. text: of its item, empty if the viewer may not read it."""
        return change

    # ── Perturbed rows ──────────────────────────────────────────────────────
    def read_rows(self, evaluation: Evaluation, items: Mapping[str, Item]) -> Mapping[str, Any]:
        """The model inputs by digest, without erased items."""
        return {digest: {"text": item.text} for digest, item in items.items() if item.text}

    def disturb(self, flip: Flip, row: Mapping[str, Any], seed: int) -> Read:
        """A row with the same perturbation as in the test."""
        return Read((row["text"],), (disturb(flip.probe, row["text"], seed=seed, name=flip.id).text,))

    def names(self, kept: str, read: Read) -> tuple[str, ...]:
        """The labels of a stored prediction; empty if it has none or may not be shown. kept: as stored in a
        flip.
        """
        return (kept,)

    # ── Word attribution ────────────────────────────────────────────────────
    def explained(self, evaluation: Evaluation, digest: str, chosen: str = "") -> dict[str, Any]:
        """The context of words.html: the item with its words shaded, or how to request that. chosen: the part
        of the prediction to explain; the first by default. Raises Http404 for an item that isn't in the
        evaluation.
        """
        row = self.rows.one(evaluation, digest)
        if row is None:
            raise missing()
        context = asked(evaluation, digest)
        text, every = context["item"].text, self.explanations(context["kept"])
        report = next((each for each in every if self.key(each) == chosen), every[0] if every else {})
        cut = parts(text, report["words"]) if report else []
        address = queries.address_of(Analysis.Kind.WORDS, evaluation.uuid, digest)
        return context | {
            "attribution": self.attribution,
            "answer": self.answered(row, text),
            "named": self.part(report, text) if report else "",
            "report": report,
            "tabs": (
                [
                    {
                        "label": (
                            self.part(each, text)
                            if each.get("given", True)
                            else f"{self.part(each, text)} (not predicted)"
                        ),
                        "url": f"{address}&{urlencode({'for': self.key(each)})}",
                        "current": each is report,
                    }
                    for each in every
                ]
                if len(every) > 1
                else []
            ),
            "parts": cut,
            "words": strongest(cut),
        }

    def explanations(self, kept: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """The explanations, one for each part of a prediction. kept: the stored result; {} if there is
        none.
        """
        return [kept] if kept else []

    def key(self, each: Mapping[str, Any]) -> str:
        """The key that selects a part."""
        return str(each["answer"])

    def part(self, each: Mapping[str, Any], text: str) -> str:
        """The display name of a part."""
        return str(each["answer"])

    def answered(self, row: Any, text: str) -> Answer:
        """The prediction to explain."""
        found: Answer = row
        return found


def line_of(evaluation: Evaluation, item: Item | None, digest: str, readable: bool) -> dict[str, str]:
    """The fields of every line, without a link to word attribution. readable: whether the viewer may read
    samples.
    """
    url, uuid = (find_url("datasets:item", uuid=item.uuid), str(item.uuid)) if item else ("", "")
    return {
        "item": digest,
        "url": url,
        "uuid": uuid,
        "text": item.text if item and readable else "",
        "why": "",
    }


def why(evaluation: Evaluation, digest: str) -> str:
    """The URL of an item's word attribution."""
    return queries.address_of(Analysis.Kind.WORDS, evaluation.uuid, digest)


def asked(evaluation: Evaluation, digest: str) -> dict[str, Any]:
    """The context that word attribution pages of all tasks share: the item, the stored result ("kept", empty
    if none), and its job. Raises Http404.
    """
    item = queries.items_by_digest(evaluation, [digest]).get(digest)
    if item is None:
        raise missing()
    job = queries.analysis_job(evaluation, Analysis.Kind.WORDS, digest)
    analysis = queries.analysis(evaluation, Analysis.Kind.WORDS, digest)
    return {
        "evaluation": evaluation,
        "thread": thread(evaluation),
        "item": item,
        "analysis": analysis,
        "kept": analysis.report if analysis else {},
        "job": job,
        "working": job is not None and not job.is_finished,
    }


def missing() -> Http404:
    """The 404 error for an item that isn't in the evaluation."""
    return Http404("This evaluation doesn't include that item.")


def held_against(evaluation: Evaluation) -> str:
    """The score compared with baselines row by row; empty if there is no such comparison."""
    report = evaluation.report
    known = not queries.is_flattering(evaluation) and any(
        rules.paired(report, name) for name in report.get("baselines") or {}
    )
    return rules.leading_of(report).heading if known else ""


def pick_url(user: User, evaluation: Evaluation) -> str:
    """URL for adding selected items to a queue; empty if the viewer may not open one or rows aren't right or
    wrong.
    """
    dataset = evaluation.snapshot.dataset
    opens = evaluation.task_type.has_gold and can(user, "labeling.manage", dataset)
    return find_url("queues:open", uuid=dataset.uuid) if opens else ""


def matrix(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> dict[str, Any]:
    """A small confusion matrix with clickable cells."""
    top = max(
        (value for row, line in enumerate(counts) for column, value in enumerate(line) if row != column),
        default=0,
    )
    return {
        "labels": labels,
        "rows": [
            {
                "label": labels[row],
                "cells": [
                    Cell(value, depth(value, top, row == column), labels[row], labels[column])
                    for column, value in enumerate(line)
                ],
            }
            for row, line in enumerate(counts)
        ],
    }


def depth(value: int, top: int, diagonal: bool) -> int:
    """Colour depth of a cell: 1, 2, 3, 5, or 6 of the scale, which keep its number readable; 0 for none."""
    if diagonal or not value or not top:
        return 0
    return (1, 2, 3, 5, 6)[min(4, int(5 * value / (top + 1)))]


def by_label(report: Mapping[str, Any], sorts: Mapping[str, bool], requested: str) -> dict[str, Any]:
    """Labels sorted by `requested`: names from A, counts from the highest, scores from the lowest. sorts: by
    key, whether the highest come first.
    """
    sort = requested if requested in sorts else "f1"
    rows = sorted(
        report["per_class"], key=lambda each: (-each[sort] if sorts[sort] else each[sort], each["label"])
    )
    return {"per_class": rows, "sort": sort}
