"""Reading an evaluation's rows for pages and jobs: filters, predictions, differences between two models, and
explanations. No requests or charts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from lifecycle.ground.compute import warm
from lifecycle.modeling.evaluation import queries
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.rules import SIDES, Answer, Change, Turned
from lifecycle.runtime.engine.occlusion import spans
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.measures import measures_of
from lifecycle.runtime.task_types.measures import P
from lifecycle.ui.numbers import GAP, count, decimals, significant

LEAST_P = 0.00001  # smaller p-values are shown as < this
ERASED = "The text of this item was erased, so it can't be explained."


class Row(Protocol):
    """One row as its task shows it."""

    @property
    def item(self) -> str:
        """Digest of the item."""


R = TypeVar("R", bound=Row)


class Slip(NamedTuple):
    """One error of a row. kind: missed, invented (predicted but not true), class (wrong label), or boundary
    (wrong place only). true, predicted: labels, "" if there is none.
    """

    kind: str
    true: str
    predicted: str


@dataclass(frozen=True)
class ReportRows(ABC, Generic[P, R]):
    """The row reader of one task. task: its key.

    probed: maximum number of perturbed rows. compared: maximum per side in membership inference. kinds: of
    changes, worst first. does, measures: for tasks without labels, what their models do and what the report
    measures, as parts of sentences. ungrouped: why errors can't be clustered, continuing `does`; instead:
    what to do about it.
    """

    task: str
    probed: ClassVar[int] = 2_000
    compared: ClassVar[int] = 10_000
    kinds: ClassVar[tuple[str, ...]] = ("broken", "fixed", "other")
    does: ClassVar[str] = ""
    measures: ClassVar[str] = ""
    ungrouped: ClassVar[str] = ""
    instead: ClassVar[str] = ""

    # ── Rows of one evaluation ──────────────────────────────────────────────
    @contextmanager
    def opened(self, evaluation: Evaluation) -> Iterator[Any]:
        """Context for the three methods below. By default all rows, as P."""
        yield queries.rows_of(evaluation)

    @abstractmethod
    def find(self, opened: Any, cell: Mapping[str, str]) -> list[int]:
        """Row numbers for a filter, most confident errors first, in a stable order. {}: all rows with
        errors.
        """

    @abstractmethod
    def at(self, opened: Any, rows: Sequence[int]) -> list[R]:
        """These rows, in this order."""

    def ids(self, opened: Any) -> Sequence[str]:
        """Digests of all items."""
        found: Sequence[str] = opened.ids
        return found

    def places(self, opened: Any, digests: Sequence[str]) -> list[int]:
        """Row numbers of these items, in this order, without items that aren't in the evaluation."""
        number = {item: row for row, item in enumerate(self.ids(opened))}
        return [number[item] for item in digests if item in number]

    def of(self, evaluation: Evaluation, digests: Sequence[str]) -> list[R]:
        """The rows of these items."""
        with self.opened(evaluation) as opened:
            return self.at(opened, self.places(opened, digests))

    def one(self, evaluation: Evaluation, digest: str) -> R | None:
        """The row of an item."""
        return next(iter(self.of(evaluation, [digest])), None)

    def first(self, evaluation: Evaluation, most: int) -> list[R]:
        """Rows with errors, most confident first."""
        with self.opened(evaluation) as opened:
            return self.at(opened, self.find(opened, {})[:most])

    def slips(self, row: R) -> Iterable[Slip]:
        """The errors of a row, which name error clusters."""
        return ()

    # ── Two evaluations ─────────────────────────────────────────────────────
    @abstractmethod
    def answers(self, rows: P) -> list[Answer]:
        """One prediction per row, in file order."""

    def right(self, rows: P, answers: Sequence[Answer]) -> Iterable[bool]:
        """Whether each row is correct. answers: of these rows."""
        return (each.true == each.predicted for each in answers)

    def changes(self, one: P, two: P) -> list[Change]:
        """Items with the same true value and different predictions, by kind; two correct predictions don't
        differ.
        """
        measures = measures_of(self.task)
        first, second = measures.shared(one, two)
        sides = measures.some(one, first), measures.under(measures.some(two, second), one.labels)
        before, after = map(self.answers, sides)
        right = [
            list(self.right(rows, answers)) for rows, answers in zip(sides, (before, after), strict=True)
        ]
        found = [
            Change(
                old.item,
                old.true,
                old.predicted,
                new.predicted,
                "other" if was == now else "fixed" if now else "broken",
            )
            for old, new, was, now in zip(before, after, *right, strict=True)
            if old.predicted != new.predicted and not (was and now)
        ]
        return sorted(found, key=lambda change: (self.kinds.index(change.kind), change.item))

    def turned(self, one: P, two: P, changed: Sequence[Change]) -> Mapping[str, Turned]:
        """For each label, the items that only one of the two models gets right; {} for tasks without
        labels.
        """
        return {}

    def moved(self, counts: Mapping[str, Any], second: str) -> str:
        """How many predictions changed, as a sentence. counts: of each kind, and p. second: the name of the
        second model.
        """
        if not (turned := counts["fixed"] + counts["broken"]):
            return "Both models are correct on the same items."
        sides = f"{second} fixed {count(counts['fixed'])} and broke {count(counts['broken'])}"
        return f"Of {count(turned)} items that only one model gets right, {sides}; {chance(counts['p'])}."

    # ── Word attribution ────────────────────────────────────────────────────
    def explain_row(self, evaluation: Evaluation, item: str) -> dict[str, Any]:
        """The input to explain for an item. Raises Refused if the evaluation has no prediction for it, the
        prediction is empty, or the text is erased or has no words.
        """
        if self.one(evaluation, item) is None:
            raise unanswered()
        found = queries.items_by_digest(evaluation, [item]).get(item)
        if found is None or not found.text:
            raise Refused(ERASED)
        text = found.text[: queries.TEXT_READ]
        refuse_wordless([text])
        return {"text": text}

    def explain(self, artifact: Path, row: Mapping[str, Any]) -> dict[str, Any]:
        """The effect of each word on the prediction: offsets only, no text. row: from `explain_row`. Raises
        Refused if there is no prediction any more.
        """
        return warm.explain(artifact, row["text"])


