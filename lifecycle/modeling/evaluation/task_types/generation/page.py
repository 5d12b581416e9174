"""The pages of models that write texts: scores, what is copied or has no grounds, the answers by a score, and those that moved most."""

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
from lifecycle.modeling.evaluation.task_types.page import PAGE, Line, Note, Read, ReportPage, asked, held_against, line_of, missing, why
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
    """A cell of a row."""

    label: str
    value: float | None
    digits: int


@dataclass(frozen=True, slots=True)
class TextLine(Line):
    """A prompt with its answer. reference, answer, base, copied: empty without the prompt.

    turns: of a dialogue, those before the answer; empty where the prompt is one text. scores: by the names of SORTS; None where a row has
    none. missing: content words of the answer that its context lacks. copied: the longest run of words that it shares with a training
    answer; copied_from, copied_url: the digest and the page of that item, empty where it cannot be told any more. cut: the answer reached
    its longest length without an end. cells: the scores that a table shows.
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
    """A turn of a dialogue, with its words shaded. role: empty of a prompt that is one text."""

    role: str
    parts: list[Part]


class TextPage(ReportPage[TextRow]):
    """Texts are for people who may read samples; scores for everybody who sees the evaluation."""

    templates = "generation"
    words = "lifecycle/modeling/evaluation/task_types/generation/words.html"
    changes = "lifecycle/modeling/evaluation/task_types/generation/changes.html"
    unit = "written answer"
    name = "Answers"
    heads = {"text": "Prompt", "true": "Reference"}
    disturbed = "prompts"
    slow = " Writing takes long, so no more are drawn."
    flips = "Beside a change stands the answer’s own ROUGE-L, before and after. Of a dialogue what was said last is disturbed."
    loss = "the mean over the tokens of its reference, given all before it; of a dialogue, of the last answer as people wrote it"
    address = "evaluation:answers"

    def summary(self, evaluation: Evaluation) -> dict[str, Any]:
        """Whether it beats its baselines, and these."""
        report = evaluation.report
        lead = notes.lead(report)
        return {"notes": [lead] if lead else [], **beside(report), "against": held_against(evaluation)}

    def report(self, viewer: User, evaluation: Evaluation, given: Mapping[str, str]) -> dict[str, Any]:
        """With grounds, copies, what did not fit, and the answers farthest from their reference."""
        report = evaluation.report
        with self.rows.opened(evaluation) as opened:
            shown = self.listed(viewer, evaluation, opened, self.rows.find(opened, {})[:WORST])
        return super().report(viewer, evaluation, given) | shown | {"grounds": notes.grounds(report), "findings": findings(report)}

    def figures(self, evaluation: Evaluation) -> list[Figure]:
        """With why groundedness is not measured."""
        grounded = METRICS["groundedness"].title
        return [
            replace(each, sub="no row has a context") if each.label == grounded and each.value is None else each
            for each in super().figures(evaluation)
        ]

    def counted(self, report: Mapping[str, Any]) -> Figure:
        """Rows."""
        return Figure("Rows", count(report["rows"]), sub=f"up to {count(report['max_new_tokens'])} tokens an answer")

    def cell(self, given: Mapping[str, str]) -> dict[str, str]:
        """A score, its order and a range of it."""
        ends = {name: str(value) for name in ("low", "high") if (value := number(given.get(name))) is not None}
        sort = given.get("sort", "") if given.get("sort") in SORTS else LEADING.name
        return {"sort": sort} | ({"best": "1"} if given.get("best") == "1" else {}) | ends

    def heading(self, cell: Mapping[str, str]) -> dict[str, Any]:
        """The same as the form has it."""
        low, high = (number(cell.get(name)) for name in ("low", "high"))
        sort = cell["sort"]
        return {"choice": True, "sort": sort, "sort_label": SORTS[sort][0], "best": "best" in cell, "low": low, "high": high}

    def listed(self, viewer: User, evaluation: Evaluation, opened: TextAnswers, rows: Sequence[int]) -> dict[str, Any]:
        """With the scores that some row of the file has, as columns."""
        shown = [name for name in SORTS if not all(math.isnan(value) for value in column(opened, name))]
        lines = [
            replace(line, cells=tuple(Score(SORTS[name][0], line.scores[name], PLACES[name]) for name in shown))
            for line in self.lines(viewer, evaluation, self.rows.at(opened, rows))
        ]
        return {"columns": [{"key": name, "label": SORTS[name][0]} for name in shown], "lines": lines}

    def lines(self, viewer: User, evaluation: Evaluation, rows: Sequence[TextRow]) -> list[TextLine]:
        """Rows with their prompts and references, and the training answers that they copy."""
        readable = may_read(viewer, evaluation)
        learnt = snapshots.items_at(evaluation.snapshot, "train", {row.copied.row for row in rows}) if readable else {}
        digests = [row.item for row in rows] + list(learnt.values())
        items = queries.items_by_digest(evaluation, digests)
        contents = snapshots.learned_rows_of(evaluation.snapshot, digests) if readable else {}
        return [text_line(evaluation, row, items, contents, learnt.get(row.copied.row, "")) for row in rows]

    def changed(self, viewer: User, a: Evaluation, b: Evaluation) -> list[Any]:
        """Rows whose answers moved most, those that b made worse first: their texts from both, which are kept nowhere else."""
        one, two = queries.rows_of(a), queries.rows_of(b)
        every = ROWS.changes(one, two)
        some = [each for kind in ("worse", "better") for each in [each for each in every if each.kind == kind][: PAGE // 2]]
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
        """The prompt, of a dialogue what was said last."""
        turns = turns_before(row)
        prompt = turns[-1]["content"] if turns else row["text"]
        return Read((prompt,), (disturb(flip.probe, prompt, seed=seed, name=flip.id).text,), row["answer"])

    def names(self, kept: str, read: Read) -> tuple[str, ...]:
        """The text, for who may read it."""
        return (kept,) if read.text and kept else ()

    def explained(self, evaluation: Evaluation, digest: str, chosen: str = "") -> dict[str, Any]:
        """The prompt of an item with its words shaded, and the answer beside it."""
        own = self.rows.one(evaluation, digest)
        if own is None:
            raise missing()
        context, row = asked(evaluation, digest), snapshots.learned_rows_of(evaluation.snapshot, [digest]).get(digest)
        report = context["kept"] if row else {}
        words = report.get("words", [])
        top = strongest_effect(words)
        turns = [
            Turn(turn["role"], parts(turn["content"], [word for word in words if word["turn"] == at], top))
            for at, turn in enumerate(prompt_of(row) if row else ())
        ]
        return context | {
            "row": row,
            "answer": own.answer.strip() if row else "",  # what was written to an item that is gone is not shown either
            "cut": own.cut,
            "report": report,
            "turns": turns,
            "unit": ONE.get(report.get("unit", ""), ""),
            "words": strongest([part for turn in turns for part in turn.parts]),
        }


def prompt_of(row: Mapping[str, Any]) -> Sequence[Mapping[str, str]]:
    """The turns before the answer; of a prompt that is one text that alone, without a role."""
    return turns_before(row) or ({"role": "", "content": row["text"]},)


def text_line(evaluation: Evaluation, row: TextRow, items: Mapping[str, Item], contents: Mapping[str, Any], source: str) -> TextLine:
    """One row. contents: prompts and references that may be read, by digest; source: the training item that it may have copied."""
    content = contents.get(row.item, {})
    answer = row.answer if content else ""  # what was written to an item that is gone is not shown either
    copied = row.copied.text if content else ""
    if not verbatim.holds(contents.get(source, {}).get("answer", ""), copied):  # rows are counted otherwise once one of train is erased
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
    """What is copied from training, and what was cut or left out."""
    lost = {
        "Some rows were too long.": notes.cut(report),
        "Some dialogues are left out.": notes.left_out(report),
        "Some answers were cut.": notes.unended(report),
    }
    copied = notes.copied(report)
    return [*([copied] if copied else []), *(Note("warn", fact, text) for fact, text in lost.items() if text)]


def number(text: str | None) -> float | None:
    """A bound of a range; None where there is none, or no number."""
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) else None


ENTRY = TextPage(ROWS)
