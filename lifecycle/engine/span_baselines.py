"""What a model of spans must beat: nothing at all, a dictionary of the training spans, and the untuned base with logistic regression."""

from __future__ import annotations

import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from lifecycle.engine.baseline_scores import Measured, measure
from lifecycle.engine.batches import Collate
from lifecycle.engine.classifier import TokenClassifier
from lifecycle.engine.data import NOT_COUNTED
from lifecycle.engine.forward import token_vectors
from lifecycle.engine.memory import EVALUATION_BATCH
from lifecycle.engine.recipes import RECIPES
from lifecycle.engine.strategies import load_encoder, load_tokenizer
from lifecycle.task_types.rows import Rows
from lifecycle.task_types.spans import measures as spans
from lifecycle.task_types.spans import tagging
from lifecycle.task_types.spans.tagging import Found, Marked, Tokens, Unit

WORD = re.compile(r"\w+|[^\w\s]")
MOSTLY = 0.5  # share of its occurrences in the training texts that must be marked, for a text to stand in the dictionary
TOKENS = 20_000  # training tokens that the regression learns from, of texts drawn by the seed: more take minutes
ITERATIONS = 100
TOLERANCE = 1e-3

Floats = NDArray[np.float64]
Lengths = Mapping[str, Sequence[int]]
Answer = Callable[[Sequence[str]], list[list[Found]]]  # the spans of each text


def nothing(texts: Sequence[str]) -> list[list[Found]]:
    """No span in any text, which most tokens are right with."""
    return [[] for _ in texts]


def dictionary(train: Rows) -> Answer:
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
    return lambda texts: [_look_up(text, kept, lengths) for text in texts]


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


def frozen_base_logreg(train: Rows, classes: int, seed: int, *, base: Path, max_tokens: int, unit: Unit, folder: Path) -> Answer:
    """Logistic regression of each token's tag on the untuned base's vector of it, and the likeliest tags that make spans."""
    tokenizer, recipe = load_tokenizer(base), RECIPES["spans"]
    encoder = load_encoder(base, "mean")
    model = TokenClassifier(encoder, int(encoder.config.hidden_size), tagging.tags(classes), "mean")
    batches = Collate(tokenizer.pad_token_id or 0, "token_type_ids" in tokenizer.model_input_names)

    def read(rows: Rows, place: str) -> tuple[Any, Any, list[NDArray[np.bool_]]]:
        """The rows encoded, the vectors (T, H) of each one's tokens, kept in the folder `place`, and which of these have a tag."""
        encoded = recipe.encode(tokenizer, rows, classes, max_tokens, unit)
        vectors = token_vectors(model, encoded.ids, batches, Path(place) / "tokens.f16", EVALUATION_BATCH)
        return encoded, vectors, [labels != NOT_COUNTED for labels in encoded.labels]

    with tempfile.TemporaryDirectory(dir=folder) as place:
        known, learnt, counted = read(_drawn(train, seed), place)
        tags = np.concatenate([labels[inside] for labels, inside in zip(known.labels, counted, strict=True)])
        seen = np.concatenate([learnt[row].numpy()[inside] for row, inside in enumerate(counted)])
    regression = LogisticRegression(max_iter=ITERATIONS, tol=TOLERANCE, random_state=seed).fit(seen, tags)

    def answer(texts: Sequence[str]) -> list[list[Found]]:
        values = []
        with tempfile.TemporaryDirectory(dir=folder) as place:  # of its own: the vectors of other texts are never taken for these
            asked, given, counted = read(Rows(tuple(map(str, range(len(texts)))), tuple(texts), (Marked(()),) * len(texts)), place)
            for row, inside in enumerate(counted):  # one at a time: all vectors of many texts are gigabytes
                probabilities = np.zeros((int(inside.sum()), tagging.tags(classes)))
                if len(probabilities):
                    probabilities[:, regression.classes_] = regression.predict_proba(given[row].numpy()[inside])
                values.append(probabilities)
        return tagging.find(Tokens(tuple(values), tuple(asked.offsets or ())))

    return answer


def _drawn(train: Rows, seed: int) -> Rows:
    """Training rows until about so many tokens are read."""
    order = np.random.default_rng(seed).permutation(len(train))
    words = np.cumsum([len(train.texts[row].split()) + 1 for row in order])
    kept = sorted(int(row) for row in order[: int(np.searchsorted(words, TOKENS)) + 1])
    return Rows(*(tuple(each[row] for row in kept) for each in (train.ids, train.texts, train.targets)))


def learn(
    train: Rows, *, classes: int, base: Path | None, folder: Path, max_tokens: int, unit: Unit, count: int, seed: int
) -> dict[str, Callable[[Rows], Measured]]:
    """Each baseline by name: what it reaches on some rows. folder: for what does not fit in memory."""
    answers = {"majority": nothing, "dictionary": dictionary(train)}
    if base is not None:
        answers["frozen_base_logreg"] = frozen_base_logreg(train, classes, seed, base=base, max_tokens=max_tokens, unit=unit, folder=folder)
    return {name: partial(_scores, answer, classes, count, seed) for name, answer in answers.items()}


def _scores(answer: Answer, classes: int, count: int, seed: int, test: Rows) -> Measured:
    zeros = np.zeros(len(test))
    rows = spans.score_spans(answer(test.texts), [each.spans for each in test.targets], zeros, zeros, classes)
    return measure(rows, test, task="spans", count=count, seed=seed)
