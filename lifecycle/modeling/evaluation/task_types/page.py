"""What the pages of an evaluation show by task: its report, its part of the run's page, its rows, the words that speak for an answer."""

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
    """A finding. kind: ok, warn or bad. fact, text: in words. wash: it stands in the way of going on."""

    kind: str
    fact: str
    text: str
    wash: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A row with its item. text: what the model read, its prompt where it has more; empty where the person may not read samples or the item
    is gone. url, uuid: of the item; empty where it is gone. why: where the words are found that speak for the answer; empty without any."""

    item: str
    url: str
    uuid: str
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class ChangeLine(Line):
    """An item that two models answered differently."""

    change: Change


@dataclass(frozen=True, slots=True)
class Read:
    """What the model read of a row, before and after it was disturbed, text by text; the reference where the answer is a text."""

    text: tuple[str, ...] = ()
    disturbed: tuple[str, ...] = ()
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the matrix that is read and clicked. depth: 0 to 6 on the sequential scale; 0 on the diagonal."""

    count: int
    depth: int
    true: str
    predicted: str


@dataclass(frozen=True, slots=True)
class Says:
    """The words of the page that shows which words speak. part: what loses by a word that is left out; choice, how: of the parts between
    which is chosen; true, given: of what is true, and of what is answered. scale: what effects are differences of; empty: the log-odds of
    the part. sure: whether the answer has one confidence. judged: whether it is right or wrong."""

    part: str = "the answer"
    choice: str = ""
    how: str = ""
    true: str = "True class"
    given: str = "Read as"
    scale: str = ""
    sure: bool = True
    judged: bool = True


