"""Token tags from spans and back: exact positions, and no span continues without a beginning."""

import itertools

import numpy as np
import pytest

from lifecycle.runtime.task_types.spans import tagging
from lifecycle.runtime.task_types.spans.tagging import Marked, Tokens, Unit

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
    # white space, or what the tokenizer drops
    assert tagging.unreachable([(0, 6, 0)], np.array([[0, 5]]), cut=False) == (0, 1)
    assert tagging.unreachable([(0, 4, 0)], np.zeros((0, 2), dtype=np.int64), cut=False) == (0, 1)


def test_of_spans_that_overlap_the_longest_stays():
    assert tagging.without_overlap([(5, 9, 0), (0, 9, 1), (14, 18, 0)]) == Marked(((0, 9, 1), (14, 18, 0)), 1)
    assert tagging.without_overlap([(0, 4, 0), (0, 4, 1)]) == Marked(((0, 4, 0),), 1)


def test_special_tokens_and_those_of_white_space_do_not_count():
    counted, where = tagging.places("a  b", [(0, 0), (0, 1), (1, 2), (2, 4), (0, 0)], [1, 0, 0, 0, 1])

    assert counted.tolist() == [False, True, False, True, False]
    assert where.tolist() == [[0, 1], [3, 4]]  # the white space that a tokenizer gave to b is not of it


def test_the_first_piece_of_a_word_represents_all_of_it_that_is_read():
    pieces = [(0, 0), (0, 3), (3, 6), (6, 7), (7, 9), (10, 12), (0, 0)]  # Annabe Ll-y. cut after "ab"
    counted, where = tagging.places("Annabe-ly abcd", pieces, [1, 0, 0, 0, 0, 0, 1], Unit.WORD)

    assert counted.tolist() == [False, True, False, True, True, True, False]
    assert where.tolist() == [[0, 6], [6, 7], [7, 9], [10, 12]]


def test_between_spaces_all_is_one_but_brackets_and_quotes_around_it_and_stops_behind():
    text = "@ann (Annabe-ly). ... t.co/a"
    pieces = [
        (0, 1),
        (1, 4),
        (5, 6),
        (6, 9),
        (9, 12),
        (12, 13),
        (13, 15),
        (15, 16),
        (16, 17),
        (18, 19),
        (19, 20),
        (20, 21),
        (22, 23),
        (23, 24),
        (24, 26),
        (26, 27),
        (27, 28),
    ]

    assert tagging.places(text, pieces, [0] * 17, Unit.SPACED)[1].tolist() == [
        [0, 4],
        [5, 6],
        [6, 15],
        [15, 16],
        [16, 17],
        [18, 19],
        [19, 20],
        [20, 21],
        [22, 28],
    ]
    assert tagging.inner_places("", Unit.SPACED) == tagging.inner_places("", Unit.WORD) == [False]
    assert tagging.inner_places('"""', Unit.SPACED) == [False] * 4
    assert tagging.inner_places("a-b", Unit.SPACED) == [False, True, True, False]
    assert tagging.inner_places("a-b", Unit.WORD) == tagging.inner_places("a-b", Unit.PIECE) == [False] * 4


def test_pieces_of_a_letter_with_a_combining_mark_belong_to_its_word():
    bytes_of_it = [(0, 3), (3, 4), (4, 5), (4, 5), (4, 5), (5, 6)]  # as tokenizers of bytes read Nguyễn

    assert tagging.places("Nguyễn", bytes_of_it, [0] * 6, Unit.WORD)[1].tolist() == [[0, 6]]
    assert tagging.places("Jose\u0301 x", [(0, 4), (4, 5), (6, 7)], [0] * 3, Unit.WORD)[1].tolist() == [
        [0, 5],
        [6, 7],
    ]
    assert tagging.unit_of(["हिन्दी"], [Marked(((0, 3, 0),))]) == Unit.PIECE


def test_a_letter_that_the_tokenizer_drops_does_not_part_a_unit():
    text, pieces = "foo\u00adbar baz", [(0, 3), (4, 7), (8, 11)]

    assert tagging.places(text, pieces, [0] * 3, Unit.SPACED)[1].tolist() == [[0, 7], [8, 11]]
    assert tagging.places(text, pieces, [0] * 3, Unit.PIECE)[1].tolist() == [[0, 3], [4, 7], [8, 11]]


@pytest.mark.parametrize(
    "text", ["„Berlin“", "»Berlin«", "‚Berlin‘", "”Berlin”", "「Berlin」", "(Berlin).", "Berlin،", "Berlin।"]
)
def test_quotes_brackets_and_stops_of_any_language_are_not_of_the_word(text):
    start = text.index("Berlin")

    assert tagging.inner_places(text, Unit.SPACED) == [start < at < start + 6 for at in range(len(text) + 1)]


def test_a_unit_that_would_hide_most_of_a_label_is_not_chosen():
    user, name = Marked(((0, 3, 1),)), Marked(((0, 4, 0),))
    texts = ["Anna"] * 1000 + ["joe@acme.com"] * 4

    assert tagging.unit_of(texts, [name] * 1000 + [user] * 4) == Unit.WORD
    assert tagging.unit_of(texts, [name] * 1000 + [user] * 2 + [Marked(((0, 12, 1),))] * 2) == Unit.SPACED


def test_the_unit_is_the_largest_within_which_hardly_any_span_begins_or_ends():
    text, whole, part = "Anna met Annabell", Marked(((0, 4, 0),)), Marked(((9, 13, 0),))

    assert tagging.unit_of([text] * 100, [whole] * 99 + [part]) == Unit.SPACED
    assert tagging.unit_of([text] * 100, [whole] * 98 + [part] * 2) == Unit.PIECE
    assert tagging.unit_of(["Annabe-ly (Bell)."], [Marked(((0, 9, 0), (11, 15, 0)))]) == Unit.SPACED
    assert tagging.unit_of(["Anna's (Bell)."], [Marked(((0, 4, 0), (8, 12, 0)))]) == Unit.WORD
    assert tagging.unit_of([text], [Marked(())]) == Unit.SPACED
    assert tagging.unit_of(["北京市长"], [Marked(((0, 3, 0),))]) == Unit.PIECE  # a script without spaces


@pytest.mark.parametrize("seed", range(20))
def test_the_tags_are_the_likeliest_of_all_that_are_allowed(seed):
    random = np.random.default_rng(seed)
    length, kinds = int(random.integers(1, 5)), 5
    probabilities = random.dirichlet(np.ones(kinds) * 0.5, size=length)

    def allowed(path):
        return all(
            tag % 2 or not tag or (at and path[at - 1] in (tag, tag - 1)) for at, tag in enumerate(path)
        )

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
