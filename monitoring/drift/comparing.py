"""Texts of a window against texts of the reference: by their words, and by the model's own vectors. Pure;
numpy.

Each text counts once on its side, however often it was sent: what many people send in the same words is no
news, and a classifier that has met a text knows it again. The texts of one sender, near duplicates of the
reference, and a text that is on both sides share a fold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy  # its parts are loaded when they are first used
from numpy.typing import NDArray

from datasets_app.datasets.rules import normal_digest
from lifecycle.runtime.statistics import clustered
from monitoring.drift import domain
from monitoring.drift.domain import Floats, Verdict, Word
from monitoring.drift.measuring.measured import Measured
from monitoring.drift.rules import ALPHA, MIN_TEXTS, Mark, Monitor

WORDLESS = "No word occurs in two texts, so words can't be compared."


@dataclass(frozen=True, slots=True)
class Compared:
    """What separates the sides. typical: places among the current texts, most typical first. outside: share,
    None where not measured.
    """

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
    problem = f"The window has {m} stored texts" if m < MIN_TEXTS else f"The reference has {n} texts"
    return Compared(
        tuple(
            Measured(each, Mark.INSUFFICIENT, f"{problem}; at least {MIN_TEXTS} are needed.", n=n, m=m)
            for each in TEXTUAL
        )
    )


TEXTUAL = (Monitor.WORDS, Monitor.MEANING)


def once(texts: Sequence[str]) -> list[int]:
    """The places of the texts that differ, each its state first; case, width and blanks make no
    difference.
    """
    first: dict[str, int] = {}
    for at, text in enumerate(texts):
        first.setdefault(normal_digest(text), at)
    return list(first.values())


def compare(
    reference: Sequence[str],
    current: Sequence[str],
    keys: Sequence[str],
    vectors: Vectors | str,
    step: Callable[[str], None],
    clusters: Sequence[int] | None = None,
) -> Compared:
    """Both classifiers, the words, the texts most typical of the window, and how many lie outside what was
    evaluated.

    reference, current: each text `once`. keys: the sender of each current text, empty where unknown; then the
    text itself represents its sender.
    vectors: of reference and current in the model's embedding, or why there are none. step: called with the
    next stage. clusters: the group of near duplicates of each text of the reference; None where each is one
    of its own, or no one counted.
    """
    n = len(reference)
    step("Comparing words")
    table = domain.tf_idf([*reference, *current])
    same = [normal_digest(text) for text in (*reference, *current)]
    senders = [*same[:n], *(key or text for key, text in zip(keys, same[n:], strict=True))]
    groups, known = grouped(same, n, keys, clusters)
    by_words = (
        domain.two_sample_test(table.matrix[:n], table.matrix[n:], ALPHA, groups) if table.words else None
    )
    new, missing = domain.distinctive_words(table, n, same, senders) if table.words else ([], [])
    found = [
        (
            measured_from(Monitor.WORDS, by_words, known)
            if by_words
            else Measured(Monitor.WORDS, Mark.NOT_MEASURED, WORDLESS)
        )
    ]
    if isinstance(vectors, str):
        found.append(Measured(Monitor.MEANING, Mark.NOT_MEASURED, vectors))
        return Compared(tuple(found), new, missing, domain.most_typical(by_words.scores) if by_words else [])
    step("Comparing meanings")
    rows = domain.unit(np.vstack(vectors).astype(np.float64))
    by_meaning = domain.two_sample_test(rows[:n], rows[n:], ALPHA, groups)
    found.append(measured_from(Monitor.MEANING, by_meaning, known))
    outside = domain.outside_share(vectors[0], vectors[1], groups[:n])
    return Compared(tuple(found), new, missing, domain.most_typical(by_meaning.scores), outside)


def grouped(
    same: Sequence[str], n: int, keys: Sequence[str], clusters: Sequence[int] | None = None
) -> tuple[NDArray[np.int64], int | None]:
    """The group of each row, and how many senders are known; None where fewer than two are, so that keys
    don't identify senders.

    same: what is the same text, of each row, the reference's n first. Rows are of one group that are the same
    text, or of one sender, or of one of the reference's clusters, and those that such rows join.
    """
    known = len(set(filter(None, keys)))
    ties: list[tuple[int, str, str | int]] = [(at, "text", text) for at, text in enumerate(same)]
    ties += [(n + at, "sender", key) for at, key in enumerate(keys) if key and known > 1]
    ties += [(at, "cluster", cluster) for at, cluster in enumerate(clusters or ())]
    places, rows = len(same) + clustered.numbered(tie[1:] for tie in ties), [at for at, *_ in ties]
    size = int(places.max()) + 1
    graph = scipy.sparse.coo_array((np.ones(len(ties)), (rows, places)), shape=(size, size))
    _, groups = scipy.sparse.csgraph.connected_components(graph, directed=False)
    return groups[: len(same)].astype(np.int64), known if known > 1 else None


def measured_from(monitor: Monitor, verdict: Verdict, senders: int | None) -> Measured:
    """A classifier's verdict as a monitor's value."""
    effect = verdict.effect if senders else None
    return Measured(
        monitor,
        Mark.OK,
        "",
        verdict.auc,
        verdict.limit,
        verdict.p,
        verdict.n,
        verdict.m,
        senders=senders,
        design_effect=effect,
    )