@dataclass(frozen=True)
class ReportPage(ABC, Generic[R]):
    """The pages of one task. rows: how its rows are read. templates: the folder of its templates below task_types. words, changes: common
    templates by default, of the words that speak and of what two models answered differently.

    unit: what is counted at the head. name, address: of the page that lists rows. heads: of columns that show what the model read, and what
    is true. wrong: what a group of errors takes for one. turned: of a comparison by label, what it counts (of, meant). loss: of a row.
    disturbed: what probes disturb; slow: why so few rows are; flips: what the numbers beside an answer that changed are. threshold: None
    where there is nothing to choose.
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
        "meant": "Fixed and broken count rows of which only one of the two says rightly whether they are of the class.",
    }
    loss: ClassVar[str]
    disturbed: ClassVar[str] = "texts"
    slow: ClassVar[str] = ""
    flips: ClassVar[str] = ""
    says: ClassVar[Says] = Says()
    threshold: ClassVar[Thresholds | None] = None

    # ── The report ──────────────────────────────────────────────────────────
    def report(self, viewer: User, evaluation: Evaluation, given: Mapping[str, str]) -> dict[str, Any]:
        """The context of report.html. given: of the address, such as a sort."""
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
        """The context of summary.html, its part of a run's page."""

    @abstractmethod
    def counted(self, report: Mapping[str, Any]) -> Figure:
        """How much was looked at."""

    def figures(self, evaluation: Evaluation) -> list[Figure]:
        """The strip: the main metrics, each with its interval as reference, and how much was looked at."""
        return [*strip(evaluation.report), self.counted(evaluation.report)]

    # ── Rows ────────────────────────────────────────────────────────────────
    def items(self, viewer: User, evaluation: Evaluation, given: Mapping[str, str]) -> dict[str, Any]:
        """The rows behind a figure or of a group of errors, or all with a mistake; 30 a page in an order that never changes."""
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
        """What an address asks for, as `find` of the rows has it; {}: all with a mistake."""

    @abstractmethod
    def heading(self, cell: Mapping[str, str]) -> dict[str, Any]:
        """What items.html says of a cell."""

    def listed(self, viewer: User, evaluation: Evaluation, opened: Any, rows: Sequence[int]) -> dict[str, Any]:
        """What line.html shows of some rows. opened: of `ReportRows.opened`."""
        return {"lines": self.lines(viewer, evaluation, self.rows.at(opened, rows))}

    @abstractmethod
    def lines(self, viewer: User, evaluation: Evaluation, rows: Sequence[R]) -> Sequence[Line]:
        """Rows with their items; texts only for people who may read samples."""

    # ── Two evaluations ─────────────────────────────────────────────────────
    def changed(self, viewer: User, a: Evaluation, b: Evaluation) -> list[Any]:
        """The first of the items that the two answered differently, as changes.html shows them."""
        first = compare.first_changes(a, b)
        items = queries.items_by_digest(a, [each.item for each in first])
        readable = may_read(viewer, a)
        found: list[Any] = []
        for each in first:
            line = line_of(a, items.get(each.item), each.item, readable)
            found.append(ChangeLine(**line, change=self.quoted(each, line["text"])))
        return found

    def quoted(self, change: Change, text: str) -> Change:
        """A change as it is read. text: of its item, empty where it may not be read."""
        return change

    # ── Disturbed rows ──────────────────────────────────────────────────────
    def read_rows(self, evaluation: Evaluation, items: Mapping[str, Item]) -> Mapping[str, Any]:
        """The rows as they were given to the model, by digest; those that are gone are left out."""
        return {digest: {"text": item.text} for digest, item in items.items() if item.text}

    def disturb(self, flip: Flip, row: Mapping[str, Any], seed: int) -> Read:
        """A row as the engine disturbed it."""
        return Read((row["text"],), (disturb(flip.probe, row["text"], seed=seed, name=flip.id).text,))

    def names(self, kept: str, read: Read) -> tuple[str, ...]:
        """An answer as names; none where it is empty or not shown. kept: as a flip has it."""
        return (kept,)

    # ── Words that speak ────────────────────────────────────────────────────
    def explained(self, evaluation: Evaluation, digest: str, chosen: str = "") -> dict[str, Any]:
        """The context of words.html: the item with its words shaded, or how to get that. Raises Http404 where the evaluation holds no such
        item. chosen: the part of the answer whose words are shown, by default the first."""
        row = self.rows.one(evaluation, digest)
        if row is None:
            raise missing()
        context = asked(evaluation, digest)
        text, every = context["item"].text, self.explanations(context["kept"])
        report = next((each for each in every if self.key(each) == chosen), every[0] if every else {})
        cut = parts(text, report["words"]) if report else []
        address = queries.address_of(Analysis.Kind.WORDS, evaluation.uuid, digest)
        return context | {
            "says": self.says,
            "answer": self.answered(row, text),
            "named": self.part(report, text) if report else "",
            "report": report,
            "tabs": [
                {
                    "label": self.part(each, text) if each.get("given", True) else f"{self.part(each, text)} (not given)",
                    "url": f"{address}&{urlencode({'for': self.key(each)})}",
                    "current": each is report,
                }
                for each in every
            ]
            if len(every) > 1
            else [],
            "parts": cut,
            "words": strongest(cut),
        }

    def explanations(self, kept: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """The explanations of each part of an answer. kept: what was found, {} before that."""
        return [kept] if kept else []

    def key(self, each: Mapping[str, Any]) -> str:
        """What a part is chosen by."""
        return str(each["answer"])

    def part(self, each: Mapping[str, Any], text: str) -> str:
        """A part in words."""
        return str(each["answer"])

    def answered(self, row: Any, text: str) -> Answer:
        """The answer whose words are asked for."""
        found: Answer = row
        return found


def line_of(evaluation: Evaluation, item: Item | None, digest: str, readable: bool) -> dict[str, str]:
    """What every line has, without words that speak. readable: whether the person may read samples."""
    url, uuid = (find_url("datasets:item", uuid=item.uuid), str(item.uuid)) if item else ("", "")
    return {"item": digest, "url": url, "uuid": uuid, "text": item.text if item and readable else "", "why": ""}


def why(evaluation: Evaluation, digest: str) -> str:
    """Where the words are found that speak for the answer to an item."""
    return queries.address_of(Analysis.Kind.WORDS, evaluation.uuid, digest)


def asked(evaluation: Evaluation, digest: str) -> dict[str, Any]:
    """What the page of words shows of any task: the item, what was found of it ("kept", empty before that), and the job that finds it.
    Raises Http404."""
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
    """The answer where an evaluation does not hold an item."""
    return Http404("This evaluation holds no such item.")


def held_against(evaluation: Evaluation) -> str:
    """The score by which the run is held against baselines row by row; empty where it isn't."""
    report = evaluation.report
    known = not queries.is_flattering(evaluation) and any(rules.paired(report, name) for name in report.get("baselines") or {})
    return rules.leading_of(report).heading if known else ""


def pick_url(user: User, evaluation: Evaluation) -> str:
    """Where ticked items become a queue; empty for who may not open one, and of rows that are not right or wrong."""
    dataset = evaluation.snapshot.dataset
    opens = evaluation.task_type.has_gold and can(user, "labeling.manage", dataset)
    return find_url("queues:open", uuid=dataset.uuid) if opens else ""


def matrix(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> dict[str, Any]:
    """A small confusion matrix as cells that are clicked."""
    top = max((value for row, line in enumerate(counts) for column, value in enumerate(line) if row != column), default=0)
    return {
        "labels": labels,
        "rows": [
            {
                "label": labels[row],
                "cells": [Cell(value, depth(value, top, row == column), labels[row], labels[column]) for column, value in enumerate(line)],
            }
            for row, line in enumerate(counts)
        ],
    }


def depth(value: int, top: int, diagonal: bool) -> int:
    """How deep a cell is coloured: 1, 2, 3, 5 or 6 of the scale, so that its number can be read; 0 for none."""
    if diagonal or not value or not top:
        return 0
    return (1, 2, 3, 5, 6)[min(4, int(5 * value / (top + 1)))]


def by_label(report: Mapping[str, Any], sorts: Mapping[str, bool], asked: str) -> dict[str, Any]:
    """Labels in the order asked for: names from A, rows from most, scores from worst. sorts: whether the most stand first, by what can be
    asked for."""
    sort = asked if asked in sorts else "f1"
    rows = sorted(report["per_class"], key=lambda each: (-each[sort] if sorts[sort] else each[sort], each["label"]))
    return {"per_class": rows, "sort": sort}
