"""Drift of texts by a classifier two-sample test: how well a classifier separates today's texts from the
reference's. Pure; numpy.

The classifier is ridge regression on the side (+1 current, -1 reference), solved in the dual, so that one
Gram matrix serves all folds and words or embedding dimensions may be many. Its area under the ROC curve is
0.5 where nothing separates the two sides.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used
from numpy.typing import NDArray

from lifecycle.runtime.statistics import clustered, membership

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOLDS = 5
SEED = 1
PERMUTATIONS = 199
RIDGE = 1.0
WORD = re.compile(r"\b[^\W\d_]{2,}\b")
VOCABULARY_MAX = 4000
COMMON_MAX = 0.5
SHOWN_WORDS = 12
SHOWN_TEXTS = 10
# a word is named only where so many different texts, of so many senders, hold it: what one person wrote is
# not shown
KNOWN = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """How well a classifier separates current texts from reference ones.

    auc: out of fold, 0 to 1. limit: what it exceeds with probability alpha where the sides are alike. p:
    one-sided. scores: out of fold, of the current rows in their order; large is typical of today. effect: the
    design effect of the current rows' groups on the AUC, 1 or more.
    """

    auc: float
    limit: float
    p: float
    n: int
    m: int
    scores: Floats
    effect: float


@dataclass(frozen=True, slots=True)
class Word:
    """A word that distinguishes the two sides. reference, current: the share of each side's texts that
    contain it, 0 to 1.
    """

    word: str
    reference: float
    current: float


# ── Texts as numbers ────────────────────────────────────────────────────────
def words_of(text: str) -> list[str]:
    """The words of two letters or more, in small letters; numbers are left out, since they are people's more
    often than topics'.
    """
    return WORD.findall(text.lower())


@dataclass(frozen=True, slots=True)
class Table:
    """Texts by words. matrix: TF-IDF float64 (N, V), rows of length 1 (or 0); holds: whether text n holds
    word v.
    """

    words: tuple[str, ...]
    matrix: Floats
    holds: NDArray[np.bool_]


def tf_idf(texts: Sequence[str]) -> Table:
    """(1 + ln count) * (ln((1 + N) / (1 + df)) + 1), each row scaled to length 1, as scikit-learn has it.

    Words that are in one text only, or in more than half of them, are left out; of the rest the 4,000 in most
    texts count.
    """
    counted = [Counter(words_of(text)) for text in texts]
    frequency = Counter(word for each in counted for word in each)
    kept = [word for word, held in frequency.items() if 2 <= held <= COMMON_MAX * len(texts)]
    words = sorted(sorted(kept, key=lambda word: (-frequency[word], word))[:VOCABULARY_MAX])
    place = {word: at for at, word in enumerate(words)}
    counts = np.zeros((len(texts), len(words)))
    for row, each in enumerate(counted):
        for word, count in each.items():
            if (at := place.get(word)) is not None:
                counts[row, at] = count
    holds = counts > 0
    weight = np.log((1 + len(texts)) / (1 + holds.sum(axis=0))) + 1
    matrix = np.where(holds, 1 + np.log(np.maximum(counts, 1)), 0.0) * weight
    return Table(tuple(words), unit(matrix), holds)


def unit(matrix: Floats) -> Floats:
    """Rows scaled to length 1; rows of zeros stay."""
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    scaled: Floats = matrix / np.where(length > 0, length, 1.0)
    return scaled


# ── The classifier ──────────────────────────────────────────────────────────
def folds(sides: Ints, groups: Ints, count: int, seed: int) -> Ints:
    """The fold of each row: that of its group, so that no classifier meets a row whose like it has seen.

    Groups are dealt out the largest first, else in an order that the seed decides, each to the fold that
    lacks most of its sides.
    """
    _, group_of = np.unique(groups, return_inverse=True)
    held = np.stack([np.bincount(group_of, weights=sides == side) for side in np.unique(sides)], axis=1)
    of_side = held / held.sum(axis=0)
    order = np.random.default_rng(seed).permutation(len(held))
    order = order[np.argsort(-held[order].sum(axis=1), kind="stable")]
    full, fold_of = np.zeros((count, held.shape[1])), np.empty(len(held), dtype=np.int64)
    for group in order:
        fold_of[group] = np.argmin(full @ of_side[group])
        full[fold_of[group]] += of_side[group]
    return fold_of[group_of]


def solve(gram: Floats, targets: Floats) -> tuple[Floats, Floats]:
    """Dual weights (N, K) and intercepts (K,) of K ridge regressions with an unpenalised intercept, on one
    Gram matrix (N, N).
    """
    mean = gram.mean(axis=0)
    centred = gram - mean[None, :] - mean[:, None] + mean.mean()
    dual = np.linalg.solve(centred + RIDGE * np.eye(len(gram)), targets - targets.mean(axis=0))
    dual -= dual.mean(axis=0)
    return dual, targets.mean(axis=0) - mean @ dual


def out_of_fold(gram: Floats, targets: Floats, number: Ints) -> Floats:
    """Each row's score by a classifier that has not seen it, for K targets at once. gram: (N, N); targets:
    (N, K); number: folds (N,).
    """
    scores = np.empty_like(targets)
    for fold in np.unique(number):
        seen, held_out = np.flatnonzero(number != fold), np.flatnonzero(number == fold)
        dual, intercept = solve(gram[np.ix_(seen, seen)], targets[seen])
        scores[held_out] = gram[np.ix_(held_out, seen)] @ dual + intercept
    return scores


def shuffled(sides: Ints, number: Ints, count: int, seed: int) -> Floats:
    """The sides as targets (+1 current, -1 reference), and `count` times with the rows of each fold
    exchanged: (N, 1 + count).
    """
    targets = np.repeat(np.where(sides == 1, 1.0, -1.0)[:, None], 1 + count, axis=1)
    random = np.random.default_rng(seed)
    for fold in np.unique(number):
        rows = np.flatnonzero(number == fold)
        targets[rows, 1:] = random.permuted(targets[rows, 1:], axis=0)
    return targets


def auc(scores: Floats, sides: NDArray[Any]) -> float:
    """The share of (current, reference) pairs in which the current row scores higher, ties counted half:
    Mann-Whitney U / (n m).
    """
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]
    current = sides > 0
    m = int(current.sum())
    n = len(sides) - m
    return float((rank[current].sum() - m * (m + 1) / 2) / (n * m))


def standard_error(n: int, m: int) -> float:
    """Of the AUC of independent scores where the sides are alike: sqrt((n + m + 1) / (12 n m))."""
    return math.sqrt((n + m + 1) / (12 * n * m))


def two_sample_test(
    reference: Floats, current: Floats, alpha: float, groups: Ints | None = None, *, seed: int = SEED
) -> Verdict:
    """Whether a classifier separates the current rows (m, D) from the reference (n, D) out of fold. Both have
    at least FOLDS rows.

    groups: a number for the sender of each of the n + m rows, or for its text, or the texts that are its near
    duplicates; rows of one group share a fold, for a classifier knows a text again that it has seen the like
    of. None: each its own.

    Scores of different folds depend on each other, which widens the AUC's spread to about one and a half of
    `standard_error`. So the spread is taken from 199 permutations of the sides within folds, and never less
    than the formula's. The part of it that is the current rows', n / (n + m), is multiplied by the design
    effect of their placements among the reference, that of the reference's by theirs (Obuchowski,
    "Nonparametric analysis of clustered ROC curve data", Biometrics 53, 1997), and Student's t represents the
    normal, on as many groups of one size as either side has at least.
    """
    rows = np.vstack([reference, current]).astype(np.float64)
    n, m = len(reference), len(current)
    sides = np.repeat(np.array([0, 1], dtype=np.int64), [n, m])
    groups = np.arange(n + m) if groups is None else groups
    number = folds(sides, groups, FOLDS, seed)
    targets = shuffled(sides, number, PERMUTATIONS, seed)
    scores = out_of_fold(rows @ rows.T, targets, number)
    found = auc(scores[:, 0], targets[:, 0])
    by_chance = [auc(scores[:, at], targets[:, at]) for at in range(1, 1 + PERMUTATIONS)]
    centre, spread = (
        max(0.5, float(np.mean(by_chance))),
        max(standard_error(n, m), float(np.std(by_chance, ddof=1))),
    )
    known, now = scores[:n, 0], scores[n:, 0]
    effect, freedom = together(membership.placements(now, known), groups[n:])
    effect_known, freedom_known = together(membership.placements(known, now), groups[:n])
    freedom, spread = (
        min(freedom, freedom_known),
        spread * math.sqrt((n * effect + m * effect_known) / (n + m)),
    )
    limit = min(1.0, centre + clustered.quantile(freedom, float(scipy.special.ndtri(1 - alpha))) * spread)
    p = float(scipy.special.stdtr(freedom, (centre - found) / spread)) if freedom > 0 else 1.0
    return Verdict(found, limit, p, n, m, now, effect)


def together(placed: Floats, groups: Ints) -> tuple[float, float]:
    """The design effect of the mean placement of a side, and the degrees of freedom that its groups leave, as
    many as if of one size.
    """
    sizes = np.unique(groups, return_counts=True)[1].astype(np.float64)
    return (
        clustered.effect_of_mean(placed, groups, len(placed)),
        float(sizes.sum() ** 2 / (sizes**2).sum()) - 1,
    )


# ── Distinctive words ───────────────────────────────────────────────────────
def distinctive_words(
    table: Table, n: int, texts: Sequence[str], senders: Sequence[str]
) -> tuple[list[Word], list[Word]]:
    """The words most typical of the current rows (those from n on), and of the reference's, by the weight of
    a classifier on all rows.

    texts, senders: of each row, what is the same text and who sent it. Only words that KNOWN different texts
    and senders of their side hold, and that this side holds more often.
    """
    sides = np.repeat([-1.0, 1.0], [n, len(table.matrix) - n])
    dual, _ = solve(table.matrix @ table.matrix.T, sides[:, None])
    weight = table.matrix.T @ dual[:, 0]
    shares = table.holds[:n].mean(axis=0), table.holds[n:].mean(axis=0)
    counts = [
        np.minimum(distinct(table.holds[rows], texts[rows]), distinct(table.holds[rows], senders[rows]))
        for rows in (slice(None, n), slice(n, None))
    ]

    def top(direction: int, own: int) -> list[Word]:
        fits = (counts[own] >= KNOWN) & (shares[own] > shares[1 - own]) & (direction * weight > 0)
        order = [int(at) for at in np.argsort(-direction * weight, kind="stable") if fits[at]]
        return [
            Word(table.words[at], float(shares[0][at]), float(shares[1][at])) for at in order[:SHOWN_WORDS]
        ]

    return top(1, 1), top(-1, 0)


def distinct(holds: NDArray[np.bool_], names: Sequence[str]) -> Ints:
    """How many different names the rows have that hold each word. holds: (N, V); names: of the N rows.
    Returns (V,).
    """
    _, place = np.unique(np.asarray(names, dtype=object), return_inverse=True)
    held = np.zeros((len(names), holds.shape[1]), dtype=np.bool_)
    np.logical_or.at(held, place, holds)
    found: Ints = held.sum(axis=0)
    return found


def most_typical(scores: Floats, count: int = SHOWN_TEXTS) -> list[int]:
    """The rows with the largest scores, largest first."""
    return [int(at) for at in np.argsort(-scores, kind="stable")[:count]]


# ── A region that no one evaluated ──────────────────────────────────────────
def nearest_distance(rows: Floats, among: Floats, groups: Ints | None = None) -> Floats:
    """Cosine distance (0 to 2) of each row to its nearest among others. groups: where both are one set, of
    which none of a row's group is its neighbour; infinite where there is no other group.
    """
    similarity = unit(np.asarray(rows, dtype=np.float64)) @ unit(np.asarray(among, dtype=np.float64)).T
    if groups is not None:
        similarity[groups[:, None] == groups[None, :]] = -np.inf
    distance: Floats = 1 - similarity.max(axis=1)
    return distance


def outside_share(reference: Floats, current: Floats, groups: Ints) -> float:
    """The share of current embeddings farther from every reference than 99 % of the references are from each
    other; 0 to 1. groups: of the reference rows; one's own group is no neighbour, nor is it where one group
    is all there is: then nothing lies outside.
    """
    edge = float(np.quantile(nearest_distance(reference, reference, groups), 0.99, method="higher"))
    return float((nearest_distance(current, reference) > edge + 1e-12).mean())


def plain(words: Sequence[Word]) -> list[dict[str, Any]]:
    """The words as JSON holds them."""
    return [
        {"word": each.word, "reference": round(each.reference, 4), "current": round(each.current, 4)}
        for each in words
    ]
