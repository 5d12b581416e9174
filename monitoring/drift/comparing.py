"""Texts of a window against texts of the reference: by their words, and by the model's own vectors. Pure; numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from datasets_app.datasets.rules import normal_digest
from monitoring.drift import domain
from monitoring.drift.domain import Floats, Verdict, Word
from monitoring.drift.measuring import Measured
from monitoring.drift.rules import ALPHA, MIN_TEXTS, Mark, Monitor

WORDLESS = "No word stands in two of the texts, so words tell nothing."


@dataclass(frozen=True, slots=True)
class Compared:
    """What tells the sides apart. typical: places among the current texts, most typical first. outside: share, None where not measured."""

    found: tuple[Measured, ...]
    new_words: list[Word] = field(default_factory=list)
    missing_words: list[Word] = field(default_factory=list)
    typical: list[int] = field(default_factory=list)
    outside: float | None = None


Vectors = tuple[Floats, Floats]


def too_few(n: int, m: int) -> Compared | None:
    """The answer where a side has too few texts; None where both have enough."""
    if n >= MIN_TEXTS and m >= MIN_TEXTS:
        return None
    said = f"{m} texts are kept of the window" if m < MIN_TEXTS else f"{n} texts are left of the reference"
    return Compared(tuple(Measured(each, Mark.INSUFFICIENT, f"{said}; at least {MIN_TEXTS} are needed.", n=n, m=m) for each in TEXTUAL))


TEXTUAL = (Monitor.WORDS, Monitor.MEANING)


def compare(
    reference: Sequence[str], current: Sequence[str], keys: Sequence[str], vectors: Vectors | str, step: Callable[[str], None]
) -> Compared:
    """Both classifiers, the words, the texts most typical of the window, and how many lie outside what was evaluated.

    keys: who sent each current text, empty where nobody says so; then the text itself stands for its sender.
    vectors: of reference and current in the model's embedding, or the sentence why there are none. step: told what comes next.
    """
    n = len(reference)
    step("Comparing words")
    table = domain.tf_idf([*reference, *current])
    same = [normal_digest(text) for text in (*reference, *current)]
    senders = [*same[:n], *(key or text for key, text in zip(keys, same[n:], strict=True))]
    by_words = verdict_of(table.matrix, n) if table.words else None
    new, missing = domain.telling_words(table, n, same, senders) if table.words else ([], [])
    found = [told(Monitor.WORDS, by_words) if by_words else Measured(Monitor.WORDS, Mark.NOT_MEASURED, WORDLESS)]
    if isinstance(vectors, str):
        found.append(Measured(Monitor.MEANING, Mark.NOT_MEASURED, vectors))
        return Compared(tuple(found), new, missing, domain.most_typical(by_words.scores) if by_words else [])
    step("Comparing meanings")
    rows = domain.unit(np.vstack(vectors).astype(np.float64))
    by_meaning = verdict_of(rows, n)
    found.append(told(Monitor.MEANING, by_meaning))
    outside = domain.outside_share(vectors[0], vectors[1])
    return Compared(tuple(found), new, missing, domain.most_typical(by_meaning.scores), outside)


def verdict_of(rows: NDArray[np.float64], n: int) -> Verdict:
    """Whether a classifier tells the rows from n on from those before."""
    return domain.told_apart(rows[:n], rows[n:], ALPHA)


def told(monitor: Monitor, verdict: Verdict) -> Measured:
    """A classifier's verdict as a monitor's value."""
    return Measured(monitor, Mark.OK, "", verdict.auc, verdict.limit, verdict.p, verdict.n, verdict.m)
