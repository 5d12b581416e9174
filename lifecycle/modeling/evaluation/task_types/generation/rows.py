"""Evaluation rows of generated text."""

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
from lifecycle.modeling.evaluation.task_types.rows import (
    ERASED,
    ReportRows,
    chance,
    refuse_wordless,
    unanswered,
)
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.contents.dialogue import ASSISTANT, turns_before
from lifecycle.runtime.task_types.generation.measures import METRICS, TextAnswers
from lifecycle.runtime.task_types.generation.verbatim import Run
from lifecycle.ui.numbers import count

LEADING = METRICS.leading
# (title, sign) of each sort key; sign 1: low values are worst, -1: high values are worst
SORTS = {
    "rouge_l": ("ROUGE-L", 1),
    "token_f1": ("Token F1", 1),
    "exact_match": ("Exact match", 1),
    "groundedness": ("Groundedness", 1),
    "loss": ("Loss per token", -1),
    "copied_words": ("Copied words", -1),
    "answer_words": ("Words", 1),
}


@dataclass(frozen=True, slots=True)
class TextRow:
    """One row. item: digest. base: the response before fine-tuning; None if not measured. cut: truncated at
    the maximum length. scores: by the names in SORTS; None if missing. copied: the longest run of words
    shared with a training response.
    """

    item: str
    answer: str
    base: str | None
    cut: bool
    scores: Mapping[str, float | None]
    copied: Run


class TextRows(ReportRows[TextAnswers, TextRow]):
    """Rows aren't right or wrong but closer to or further from their reference. Generation is slow, so fewer
    rows are perturbed; so is scoring by a decoder, and 1,000 rows per side are enough to estimate a rate at 1
    % false alarms.
    """

    probed = 100
    compared = 1_000
    kinds = ("worse", "better", "same")
    does = "generates text"
    measures = "generated text"
    ungrouped = "has no embedding per text, so its errors can't be clustered"
    instead = "Sort the responses by a score and read the worst ones."

    def find(self, opened: TextAnswers, cell: Mapping[str, str]) -> list[int]:
        """Rows sorted by a score (`sort`), worst first (`best`: best first), ties by item; with `low` or
        `high`, only rows in that range. Rows without the score come last, and are left out of ranges.
        """
        sort = cell.get("sort", LEADING.name)
        low, high = (float(cell[name]) if name in cell else None for name in ("low", "high"))
        values, sign = column(opened, sort), SORTS[sort][1] * (-1 if cell.get("best") else 1)
        known = ~np.isnan(values)
        inside = known.copy() if low is not None or high is not None else np.ones(len(values), dtype=bool)
        with np.errstate(invalid="ignore"):
            inside &= values >= low if low is not None else True
            inside &= values <= high if high is not None else True
        rows = np.flatnonzero(inside)
        order = np.lexsort(
            (
                np.array(opened.ids)[rows],
                np.where(known, sign * np.nan_to_num(values), 0.0)[rows],
                ~known[rows],
            )
        )
        return [int(row) for row in rows[order]]

    def at(self, opened: TextAnswers, rows: Sequence[int]) -> list[TextRow]:
        """The responses with all scores."""
        values = {name: column(opened, name) for name in SORTS}
        return [
            TextRow(
                opened.ids[row],
                opened.answers[row],
                opened.base_answers[row] if opened.base_answers else None,
                opened.cut[row],
                {
                    name: None if math.isnan(value[row]) else float(value[row])
                    for name, value in values.items()
                },
                opened.copied[row],
            )
            for row in rows
        ]

    def answers(self, rows: TextAnswers) -> list[Answer]:
        """Texts as generated. true is empty, confidence 0, loss that per token in nats."""
        loss = column(rows, "loss")
        return [
            Answer(item, (), (text,), 0.0, float(loss[at]))
            for at, (item, text) in enumerate(zip(rows.ids, rows.answers, strict=True))
        ]

    def changes(self, one: TextAnswers, two: TextAnswers) -> list[Change]:
        """Items with a response from both models to the same reference, by the change in ROUGE-L, largest
        first. Contains no text.
        """
        theirs = {item: row for row, item in enumerate(two.ids)}
        moved = [
            (float(two.scored.rouge_l[theirs[item]] - one.scored.rouge_l[row]), item)
            for row, item in enumerate(one.ids)
            if item in theirs and two.targets[theirs[item]] == one.targets[row]
        ]
        found = [
            (Change(item, (), (), (), "worse" if by < 0 else "better" if by else "same"), by)
            for by, item in moved
        ]
        return [
            each
            for each, _ in sorted(
                found, key=lambda pair: (self.kinds.index(pair[0].kind), -abs(pair[1]), pair[0].item)
            )
        ]

    def moved(self, counts: Mapping[str, Any], second: str) -> str:
        """How many responses are closer to their reference."""
        better, worse, same = (count(counts[name]) for name in ("better", "worse", "same"))
        test = f"; sign test {chance(counts['p'])}" if counts["better"] + counts["worse"] else ""
        return (
            f"{better} responses are closer to their reference, {worse} further away, {same} equally"
            f" close{test}."
        )

    def explain_row(self, evaluation: Evaluation, item: str) -> dict[str, Any]:
        """The prompt with the model's response in place of the reference, and whether that response was
        truncated.
        """
        own = self.one(evaluation, item)
        if own is None:
            raise unanswered()
        if not own.answer.strip():
            text = "The model's response to this prompt is empty, so there's nothing to explain."
            raise Refused(text, next_step="Choose a row with a response.")
        row = snapshots.learned_rows_of(evaluation.snapshot, [item]).get(item)
        if row is None:
            raise Refused(ERASED)
        turns = turns_before(row)
        refuse_wordless(
            [each["content"] for each in turns if each["role"] != ASSISTANT] if turns else [row["text"]]
        )
        if turns:
            row["messages"][-1] = {"role": ASSISTANT, "content": own.answer}
        return row | {"answer": own.answer, "cut": own.cut}


def column(found: TextAnswers, name: str) -> NDArray[Any]:
    """The sort value of each row (N,); NaN if missing."""
    scored = found.scored
    if name == "loss":
        return scored.nats / np.maximum(scored.tokens, 1)
    if name == "copied_words":
        return np.array([float(each.words) for each in found.copied])
    return {
        "rouge_l": scored.rouge_l,
        "token_f1": scored.f1,
        "exact_match": scored.exact,
        "groundedness": scored.grounded,
        "answer_words": scored.length,
    }[name]


ENTRY = TextRows("generation")
