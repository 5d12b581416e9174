"""Evaluation rows of spans: true and predicted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from lifecycle.ground.compute import warm
from lifecycle.modeling.evaluation import queries
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.rules import SIDES, Answer, Change, Turned
from lifecycle.modeling.evaluation.task_types.rows import ReportRows, Slip
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.spans import predictions
from lifecycle.runtime.task_types.spans.measures import ENTRY as MEASURES
from lifecycle.runtime.task_types.spans.measures import Match, SpanPredictions, matches
from lifecycle.runtime.task_types.spans.tagging import Found, Span

NOTHING = "–"  # a missing label: no true span, or no predicted one
NOTHING_FOUND = "The model predicted no spans in this text, so there's nothing to explain."


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One item's spans. item: digest. labels: names by number."""

    item: str
    labels: tuple[str, ...]
    true: tuple[Span, ...]
    found: tuple[Found, ...]
    matches: tuple[Match, ...]

    @property
    def wrong(self) -> int:
        """Number of incorrect matches."""
        return sum(each.kind != "exact" for each in self.matches)


class SpanRows(ReportRows[SpanPredictions, SpanRow]):
    """Reads whole rows only for display."""

    @contextmanager
    def opened(self, evaluation: Evaluation) -> Iterator[Path]:
        """The path of the file."""
        with queries.file_of_rows(evaluation) as path:
            yield path

    def ids(self, opened: Path) -> list[str]:
        """Digests of all items."""
        found: list[str] = pq.read_table(opened, columns=["id"])["id"].to_pylist()
        return found

    def find(self, opened: Path, cell: Mapping[str, str]) -> list[int]:
        """Rows with a match of this kind, true label, and predicted label (empty: any; NOTHING: no span),
        most confident errors first.
        """
        sides = {name: cell.get(name, "") for name in ("true", "predicted")}
        true, found = (None if label == NOTHING else label for label in sides.values())
        return predictions.ENTRY.find(opened, kind=cell.get("kind", ""), true=true, found=found)

    def at(self, opened: Path, rows: Sequence[int]) -> list[SpanRow]:
        """True and predicted spans of each row, and their matches."""
        return every(predictions.ENTRY.read(opened, rows))

    def slips(self, row: SpanRow) -> Iterator[Slip]:
        """Each incorrect span; overlapping spans with a wrong label count as class errors."""
        for match in row.matches:
            if match.kind != "exact":
                true, found = (
                    row.labels[match.true[2]] if match.true else "",
                    row.labels[match.found.label] if match.found else "",
                )
                yield Slip("class" if match.kind == "both" else match.kind, true, found)

    def answers(self, rows: SpanPredictions) -> list[Answer]:
        """Label and place of each span. confidence: of the least confident predicted span, 0 if none; loss:
        0.
        """
        return [answer(each) for each in every(rows)]

    def turned(
        self, one: SpanPredictions, two: SpanPredictions, changed: Sequence[Change]
    ) -> dict[str, Turned]:
        """For each label, the texts in which only one of the two models gets exactly the right spans."""
        first, second = MEASURES.shared(one, two)
        before, after = MEASURES.some(one, first), MEASURES.under(MEASURES.some(two, second), one.labels)
        found: dict[str, Turned] = {label: {} for label in one.labels}
        for item, truth, old, new in zip(before.ids, before.truth, before.found, after.found, strict=True):
            sides = {*truth}, {each.span for each in old}, {each.span for each in new}
            for number, label in enumerate(one.labels):
                wanted, was, now = ({span for span in side if span[2] == number} for side in sides)
                if (was == wanted) != (now == wanted):
                    found[label][item] = SIDES["broken" if was == wanted else "fixed"]
        return found

    def explain_row(self, evaluation: Evaluation, item: str) -> dict[str, Any]:
        """A text with a predicted span."""
        row = self.one(evaluation, item)
        if row and not row.found:
            raise nothing_found()
        return super().explain_row(evaluation, item)

    def explain(self, artifact: Path, row: Mapping[str, Any]) -> dict[str, Any]:
        """An explanation for each span."""
        found = warm.explain(artifact, row["text"])
        if not found["parts"]:
            raise nothing_found()
        return found


def every(rows: SpanPredictions) -> list[SpanRow]:
    """One per item, in file order."""
    sides = zip(rows.ids, rows.truth, rows.found, strict=True)
    return [
        SpanRow(item, rows.labels, true, found, tuple(matches(true, found))) for item, true, found in sides
    ]


def answer(row: SpanRow) -> Answer:
    """A row by label and place."""
    sure = min((each.confidence for each in row.found), default=0.0)
    return Answer(
        row.item,
        placed(row.true, row.labels),
        placed((each.span for each in row.found), row.labels),
        sure,
        0.0,
    )


def placed(spans: Iterable[Span], labels: Sequence[str]) -> tuple[str, ...]:
    """Label and place of each span, in order."""
    return tuple(f"{labels[label]} {start}–{end}" for start, end, label in sorted(spans))


def nothing_found() -> Refused:
    """The error for a text without predicted spans."""
    return Refused(NOTHING_FOUND, next_step="Choose a text with a predicted span.")


ENTRY = SpanRows("spans")
