"""Rows of texts that a model wrote."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets_app.snapshots import queries as snapshots
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.rules import Answer, Change
from lifecycle.modeling.evaluation.task_types.rows import GONE, ReportRows, chance, refuse_wordless, unanswered
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.contents.dialogue import ASSISTANT, turns_before
from lifecycle.runtime.task_types.generation.measures import METRICS, TextAnswers
from lifecycle.runtime.task_types.generation.verbatim import Run
from lifecycle.ui.numbers import count

LEADING = METRICS.leading
# What rows are sorted and searched by, with what stands for the worst: low or high values.
SORTS = {
    "rouge_l": ("ROUGE-L", 1),
    "token_f1": ("Token F1", 1),
    "exact_match": ("Exact match", 1),
    "groundedness": ("Groundedness", 1),
    "loss": ("Loss of a token", -1),
    "copied_words": ("Words copied", -1),
    "answer_words": ("Words", 1),
}


@dataclass(frozen=True, slots=True)
class TextRow:
    """One row. item: its digest. base: what the model before it was tuned wrote; None where that was not measured. cut: the answer reached
    its longest length without an end. scores: by the names of SORTS; None where a row has none. copied: the longest run of words that it
    shares with a training answer."""

    item: str
    answer: str
    base: str | None
    cut: bool
    scores: Mapping[str, float | None]
    copied: Run


class TextRows(ReportRows[TextAnswers, TextRow]):
    """A row is not right or wrong: it is nearer to its reference, or farther. To write an answer takes long, so fewer rows are disturbed; a
    decoder takes long to read one, and the rows compared are enough to tell a rate at 1 % false alarms."""

    probed = 100
    compared = 1_000
    kinds = ("worse", "better", "same")
    does = "writes texts"
    measures = "written texts"
    ungrouped = "gives no vector of a text by itself, so its errors cannot be put into groups"
    instead = "Sort its answers by a score, and read the worst."

    def find(self, opened: TextAnswers, cell: Mapping[str, str]) -> list[int]:
        """Rows by a score (`sort`), worst first (`best`: best first), by item where they are equal; those with a score from `low` to `high`
        alone. Rows without the score come last, and not at all where a range is asked for."""
        sort = cell.get("sort", LEADING.name)
        low, high = (float(cell[name]) if name in cell else None for name in ("low", "high"))
        values, sign = column(opened, sort), SORTS[sort][1] * (-1 if cell.get("best") else 1)
        known = ~np.isnan(values)
        inside = known.copy() if low is not None or high is not None else np.ones(len(values), dtype=bool)
        with np.errstate(invalid="ignore"):
            inside &= values >= low if low is not None else True
            inside &= values <= high if high is not None else True
        rows = np.flatnonzero(inside)
        order = np.lexsort((np.array(opened.ids)[rows], np.where(known, sign * np.nan_to_num(values), 0.0)[rows], ~known[rows]))
        return [int(row) for row in rows[order]]

    def at(self, opened: TextAnswers, rows: Sequence[int]) -> list[TextRow]:
        """Their answers with all scores."""
        values = {name: column(opened, name) for name in SORTS}
        return [
            TextRow(
                opened.ids[row], opened.answers[row], opened.base_answers[row] if opened.base_answers else None,
                bool(opened.cut and opened.cut[row]),
                {name: None if math.isnan(value[row]) else float(value[row]) for name, value in values.items()}, opened.copied[row],
            )
            for row in rows
        ]  # fmt: skip

    def answers(self, rows: TextAnswers) -> list[Answer]:
        """Texts as they were written. They stand for themselves: true is empty; confidence: 0; loss: of a token, in nats."""
        loss = column(rows, "loss")
        return [Answer(item, (), (text,), 0.0, float(loss[at])) for at, (item, text) in enumerate(zip(rows.ids, rows.answers, strict=True))]

    def changes(self, one: TextAnswers, two: TextAnswers) -> list[Change]:
        """Items that both answered to the same reference, by ROUGE-L of two against one, most changed first. They hold no text."""
        theirs = {item: row for row, item in enumerate(two.ids)}
        moved = [
            (float(two.scored.rouge_l[theirs[item]] - one.scored.rouge_l[row]), item)
            for row, item in enumerate(one.ids)
            if item in theirs and two.targets[theirs[item]] == one.targets[row]
        ]
        found = [(Change(item, (), (), (), "worse" if by < 0 else "better" if by else "same"), by) for by, item in moved]
        return [each for each, _ in sorted(found, key=lambda pair: (self.kinds.index(pair[0].kind), -abs(pair[1]), pair[0].item))]

    def moved(self, counts: Mapping[str, Any], second: str) -> str:
        """How many answers are nearer to their reference."""
        better, worse, same = (count(counts[name]) for name in ("better", "worse", "same"))
        test = f"; sign test {chance(counts['p'])}" if counts["better"] + counts["worse"] else ""
        return f"{better} answers are nearer to their reference, {worse} farther, {same} as near{test}."

    def explain_row(self, evaluation: Evaluation, item: str) -> dict[str, Any]:
        """The prompt with the answer that the model wrote in the place of the true one, and whether that answer was cut."""
        own = self.one(evaluation, item)
        if own is None:
            raise unanswered()
        if not own.answer.strip():
            text = "The model wrote nothing to this prompt, so no word speaks for its answer."
            raise Refused(text, next_step="Choose a row with an answer.")
        row = snapshots.learned_rows_of(evaluation.snapshot, [item]).get(item)
        if row is None:
            raise Refused(GONE)
        turns = turns_before(row)
        refuse_wordless([each["content"] for each in turns if each["role"] != ASSISTANT] if turns else [row["text"]])
        if turns:
            row["messages"][-1] = {"role": ASSISTANT, "content": own.answer}
        return row | {"answer": own.answer, "cut": own.cut}


def column(found: TextAnswers, name: str) -> NDArray[Any]:
    """The value of each row by which it is sorted (N,); NaN where it has none."""
    scored = found.scored
    if name == "loss":
        return scored.nats / np.maximum(scored.tokens, 1)
    if name == "copied_words":
        return np.array([float(each.words) for each in found.copied])
    return {
        "rouge_l": scored.rouge_l, "token_f1": scored.f1, "exact_match": scored.exact, "groundedness": scored.grounded,
        "answer_words": scored.length,
    }[name]  # fmt: skip


ENTRY = TextRows("generation")
