"""Tags of tokens from marked parts of texts, and back: exact places, and no span that goes on without having begun."""

import itertools

import numpy as np
import pytest

from lifecycle.engine import tagging
from lifecycle.engine.tagging import Marked, Tokens

TEXT = "Anna Bell met Carl"
WORDS = np.array([[0, 4], [5, 9], [10, 13], [14, 18]])


def test_every_token_of_a_span_has_a_tag_and_the_first_begins_it():
    assert tagging.tag([(0, 9, 1), (14, 18, 0)], WORDS).tolist() == [3, 4, 0, 1]
    assert tagging.tag([(0, 4, 1), (5, 9, 1)], WORDS).tolist() == [3, 3, 0, 0]  # side by side they stay two


def test_a_span_that_begins_within_a_token_takes_all_of_it():
    assert tagging.tag([(2, 9, 0)], WORDS).tolist() == [1, 2, 0, 0]
    assert tagging.unreachable([(2, 9, 0), (14, 18, 0)], WORDS, cut=False) == (0, 1)


def test_spans_beyond_the_last_token_are_counted():
    assert tagging.unreachable([(0, 4, 0), (14, 18, 0)], WORDS[:2], cut=True) == (1, 0)
    assert tagging.unreachable([(0, 4, 0)], np.zeros((0, 2), dtype=np.int64), cut=True) == (1, 0)


def test_behind_the_last_token_of_a_text_that_was_not_cut_spans_are_inexact():
    assert tagging.unreachable([(0, 6, 0)], np.array([[0, 5]]), cut=False) == (0, 1)  # white space, or what the tokenizer drops
    assert tagging.unreachable([(0, 4, 0)], np.zeros((0, 2), dtype=np.int64), cut=False) == (0, 1)


def test_of_spans_that_overlap_the_longest_stays():
    assert tagging.without_overlap([(5, 9, 0), (0, 9, 1), (14, 18, 0)]) == Marked(((0, 9, 1), (14, 18, 0)), 1)
    assert tagging.without_overlap([(0, 4, 0), (0, 4, 1)]) == Marked(((0, 4, 0),), 1)


def test_special_tokens_and_those_of_white_space_do_not_count():
    counted, where = tagging.places("a  b", [(0, 0), (0, 1), (1, 2), (2, 4), (0, 0)], [1, 0, 0, 0, 1])

    assert counted.tolist() == [False, True, False, True, False]
    assert where.tolist() == [[0, 1], [3, 4]]  # the white space that a tokenizer gave to b is not of it


@pytest.mark.parametrize("seed", range(20))
def test_the_tags_are_the_likeliest_of_all_that_are_allowed(seed):
    random = np.random.default_rng(seed)
    length, kinds = int(random.integers(1, 5)), 5
    probabilities = random.dirichlet(np.ones(kinds) * 0.5, size=length)

    def allowed(path):
        return all(tag % 2 or not tag or (at and path[at - 1] in (tag, tag - 1)) for at, tag in enumerate(path))

    paths = [path for path in itertools.product(range(kinds), repeat=length) if allowed(path)]
    best = max(paths, key=lambda path: sum(np.log(probabilities[at, tag]) for at, tag in enumerate(path)))

    assert tuple(tagging.likeliest([probabilities])[0].tolist()) == best


def test_texts_of_other_lengths_beside_it_change_nothing():
    random = np.random.default_rng(1)
    texts = [random.dirichlet(np.ones(5), size=length) for length in (3, 7, 0, 1, 5)]

    together = tagging.likeliest(texts)

    for each, found in zip(texts, together, strict=True):
        assert found.tolist() == tagging.likeliest([each])[0].tolist()


def test_what_is_found_has_exact_places_and_the_confidence_of_its_least_sure_token():
    values = np.full((4, 5), 0.05)
    for at, (tag, sure) in enumerate(((3, 0.8), (4, 0.6), (0, 0.8), (1, 0.8))):
        values[at, tag] = sure

    (found,) = tagging.find(Tokens((values,), (WORDS,)))

    assert [(each.span, each.confidence) for each in found] == [((0, 9, 1), 0.6), ((14, 18, 0), 0.8)]
    assert TEXT[0:9] == "Anna Bell"


def test_what_was_tagged_is_found_again():
    spans = [(0, 4, 1), (5, 9, 1), (10, 18, 0)]
    one_hot = np.eye(5)[tagging.tag(spans, WORDS)]

    (found,) = tagging.find(Tokens((one_hot,), (WORDS,)))

    assert [each.span for each in found] == spans