def turned_by_label(changed: Sequence[Change]) -> dict[str, Turned]:
    """For each label of whole texts, the rows whose membership only one of the two models gets right."""
    found: dict[str, Turned] = {}
    for change in changed:
        for label in {*change.first} ^ {*change.second}:
            is_fixed = (label in change.second) == (label in change.true)
            found.setdefault(label, {})[change.item] = SIDES["fixed" if is_fixed else "broken"]
    return found


def most_frequent(rows: Iterable[Iterable[Slip]]) -> dict[str, Any]:
    """The most frequent error and its number of rows, as stored in a report; ties by label names."""
    counts = Counter(slip for row in rows for slip in set(row))
    slip, number = min(
        counts.items(), key=lambda each: (-each[1], each[0].true, each[0].predicted, each[0].kind)
    )
    return slip._asdict() | {"pair_rows": number}


def chance(p: float) -> str:
    """A p-value for display."""
    return f"p{GAP}<{GAP}{decimals(LEAST_P, 5)}" if p < LEAST_P else f"p{GAP}={GAP}{significant(p)}"


def unanswered() -> Refused:
    """The error for an item without a prediction in the evaluation."""
    return Refused(
        "This evaluation has no prediction for that item.",
        fields={"item": ["Choose an item of this evaluation."]},
    )


def refuse_wordless(texts: Iterable[str]) -> None:
    """Raise Refused if no text has a word to leave out."""
    if not any(map(spans, texts)):
        raise Refused("This item has no words to leave out.", next_step="Choose another item.")
