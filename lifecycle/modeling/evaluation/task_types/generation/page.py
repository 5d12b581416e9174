"""Evaluation pages of models that generate text: scores, copying and groundedness, responses by score, and
the largest changes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from datasets_app.datasets.models import Item
from datasets_app.snapshots import queries as snapshots
from lifecycle.modeling.evaluation import queries
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.parts import beside, may_read
from lifecycle.modeling.evaluation.shading import Part, parts, strongest, strongest_effect
from lifecycle.modeling.evaluation.task_types.generation import notes
from lifecycle.modeling.evaluation.task_types.generation.rows import ENTRY as ROWS
from lifecycle.modeling.evaluation.task_types.generation.rows import LEADING, SORTS, TextRow, column
from lifecycle.modeling.evaluation.task_types.page import (
    PAGE,
    Line,
    Note,
    Read,
    ReportPage,
    asked,
    held_against,
    line_of,
    missing,
    why,
)
from lifecycle.runtime.engine.flips import Flip
from lifecycle.runtime.engine.perturb import disturb
from lifecycle.runtime.statistics.words import ungrounded
from lifecycle.runtime.task_types.contents.dialogue import turns_before
from lifecycle.runtime.task_types.generation import verbatim
from lifecycle.runtime.task_types.generation.measures import METRICS, TextAnswers
from lifecycle.ui.addresses import find_url
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count
from registry.ground.access.models import User

WORST = 6
PLACES = dict.fromkeys(SORTS, 2) | {"copied_words": 0, "answer_words": 0}
ONE = {"words": "word", "sentences": "sentence", "runs": "run of words"}


@dataclass(frozen=True, slots=True)
class Score:
    """A score in a table cell."""

    label: str
    value: float | None
    digits: int


@dataclass(frozen=True, slots=True)
class TextLine(Line):
    """A prompt with its response. reference, answer, base, copied: empty if the prompt may not be shown.

    turns: those before the response in a chat; empty for a single prompt. scores: by the names in SORTS; None
    if missing. ungrounded: content words of the response that aren't in its context. copied: the longest run
    of words shared with a training response; copied_from, copied_url: digest and page of that item, empty if
    it is no longer known. cut: the response was truncated at the maximum length. cells: the scores shown.
    """

    reference: str
    answer: str
    base: str | None
    scores: Mapping[str, float | None]
    ungrounded: tuple[str, ...]
    copied: str
    copied_from: str
    copied_url: str
    cut: bool
    turns: tuple[Mapping[str, str], ...]
    cells: tuple[Score, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of a chat with its words shaded. role: empty for a single prompt."""

    role: str
    parts: list[Part]


