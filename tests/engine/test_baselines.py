"""Baselines: a regression for multi-label, and a dictionary for spans."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from lifecycle.runtime.statistics import calibration
from lifecycle.runtime.task_types import baselines
from lifecycle.runtime.task_types.multi_label import baselines as of_sets
from lifecycle.runtime.task_types.rows import Rows
from lifecycle.runtime.task_types.spans import baselines as of_spans
from lifecycle.runtime.task_types.spans.tagging import Found, Marked

pytestmark = pytest.mark.engine


def rows_of(texts, targets):
    return Rows(tuple(map(str, range(len(texts)))), tuple(texts), tuple(targets))


# ── Multi-label ─────────────────────────────────────────────────────────────
@pytest.mark.parametrize("classes", [1, 2])
def test_the_only_label_is_predicted_as_by_a_regression_of_its_own(classes):
    random = np.random.default_rng(4)
    known, asked = random.normal(size=(300, 5)), random.normal(size=(40, 5))
    truth = known[:, :classes] + random.normal(size=(300, classes)) > 0.2
    train = rows_of([""] * 300, [tuple(np.flatnonzero(row)) for row in truth])
    held = np.arange(300) % of_sets.HELD_OUT == 0

    probabilities, thresholds = of_sets.each_label(known, train, classes, 7, strength=3.0)(asked)

    def alone(some, at):
        made = LogisticRegression(
            C=3.0, max_iter=baselines.ITERATIONS, tol=baselines.TOLERANCE, random_state=7
        )
        return made.fit(known[some], truth[some, at])

    for at in range(classes):
        assert probabilities[:, at] == pytest.approx(
            alone(slice(None), at).predict_proba(asked)[:, 1], abs=1e-12
        )
        chosen = calibration.best_threshold(
            alone(~held, at).predict_proba(known[held])[:, 1], truth[held, at]
        )
        assert thresholds[at] == pytest.approx(chosen, abs=1e-12)
    assert (probabilities.shape, len(thresholds)) == ((40, classes), classes)


# ── Spans ───────────────────────────────────────────────────────────────────
def every_length(train, texts):
    """The dictionary as its docstring has it: at each word every length is tried."""
    words_of = of_spans.WORD.findall
    known, seen = defaultdict(Counter), Counter()
    for text, target in zip(train.texts, train.targets, strict=True):
        for start, end, label in target.spans:
            known[tuple(words_of(text[start:end]))][label] += 1
    longest = max(map(len, known), default=0)
    for words in map(words_of, train.texts):
        for start in range(len(words)):
            for end in range(start + 1, min(start + longest, len(words)) + 1):
                seen[tuple(words[start:end])] += 1
    kept = {
        some: labels.most_common(1)[0][0]
        for some, labels in known.items()
        if some and labels.total() >= 0.5 * seen[some]
    }
    found = []
    for text in texts:
        places, spans, at = list(of_spans.WORD.finditer(text)), [], 0
        while at < len(places):
            standing = (
                end
                for end in range(len(places), at, -1)
                if tuple(each.group() for each in places[at:end]) in kept
            )
            end = next(standing, None)
            if end:
                label = kept[tuple(each.group() for each in places[at:end])]
                spans.append(Found(places[at].start(), places[end - 1].end(), label, 1.0))
            at = end or at + 1
        found.append(spans)
    return found


def made(random, count):
    """Texts of few words, so that spans overlap, begin alike and occur unmarked elsewhere; some are of blanks
    only.
    """
    texts, targets = [], []
    for _ in range(count):
        text = " ".join(
            random.choice(["new", "york", "a", "b.", "New-York", " "], size=int(random.integers(0, 14)))
        )
        ends = [
            at
            for at in range(len(text) + 1)
            if at in (0, len(text)) or text[at : at + 1] == " " or text[at - 1 : at] == " "
        ]
        spans, last = [], 0
        while random.random() < 0.7 and (later := [at for at in ends if at >= last])[1:]:
            start, end = sorted(random.choice(later, 2, replace=False).tolist())
            spans.append((start, end, int(random.integers(0, 3))))
            last = end
        texts.append(text)
        targets.append(Marked(tuple(spans)))
    return rows_of(texts, targets)


@pytest.mark.parametrize("seed", [1, 2, 4, 5, *range(7, 20)])  # of which each finds some
def test_a_dictionary_finds_what_trying_every_length_finds(seed):
    random = np.random.default_rng(seed)
    train, asked = made(random, 30), made(random, 30)

    found = of_spans.dictionary(train)(asked)

    assert found == every_length(train, asked.texts)
    assert any(found)


def test_the_longest_span_counts_and_of_its_classes_the_most_frequent():
    texts = ["In New York.", "New York City, New York", "York", "New York"]
    targets = [((3, 11, 0),), ((0, 13, 1), (15, 23, 0)), (), ((0, 8, 2),)]

    found = of_spans.dictionary(rows_of(texts, map(Marked, targets)))(
        rows_of(["York, New York City and New York", ""], ())
    )

    assert found == [[Found(6, 19, 1, 1.0), Found(24, 32, 0, 1.0)], []]


def test_at_a_word_only_lengths_of_spans_that_begin_with_it_are_tried():
    known = [
        ("new", "york"),
        ("new",),
        ("new", "york", "city"),
        (),
        ("york", "a", "b", "c", "d"),
        ("new", "port"),
    ]

    assert of_spans.lengths_by_first(known) == {"new": [3, 2, 1], "york": [5]}
