"""What the page shows on which words of a prompt stand that made a model write its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from datasets_app.snapshots import queries as snapshots
from lifecycle.evaluation import queries
from lifecycle.evaluation.models import Evaluation
from lifecycle.evaluation.words_page import Part, asked, missing, parts, strongest, strongest_effect
from lifecycle.task_types.contents.dialogue import turns_before

ONE = {"words": "word", "sentences": "sentence", "runs": "run of words"}


@dataclass(frozen=True, slots=True)
class Turn:
    """What somebody said, with its words shaded. role: empty of a prompt that is one text."""

    role: str
    parts: list[Part]


def explained(evaluation: Evaluation, digest: str) -> dict[str, Any]:
    """The prompt of an item with its words shaded and the answer beside it, or how to get that. Raises Http404 where there is no such
    item."""
    said = queries.said_to(evaluation, digest)
    if said is None:
        raise missing()
    context, row = asked(evaluation, digest), snapshots.learned_rows_of(evaluation.snapshot, [digest]).get(digest)
    report = context["kept"] if row else {}
    words = report.get("words", [])
    top = strongest_effect(words)
    told = (turns_before(row) or ({"role": "", "content": row["text"]},)) if row else ()
    turns = [
        Turn(turn["role"], parts(turn["content"], [word for word in words if word["turn"] == at], top)) for at, turn in enumerate(told)
    ]
    return context | {
        "row": row,
        "answer": said.answer.strip() if row else "",  # what was written to an item that is gone is not shown either
        "cut": said.cut,
        "report": report,
        "turns": turns,
        "unit": ONE.get(report.get("unit", ""), ""),
        "words": strongest([part for turn in turns for part in turn.parts]),
    }
