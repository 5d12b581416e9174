"""Baselines of spans: predicting none, a dictionary of training spans, and logistic regression on the base's
embeddings.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

import numpy as np

from lifecycle.runtime.task_types.baselines import Answer, regression
from lifecycle.runtime.task_types.rows import Rows, Vectors
from lifecycle.runtime.task_types.spans import tagging
from lifecycle.runtime.task_types.spans.measures import ScoredSpans, score_spans
from lifecycle.runtime.task_types.spans.tagging import Found, Tokens

WORD = re.compile(r"\w+|[^\w\s]")
MOSTLY = 0.5  # minimum share of a string's occurrences in training that are spans, for the dictionary
TOKENS = 20_000  # training tokens for the regression, from texts sampled by the seed: more take minutes

Lengths = Mapping[str, Sequence[int]]
Marks = Callable[[Rows], list[list[Found]]]  # the spans of each text


def nothing(rows: Rows) -> list[list[Found]]:
    """No spans in any text, which is right for most tokens."""
    return [[] for _ in rows.ids]


def dictionary(train: Rows) -> Marks:
    """Training spans matched word for word in a text, longest first, each with its most frequent label.

    Strings that are spans in less than half of their occurrences in training are left out.
    """
    known: dict[tuple[str, ...], Counter[int]] = defaultdict(Counter)
    for text, marked in zip(train.texts, train.targets, strict=True):
        for start, end, label in marked.spans:
            known[tuple(WORD.findall(text[start:end]))][label] += 1
    lengths, seen = lengths_by_first(known), Counter[tuple[str, ...]]()
    for text in train.texts:
        words = WORD.findall(text)
        for at in range(len(words)):
            seen.update(_standing(words, at, known, lengths))
    kept = {
        some: labels.most_common(1)[0][0]
        for some, labels in known.items()
        if some and labels.total() >= MOSTLY * seen[some]
    }
    lengths = lengths_by_first(kept)
    return lambda rows: [_look_up(text, kept, lengths) for text in rows.texts]


def lengths_by_first(known: Iterable[tuple[str, ...]]) -> Lengths:
    """For the first word of known spans, their lengths in words, longest first: only these need to be
    tried.
    """
    found: dict[str, set[int]] = defaultdict(set)
    for some in filter(None, known):
        found[some[0]].add(len(some))
    return {first: sorted(each, reverse=True) for first, each in found.items()}


def _standing(
    words: Sequence[str], at: int, known: Container[tuple[str, ...]], lengths: Lengths
) -> Iterator[tuple[str, ...]]:
    """The known spans that start at a word, longest first."""
    for length in lengths.get(words[at], ()):
        if at + length <= len(words) and (some := tuple(words[at : at + length])) in known:
            yield some


def _look_up(text: str, kept: Mapping[tuple[str, ...], int], lengths: Lengths) -> list[Found]:
    places = list(WORD.finditer(text))
    words = [place.group() for place in places]
    found, at = [], 0
    while at < len(words):
        some = next(_standing(words, at, kept, lengths), ())
        if some:
            found.append(Found(places[at].start(), places[at + len(some) - 1].end(), kept[some], 1.0))
        at += max(len(some), 1)
    return found


def frozen_base_logreg(train: Rows, classes: int, seed: int, vectors: Vectors) -> Marks:
    """Logistic regression of each token's tag on the base's embedding, decoded to the most likely valid
    spans.
    """
    some = _drawn(train, seed)
    known = list(vectors(some))
    tags = np.concatenate(
        [tagging.tag(each.spans, places) for each, (_, places) in zip(some.targets, known, strict=True)]
    )
    model = regression(seed).fit(np.concatenate([each for each, _ in known]), tags)

    def answer(rows: Rows) -> list[list[Found]]:
        values, offsets = [], []
        for each, places in vectors(rows):  # one text at a time: the embeddings of many texts take gigabytes
            probabilities = np.zeros((len(each), tagging.tags(classes)))
            if len(probabilities):
                probabilities[:, model.classes_] = model.predict_proba(each)
            values.append(probabilities)
            offsets.append(places)
        return tagging.find(Tokens(tuple(values), tuple(offsets)))

    return answer


def _drawn(train: Rows, seed: int) -> Rows:
    """Training rows up to about this many tokens."""
    order = np.random.default_rng(seed).permutation(len(train))
    words = np.cumsum([len(train.texts[row].split()) + 1 for row in order])
    kept = sorted(int(row) for row in order[: int(np.searchsorted(words, TOKENS)) + 1])
    return Rows(*(tuple(each[row] for row in kept) for each in (train.ids, train.texts, train.targets)))


def learn(train: Rows, classes: int, seed: int, vectors: Vectors | None) -> dict[str, Answer]:
    """Each baseline by name. vectors: embeddings (T, H) of each row's tagged tokens, with their places (T,
    2).
    """
    found: dict[str, Marks] = {"majority": nothing, "dictionary": dictionary(train)}
    if vectors is not None:
        found["frozen_base_logreg"] = frozen_base_logreg(train, classes, seed, vectors)
    return {name: scored_by(answer, classes) for name, answer in found.items()}


def scored_by(answer: Marks, classes: int) -> Callable[[Rows], ScoredSpans]:
    """Scored by place and label, without token statistics."""

    def score(rows: Rows) -> ScoredSpans:
        zeros = np.zeros(len(rows))
        return score_spans(answer(rows), [each.spans for each in rows.targets], zeros, zeros, classes)

    return score


ENTRY = learn
