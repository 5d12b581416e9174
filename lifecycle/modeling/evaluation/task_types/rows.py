"""What pages and jobs read of an evaluation's rows: which stand behind a figure, how each was answered, what two models answered otherwise,
and what can be explained. No request, no chart."""

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

LEAST_P = 0.00001  # smaller ones are not written out
GONE = "The text of this item is gone, so its words cannot be looked at."


class Row(Protocol):
    """One row as its task shows it. item: digest of its item."""

    @property
    def item(self) -> str:
        """Its digest."""


R = TypeVar("R", bound=Row)


class Slip(NamedTuple):
    """One mistake of a row. kind: missed, invented (given where it is not true), class (read as another) or boundary (its place alone is
    wrong). true, predicted: labels, "" where there is none on that side."""

    kind: str
    true: str
    predicted: str


@dataclass(frozen=True)
class ReportRows(ABC, Generic[P, R]):
    """The rows of one task. task: its key.

    probed: how many are disturbed at most. compared: how many of each side membership inference takes at most. kinds: of changes, the worst
    first. does, measures: of a task without labels what its models do, and what its report measures. ungrouped: why its errors can't be
    put into groups, after what its models do, where they can't; instead: what is done then.
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
        """What the three below read. By default all rows, as P."""
        yield queries.rows_of(evaluation)

    @abstractmethod
    def find(self, opened: Any, cell: Mapping[str, str]) -> list[int]:
        """Numbers of the rows behind a figure, the surest mistakes first, in an order that never changes. {}: all rows with a mistake."""

    @abstractmethod
    def at(self, opened: Any, rows: Sequence[int]) -> list[R]:
        """These rows, in this order."""

    def ids(self, opened: Any) -> Sequence[str]:
        """Digests of all items."""
        found: Sequence[str] = opened.ids
        return found

    def places(self, opened: Any, digests: Sequence[str]) -> list[int]:
        """Numbers of the rows of these items, in this order; those that the evaluation does not hold are left out."""
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
        """Rows with a mistake, the surest first."""
        with self.opened(evaluation) as opened:
            return self.at(opened, self.find(opened, {})[:most])

    def slips(self, row: R) -> Iterable[Slip]:
        """What a row mistook, by which errors are named in groups."""
        return ()

    # ── Two evaluations ─────────────────────────────────────────────────────
    @abstractmethod
    def answers(self, rows: P) -> list[Answer]:
        """One answer a row, in the order of the file."""

    def right(self, rows: P, answers: Sequence[Answer]) -> Iterable[bool]:
        """Whether each row is answered rightly. answers: of these rows."""
        return (each.true == each.predicted for each in answers)

    def changes(self, one: P, two: P) -> list[Change]:
        """Items with the same truth that the two answered differently, by their kinds; where both are right, they do not differ."""
        measures = measures_of(self.task)
        first, second = measures.shared(one, two)
        sides = measures.some(one, first), measures.under(measures.some(two, second), one.labels)
        before, after = map(self.answers, sides)
        right = [list(self.right(rows, answers)) for rows, answers in zip(sides, (before, after), strict=True)]
        found = [
            Change(mine.item, mine.true, mine.predicted, other.predicted, "other" if was == now else "fixed" if now else "broken")
            for mine, other, was, now in zip(before, after, *right, strict=True)
            if mine.predicted != other.predicted and not (was and now)
        ]
        return sorted(found, key=lambda change: (self.kinds.index(change.kind), change.item))

    def turned(self, one: P, two: P, changed: Sequence[Change]) -> Mapping[str, Turned]:
        """Of each label the items about which only the second, only the first, is right; {} of a task without labels."""
        return {}

    def moved(self, counts: Mapping[str, Any], second: str) -> str:
        """How many answers changed, in a sentence. counts: of each kind, and p. second: the name of the second model."""
        if not (turned := counts["fixed"] + counts["broken"]):
            return "Both are right on the same items."
        sides = f"{second} fixed {count(counts['fixed'])} and broke {count(counts['broken'])}"
        return f"Of {count(turned)} items that only one of them answers rightly, {sides}; {chance(counts['p'])}."

    # ── Words that speak ────────────────────────────────────────────────────
    def explain_row(self, evaluation: Evaluation, item: str) -> dict[str, Any]:
        """The row of an item as a model is asked about its words. Raises Refused where the evaluation holds no answer to it, the answer is
        empty, or the text is gone or holds no word."""
        if self.one(evaluation, item) is None:
            raise unanswered()
        found = queries.items_by_digest(evaluation, [item]).get(item)
        if found is None or not found.text:
            raise Refused(GONE)
        text = found.text[: queries.TEXT_READ]
        refuse_wordless([text])
        return {"text": text}

    def explain(self, artifact: Path, row: Mapping[str, Any]) -> dict[str, Any]:
        """What each word of a row says for its answer: offsets alone, no text. row: of `explain_row`. Raises Refused where there is no
        answer any more."""
        return warm.explain(artifact, row["text"])


def turned_by_label(changed: Sequence[Change]) -> dict[str, Turned]:
    """Of each label of whole texts the rows of which only the second, only the first, says rightly whether they have it."""
    found: dict[str, Turned] = {}
    for change in changed:
        for label in {*change.first} ^ {*change.second}:
            is_fixed = (label in change.second) == (label in change.true)
            found.setdefault(label, {})[change.item] = SIDES["fixed" if is_fixed else "broken"]
    return found


def most_frequent(rows: Iterable[Iterable[Slip]]) -> dict[str, Any]:
    """The mistake that most rows hold and how many they are, as a report has it; of equally frequent ones the first by its labels."""
    counts = Counter(slip for row in rows for slip in set(row))
    slip, number = min(counts.items(), key=lambda each: (-each[1], each[0].true, each[0].predicted, each[0].kind))
    return slip._asdict() | {"pair_rows": number}


def chance(p: float) -> str:
    """The p-value of a test."""
    return f"p{GAP}<{GAP}{decimals(LEAST_P, 5)}" if p < LEAST_P else f"p{GAP}={GAP}{significant(p)}"


def unanswered() -> Refused:
    """The refusal of an item to which the evaluation holds no answer."""
    return Refused("This evaluation holds no answer to that item.", fields={"item": ["Choose an item that was answered here."]})


def refuse_wordless(texts: Iterable[str]) -> None:
    """Raises Refused where there is nothing to leave out."""
    if not any(map(spans, texts)):
        raise Refused("This item holds no word that could be left out.", next_step="Choose another one.")