class TextPage(ReportPage[TextRow]):
    """Texts are shown to people who may read samples; scores to everyone who can see the evaluation."""

    templates = "generation"
    words = "lifecycle/modeling/evaluation/task_types/generation/words.html"
    changes = "lifecycle/modeling/evaluation/task_types/generation/changes.html"
    unit = "response"
    name = "Responses"
    heads = {"text": "Prompt", "true": "Reference"}
    disturbed = "prompts"
    slow = " Generation is slow, so the sample is limited."
    flips = (
        "Changed responses are shown with their ROUGE-L before and after. In a chat, only the last turn is"
        " perturbed."
    )
    loss = (
        "its mean token loss on the reference given all previous tokens; in a chat, on the last human-written"
        " response"
    )
    address = "evaluation:answers"

    def summary(self, evaluation: Evaluation) -> dict[str, Any]:
        """Its baselines, and whether it beats them."""
        report = evaluation.report
        lead = notes.lead(report)
        return {"notes": [lead] if lead else [], **beside(report), "against": held_against(evaluation)}

    def report(self, viewer: User, evaluation: Evaluation, given: Mapping[str, str]) -> dict[str, Any]:
        """Adds groundedness, copying, truncation, and the responses furthest from their reference."""
        report = evaluation.report
        with self.rows.opened(evaluation) as opened:
            shown = self.listed(viewer, evaluation, opened, self.rows.find(opened, {})[:WORST])
        return (
            super().report(viewer, evaluation, given)
            | shown
            | {
                "grounds": notes.grounds(report),
                "findings": findings(report),
            }
        )

    def figures(self, evaluation: Evaluation) -> list[Figure]:
        """Adds why groundedness wasn't measured."""
        grounded = METRICS["groundedness"].title
        return [
            (
                replace(each, sub="no row has a context")
                if each.label == grounded and each.value is None
                else each
            )
            for each in super().figures(evaluation)
        ]

    def counted(self, report: Mapping[str, Any]) -> Figure:
        """Rows."""
        return Figure(
            "Rows", count(report["rows"]), sub=f"up to {count(report['max_new_tokens'])} tokens per response"
        )

    def cell(self, given: Mapping[str, str]) -> dict[str, str]:
        """The score to sort by, the order, and a range."""
        ends = {
            name: str(value) for name in ("low", "high") if (value := number(given.get(name))) is not None
        }
        sort = given.get("sort", "") if given.get("sort") in SORTS else LEADING.name
        return {"sort": sort} | ({"best": "1"} if given.get("best") == "1" else {}) | ends

    def heading(self, cell: Mapping[str, str]) -> dict[str, Any]:
        """The filters as the form shows them."""
        low, high = (number(cell.get(name)) for name in ("low", "high"))
        sort = cell["sort"]
        return {
            "choice": True,
            "sort": sort,
            "sort_label": SORTS[sort][0],
            "best": "best" in cell,
            "low": low,
            "high": high,
        }

    def listed(
        self, viewer: User, evaluation: Evaluation, opened: TextAnswers, rows: Sequence[int]
    ) -> dict[str, Any]:
        """Adds a column for each score that some row has."""
        shown = [name for name in SORTS if not all(math.isnan(value) for value in column(opened, name))]
        lines = [
            replace(
                line, cells=tuple(Score(SORTS[name][0], line.scores[name], PLACES[name]) for name in shown)
            )
            for line in self.lines(viewer, evaluation, self.rows.at(opened, rows))
        ]
        return {"columns": [{"key": name, "label": SORTS[name][0]} for name in shown], "lines": lines}

    def lines(self, viewer: User, evaluation: Evaluation, rows: Sequence[TextRow]) -> list[TextLine]:
        """Rows with prompts, references, and the training responses that they copy."""
        readable = may_read(viewer, evaluation)
        train_items = (
            snapshots.items_at(evaluation.snapshot, "train", {row.copied.row for row in rows})
            if readable
            else {}
        )
        digests = [row.item for row in rows] + list(train_items.values())
        items = queries.items_by_digest(evaluation, digests, viewer)
        contents = self.read_rows(evaluation, items) if readable else {}
        return [
            text_line(evaluation, row, items, contents, train_items.get(row.copied.row, "")) for row in rows
        ]

    def changed(self, viewer: User, a: Evaluation, b: Evaluation) -> list[Any]:
        """The rows that changed most, worse ones first, with the text of both models."""
        one, two = queries.rows_of(a), queries.rows_of(b)
        every = ROWS.changes(one, two)
        some = [
            each
            for kind in ("worse", "better")
            for each in [each for each in every if each.kind == kind][: PAGE // 2]
        ]
        sides = [
            self.lines(viewer, evaluation, ROWS.at(found, ROWS.places(found, [each.item for each in some])))
            for evaluation, found in ((a, one), (b, two))
        ]
        lines = zip(some, *sides, strict=True)
        return [{"kind": each.kind, "first": before, "second": after} for each, before, after in lines]

    def read_rows(self, evaluation: Evaluation, items: Mapping[str, Item]) -> Mapping[str, Any]:
        """Prompts with their references."""
        return snapshots.learned_rows_of(evaluation.snapshot, list(items))

    def disturb(self, flip: Flip, row: Mapping[str, Any], seed: int) -> Read:
        """The perturbed prompt; in a chat, its last turn."""
        turns = turns_before(row)
        prompt = turns[-1]["content"] if turns else row["text"]
        return Read((prompt,), (disturb(flip.probe, prompt, seed=seed, name=flip.id).text,), row["answer"])

    def names(self, kept: str, read: Read) -> tuple[str, ...]:
        """The text, if the viewer may read it."""
        return (kept,) if read.text and kept else ()

    def explained(self, evaluation: Evaluation, digest: str, chosen: str = "") -> dict[str, Any]:
        """The prompt of an item with its words shaded, and the response."""
        own = self.rows.one(evaluation, digest)
        if own is None:
            raise missing()
        context, row = (
            asked(evaluation, digest),
            snapshots.learned_rows_of(evaluation.snapshot, [digest]).get(digest),
        )
        report = context["kept"] if row else {}
        words = report.get("words", [])
        top = strongest_effect(words)
        turns = [
            Turn(turn["role"], parts(turn["content"], [word for word in words if word["turn"] == at], top))
            for at, turn in enumerate(prompt_of(row) if row else ())
        ]
        return context | {
            "row": row,
            "answer": own.answer.strip() if row else "",  # responses to erased items aren't shown either
            "cut": own.cut,
            "report": report,
            "turns": turns,
            "unit": ONE.get(report.get("unit", ""), ""),
            "words": strongest([part for turn in turns for part in turn.parts]),
        }


def prompt_of(row: Mapping[str, Any]) -> Sequence[Mapping[str, str]]:
    """The turns before the response; a single prompt as one turn without a role."""
    return turns_before(row) or ({"role": "", "content": row["text"]},)


def text_line(
    evaluation: Evaluation, row: TextRow, items: Mapping[str, Item], contents: Mapping[str, Any], source: str
) -> TextLine:
    """One row. contents: readable prompts and references by digest. source: the training item that it may
    copy.
    """
    content = contents.get(row.item, {})
    answer = row.answer if content else ""  # responses to erased items aren't shown either
    copied = row.copied.text if content else ""
    # row numbers shift when a training row is erased
    if not verbatim.has_run(contents.get(source, {}).get("answer", ""), copied):
        source = ""
    line = line_of(evaluation, items.get(row.item), row.item, readable=False)
    return TextLine(
        **line | {"text": content.get("text", ""), "why": why(evaluation, row.item) if answer else ""},
        reference=content.get("answer", ""),
        answer=answer,
        base=row.base if content else None,
        scores=row.scores,
        ungrounded=tuple(ungrounded(answer, content["context"])) if content.get("context") else (),
        copied=copied,
        copied_from=source,
        copied_url=find_url("datasets:item", uuid=items[source].uuid) if source else "",
        cut=row.cut,
        turns=turns_before(content),
    )


def findings(report: Mapping[str, Any]) -> list[Note]:
    """Notes on copying, truncation, and excluded rows."""
    lost = {
        "Some rows were too long.": notes.cut(report),
        "Some dialogues are excluded.": notes.left_out(report),
        "Some responses were truncated.": notes.unended(report),
    }
    copied = notes.copied(report)
    return [*([copied] if copied else []), *(Note("warn", fact, text) for fact, text in lost.items() if text)]


def number(text: str | None) -> float | None:
    """A bound of a range; None if missing or not a number."""
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) else None


ENTRY = TextPage(ROWS)
