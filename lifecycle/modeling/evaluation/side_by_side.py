"""Results of preference tests. Pure: from choices to counts and a sentence."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lifecycle.runtime.statistics.intervals import Interval, wilson
from lifecycle.runtime.statistics.significance import mcnemar
from lifecycle.runtime.statistics.verdicts import Verdict, verdict
from lifecycle.runtime.task_types.generation.measures import TextAnswers
from lifecycle.ui.numbers import GAP, count, percent, significant

LEAST, MOST, USUAL = 10, 500, 60  # pairs
EVEN = 0.5
OTHER = {"first": "second", "second": "first"}
SILENT = "(empty response)"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two responses to one prompt. item: digest of the prompt's item; swapped: whether the second model's
    response comes first.
    """

    item: str
    first: str
    second: str
    swapped: bool

    @property
    def shown(self) -> list[str]:
        """The responses in file order."""
        answers = [self.first or SILENT, self.second or SILENT]
        return answers[::-1] if self.swapped else answers


@dataclass(frozen=True, slots=True)
class Tally:
    """Choices by model. share: of the second model among resolved pairs, with its 95 % Wilson interval; p: of
    the sign test (exact, or with continuity correction from 25 pairs on) that both are chosen equally often.
    """

    first: int
    second: int
    tie: int
    neither: int
    share: float | None
    low: float
    high: float
    p: float

    @property
    def verdict(self) -> str:
        """first, second, or unclear if not significant."""
        if self.share is None:
            return Verdict.UNCLEAR.value
        sides = {Verdict.BETTER: "second", Verdict.WORSE: "first"}
        found = verdict(Interval(self.share - EVEN, self.low - EVEN, self.high - EVEN), p=self.p)
        return sides.get(found, found.value)


def pairs_of(first: TextAnswers, second: TextAnswers, *, most: int, seed: int) -> tuple[list[Pair], int]:
    """Pairs of different responses to the same prompts, drawn by the seed, and the number of prompts with
    equal responses.
    """
    theirs = {item: row for row, item in enumerate(second.ids)}
    shared = [
        (item, first.answers[row].strip(), second.answers[at].strip())
        for row, item in enumerate(first.ids)
        if (at := theirs.get(item)) is not None and first.targets[row] == second.targets[at]
    ]
    different = [each for each in shared if each[1] != each[2]]
    draw = random.Random(seed)  # noqa: S311  a sample, no secret
    chosen = sorted(draw.sample(different, min(most, len(different))))
    return [Pair(*each, swapped=draw.random() < 0.5) for each in chosen], len(shared) - len(different)


def tally(choices: Iterable[tuple[str, str]], swapped: Sequence[str]) -> Tally:
    """choices: (digest of the item, first, second, tie, or neither), in the order shown."""
    turned = set(swapped)
    counts = Counter(OTHER.get(chosen, chosen) if item in turned else chosen for item, chosen in choices)
    one, two = counts["first"], counts["second"]
    low, high = wilson(two, one + two)
    return Tally(
        one,
        two,
        counts["tie"],
        counts["neither"],
        two / (one + two) if one + two else None,
        low,
        high,
        mcnemar(two, one),
    )


def summary_of(found: Tally, first: str, second: str) -> Mapping[str, str]:
    """The result in words: fact and text."""
    if found.share is None:
        return {
            "fact": "Neither was preferred in any pair.",
            "text": f"{count(found.tie)} about the same, {count(found.neither)} both bad.",
        }
    interval = f"(95{GAP}% interval {percent(found.low, 0)} to {percent(found.high, 0)})"
    facts = {
        "first": f"Annotators prefer {first}.",
        "second": f"Annotators prefer {second}.",
        "unclear": f"No significant difference between {first} and {second}.",
    }
    share = (
        f"{second} was preferred in {percent(found.share, 0)} {interval} of"
        f" {count(found.first + found.second)} pairs"
    )
    rest = f"{count(found.tie)} about the same, {count(found.neither)} both bad"
    return {"fact": facts[found.verdict], "text": f"{share}, p{GAP}={GAP}{significant(found.p)}; {rest}."}
