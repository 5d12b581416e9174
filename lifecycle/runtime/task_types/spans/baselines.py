"""What a model of spans must beat: nothing at all, a dictionary of the training spans, and the untuned base with logistic regression."""

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
MOSTLY = 0.5  # share of its occurrences in the training texts that must be marked, for a text to stand in the dictionary
TOKENS = 20_000  # training tokens that the regression learns from, of texts drawn by the seed: more take minutes

Lengths = Mapping[str, Sequence[int]]
Marks = Callable[[Rows], list[list[Found]]]  # the spans of each text


def nothing(rows: Rows) -> list[list[Found]]:
    """No span in any text, which most tokens are right with."""
    return [[] for _ in rows.ids]


def dictionary(train: Rows) -> Marks:
    """The training spans, word for word, where they stand in a text, the longest first; each of the class that it mostly has.

    A text that is marked in fewer than half of the places where it stands in the training texts is left out.
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
    kept = {some: labels.most_common(1)[0][0] for some, labels in known.items() if some and labels.total() >= MOSTLY * seen[some]}
    lengths = lengths_by_first(kept)
    return lambda rows: [_look_up(text, kept, lengths) for text in rows.texts]


def lengths_by_first(known: Iterable[tuple[str, ...]]) -> Lengths:
    """For the first word of known spans how many words they have, the most first: nothing else needs to be tried at a word."""
    found: dict[str, set[int]] = defaultdict(set)
    for some in filter(None, known):
        found[some[0]].add(len(some))
    return {first: sorted(each, reverse=True) for first, each in found.items()}


def _standing(words: Sequence[str], at: int, known: Container[tuple[str, ...]], lengths: Lengths) -> Iterator[tuple[str, ...]]:
    """The known spans that begin at a word, the longest first."""
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
    """Logistic regression of each token's tag on the untuned base's vector of it, and the likeliest tags that make spans."""
    some = _drawn(train, seed)
    known = list(vectors(some))
    tags = np.concatenate([tagging.tag(each.spans, places) for each, (_, places) in zip(some.targets, known, strict=True)])
    model = regression(seed).fit(np.concatenate([each for each, _ in known]), tags)

    def answer(rows: Rows) -> list[list[Found]]:
        values, offsets = [], []
        for each, places in vectors(rows):  # one at a time: all vectors of many texts are gigabytes
            probabilities = np.zeros((len(each), tagging.tags(classes)))
            if len(probabilities):
                probabilities[:, model.classes_] = model.predict_proba(each)
            values.append(probabilities)
            offsets.append(places)
        return tagging.find(Tokens(tuple(values), tuple(offsets)))

    return answer


def _drawn(train: Rows, seed: int) -> Rows:
    """Training rows until about so many tokens are read."""
    order = np.random.default_rng(seed).permutation(len(train))
    words = np.cumsum([len(train.texts[row].split()) + 1 for row in order])
    kept = sorted(int(row) for row in order[: int(np.searchsorted(words, TOKENS)) + 1])
    return Rows(*(tuple(each[row] for row in kept) for each in (train.ids, train.texts, train.targets)))


def learn(train: Rows, classes: int, seed: int, vectors: Vectors | None) -> dict[str, Answer]:
    """Each baseline by name. vectors: of each row (T, H), of those of its tokens that have a tag, with their places (T, 2)."""
    found: dict[str, Marks] = {"majority": nothing, "dictionary": dictionary(train)}
    if vectors is not None:
        found["frozen_base_logreg"] = frozen_base_logreg(train, classes, seed, vectors)
    return {name: scored_by(answer, classes) for name, answer in found.items()}


def scored_by(answer: Marks, classes: int) -> Callable[[Rows], ScoredSpans]:
    """By place and label; of tokens nothing is counted."""

    def score(rows: Rows) -> ScoredSpans:
        zeros = np.zeros(len(rows))
        return score_spans(answer(rows), [each.spans for each in rows.targets], zeros, zeros, classes)

    return score


ENTRY = learn
