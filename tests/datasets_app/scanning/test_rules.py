"""The pure parts: shingles, similarity, groups, keys, and states, on values that can be computed by hand."""

from __future__ import annotations

import math
from itertools import combinations
from uuid import UUID

import numpy as np
import pytest

from datasets_app.datasets.rules import normal_digest
from datasets_app.scanning import rules, signatures
from datasets_app.scanning.duplicates import Corpus, Member
from datasets_app.scanning.rules import Kind, Status
from datasets_app.scanning.shingles import Unit, jaccard, shingles, unit_of, units_of

CARD, CASH = UUID(int=1), UUID(int=2)
WORDS = [f"word{n}" for n in range(30)]


def test_character_shingles_include_blanks_and_a_short_text_is_its_own_shingle():
    assert shingles("abcd ef", Unit.CHARACTERS) == {"abcd ", "bcd e", "cd ef"}
    assert shingles("abc", Unit.CHARACTERS) == {"abc"}
    assert shingles("", Unit.CHARACTERS) == set()
    assert shingles("a b c d e f", Unit.WORDS) == {"a b c d e", "b c d e f"}
    assert shingles("a b", Unit.WORDS) == {"a b"}


@pytest.mark.parametrize(("words", "units"), [(19, [0]), (20, [0, 1]), (24, [0, 1]), (25, [1])])
def test_texts_around_twenty_words_are_compared_in_both_units(words, units):
    assert [int(unit) for unit in units_of(" ".join(WORDS[:words]))] == units


@pytest.mark.parametrize(
    ("one", "other", "unit"), [(19, 20, Unit.CHARACTERS), (20, 20, Unit.WORDS), (30, 20, Unit.WORDS)]
)
def test_the_shorter_text_determines_the_unit(one, other, unit):
    assert unit_of(" ".join(WORDS[:one]), " ".join(WORDS[:other])) == unit


def test_jaccard_is_intersection_over_union():
    assert jaccard("abcdefgh", "abcdefgx") == 3 / 5
    assert jaccard("same", "same") == 1.0
    assert jaccard("abcdefgh", "stuvwxyz") == 0.0
    assert jaccard(" ".join(WORDS[:20]), " ".join(WORDS[:24])) == 16 / 20
    assert jaccard(" ".join(WORDS[:20]), " ".join(WORDS[:25])) == 16 / 21


def grouped(tmp_path, texts: list[str]) -> list[list[Member]]:
    corpus = Corpus(tmp_path)
    corpus.add([(10 * at, normal_digest(text), text) for at, text in enumerate(texts)])
    return list(corpus.groups(lambda *_: None))


def test_a_group_is_a_connected_component_with_the_similarity_of_each_text(tmp_path):
    base = WORDS[:30]
    chain = [" ".join([*base[:30], *[f"tail{n}" for n in range(step)]]) for step in (0, 5, 10)]
    found = grouped(tmp_path, [chain[0], "something else entirely", chain[1], chain[2]])

    assert found == [
        [
            Member(0, round(26 / 31, 6), 1.0),
            Member(20, round(31 / 36, 6), round(26 / 31, 6)),
            Member(30, round(31 / 36, 6), round(26 / 36, 6)),
        ]
    ]
    assert found[0][2].first < 0.8 <= found[0][2].nearest


def test_texts_below_the_threshold_are_in_no_group(tmp_path):
    assert grouped(tmp_path, [" ".join(WORDS[:20]), " ".join(WORDS[:25]), "short", ""]) == []


def test_texts_at_the_threshold_are_in_a_group(tmp_path):
    assert [
        [member.key for member in group]
        for group in grouped(tmp_path, [" ".join(WORDS[:20]), " ".join(WORDS[:24])])
    ] == [[0, 10]]


def test_equal_normal_forms_have_similarity_one_and_join_their_neighbours(tmp_path):
    text = "where is the card that i have ordered last week"
    found = grouped(tmp_path, [text, text.upper(), "where is my money", f"{text}s"])

    assert [[(member.key, member.nearest) for member in group] for group in found] == [
        [(0, 1.0), (10, 1.0), (30, round(43 / 44, 6))]
    ]


def test_a_text_of_nineteen_words_is_near_one_of_twenty(tmp_path):
    assert [len(group) for group in grouped(tmp_path, [" ".join(WORDS[:19]), " ".join(WORDS[:20])])] == [2]


def test_many_different_texts_in_one_bucket_are_all_compared_with_their_neighbours():
    hashes = np.array([7, 1, 7, 7, 2], dtype=np.uint64)
    pairs = np.concatenate(list(signatures.bucket_mates(hashes)))
    assert sorted(map(tuple, pairs.tolist())) == [(0, 2), (0, 3), (2, 3)]

    crowded = np.concatenate(list(signatures.bucket_mates(np.zeros(40, dtype=np.uint64))))
    assert {tuple(pair) for pair in crowded.tolist()} == {
        pair for pair in combinations(range(40), 2) if pair[1] - pair[0] <= 32
    }


def test_a_pair_at_the_threshold_shares_a_band_with_high_probability():
    missed = (1 - 0.8**signatures.ROWS) ** signatures.BANDS
    assert math.isclose(missed, 0.001688, abs_tol=1e-6)
    assert signatures.BANDS * signatures.ROWS <= signatures.PERMUTATIONS


def test_keys_identify_a_finding_and_nothing_else():
    group = rules.group_digest(["b", "a"])
    assert group == rules.group_digest(["a", "b"]) != rules.group_digest(["a", "b", "c"])
    assert rules.conflict_key(group, {"a": CARD, "b": CASH}) == rules.conflict_key(
        group, {"b": CASH, "a": CARD}
    )
    assert rules.conflict_key(group, {"a": CARD, "b": CASH}) != rules.conflict_key(
        group, {"a": CASH, "b": CARD}
    )
    assert rules.label_error_key("a", CARD) != rules.label_error_key("a", CASH)
    assert (
        len({rules.duplicate_key(group), rules.conflict_key(group, {}), rules.label_error_key(group, CARD)})
        == 3
    )


@pytest.mark.parametrize(
    ("labels", "score"),
    [([], None), ([CARD, CARD], None), ([CARD, CASH], 0.5), ([CARD, CARD, CASH], 0.333333), ([CARD], None)],
)
def test_a_conflict_needs_two_labels(labels, score):
    assert rules.conflict_score(labels) == score


ALLOWED = {
    ("open", "confirmed"),
    ("open", "dismissed"),
    ("confirmed", "open"),
    ("confirmed", "dismissed"),
    ("dismissed", "open"),
}


def test_people_may_only_make_these_moves():
    assert {(str(old), str(new)) for old, states in rules.MOVES.items() for new in states} == ALLOWED


def test_a_finding_that_is_found_again_keeps_its_status():
    assert rules.status_when_found(Status.DISMISSED, decided=True) == Status.DISMISSED
    assert rules.status_when_found(Status.GONE, decided=False) == Status.OPEN
    assert rules.status_when_found(Status.GONE, decided=True) == Status.CONFIRMED
    assert {kind for kinds in rules.FOUND_BY.values() for kind in kinds} == set(Kind)
