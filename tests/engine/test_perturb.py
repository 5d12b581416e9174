"""Texts are perturbed in known ways, the same for the same seed."""

from __future__ import annotations

import unicodedata

import pytest

from lifecycle.runtime.engine.perturb import NEIGHBOURS, PROBES, SENTENCE, disturb

LONG = (
    "Where is my card? It has not arrived, and I have been waiting for two weeks now. Please help me as soon"
    " as you can."
)
ODD = [
    "",
    " ",
    "a",
    "٣٤",
    "e\u0301e\u0301",
    "👨\u200d👩\u200d👧 family",
    "ﬃ straße İ",
    "汉字与假名かな",
    "1234 !?",
]


@pytest.mark.parametrize(
    ("probe", "text", "found"),
    [
        ("lower", "My CARD is Lost", "my card is lost"),
        ("upper", "My card, straße", "MY CARD, STRASSE"),
        ("half", "abcdef", "abc"),
        ("half", "abcde", "abc"),
        ("half", "xe\u0301yz", "xe\u0301"),
        ("half", "👨\u200d👩ab", "👨\u200d👩"),
        ("sentence", "lost", f"lost {SENTENCE}"),
        ("edges", "lost", " \t... lost !!\n "),
    ],
)
def test_each_perturbation_changes_the_text_as_listed(probe, text, found):
    assert disturb(probe, text, seed=1, name="one").text == found


def test_five_of_a_hundred_letters_are_mistyped():
    letters = sum(mark.isalpha() for mark in LONG)
    for seed in range(30):
        text = disturb("typos", LONG, seed=seed, name="one").text
        lost = len(LONG) - len(text)
        same = sum(mark == LONG[at] for at, mark in enumerate(text)) if not lost else None

        assert text != LONG
        assert 0 <= lost <= round(0.05 * letters)
        if same is not None:
            assert 0 < len(LONG) - same <= 2 * round(0.05 * letters)
    assert [round(0.05 * letters), letters] == [4, 87]


def test_a_single_typo_is_a_neighbour_a_swap_or_a_missing_letter():
    found = {disturb("typos", "car", seed=seed, name="one").text for seed in range(300)}

    near = (
        {f"{key}ar" for key in NEIGHBOURS["c"]}
        | {f"c{key}r" for key in NEIGHBOURS["a"]}
        | {f"ca{key}" for key in NEIGHBOURS["r"]}
    )
    assert found == near | {"acr", "cra"} | {"ar", "cr", "ca"}
    assert NEIGHBOURS["a"] == ["q", "w", "s", "z", "x"]


def test_case_is_kept_by_a_neighbour():
    found = {disturb("typos", "A", seed=seed, name="one").text for seed in range(100)}

    assert found == {"", "Q", "W", "S", "Z", "X"}


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("probe", PROBES)
def test_every_text_stays_unicode_and_no_combining_mark_loses_its_letter(probe, text):
    found = disturb(probe, text, seed=3, name="one").text

    found.encode("utf-8")
    bare = [
        at
        for at, mark in enumerate(found)
        if unicodedata.combining(mark) and (at == 0 or found[at - 1].isspace())
    ]
    assert bare == []
    if probe == "typos" and not any(mark.isalpha() for mark in text):
        assert found == text


def test_the_same_seed_and_name_disturb_the_same_way_and_others_do_not():
    first = disturb("typos", LONG, seed=1, name="one")

    assert disturb("typos", LONG, seed=1, name="one") == first
    assert first not in (
        disturb("typos", LONG, seed=2, name="one"),
        disturb("typos", LONG, seed=1, name="two"),
    )
    assert first.text != LONG


@pytest.mark.parametrize(
    ("probe", "text", "part", "now"),
    [
        ("lower", "in İzmir now", (3, 8), (3, 9)),  # İ becomes i with a dot above
        ("upper", "straße 3", (0, 6), (0, 7)),
        ("sentence", "my card", (3, 7), (3, 7)),
        ("edges", "my card", (3, 7), (9, 13)),
        ("half", "my card is gone", (3, 7), (3, 7)),
        ("half", "my card is gone", (3, 8), (3, 8)),  # it ends where the text is cut
        ("half", "my card is gone", (3, 9), None),
        ("half", "my card is gone", (11, 15), None),
    ],
)
def test_a_part_moves_with_its_text_and_is_lost_where_it_is_cut(probe, text, part, now):
    assert disturb(probe, text, seed=1, name="one").move(*part) == now


def test_what_is_left_of_a_part_is_known_where_the_text_is_cut_within_it():
    half = disturb("half", "my card is gone", seed=1, name="one")

    assert [half.rest(*part) for part in ((3, 10), (3, 8), (8, 10), (11, 15))] == [(3, 8), None, None, None]


@pytest.mark.parametrize("text", [LONG, *ODD])
@pytest.mark.parametrize("probe", PROBES)
def test_every_boundary_has_a_place_and_places_rise(probe, text):
    found = disturb(probe, text, seed=3, name="one")

    kept = [at for at in found.places if at >= 0]
    assert len(found.places) == len(text) + 1
    assert kept == sorted(kept)
    assert max(kept) <= len(found.text)


def test_a_mistyped_word_keeps_its_place_whatever_was_mistyped():
    for seed in range(50):
        found = disturb("typos", LONG, seed=seed, name="one")
        whole = found.move(0, len(LONG))
        start, end = found.move(LONG.index("arrived"), LONG.index("arrived") + 7)

        assert whole == (0, len(found.text))
        before, after = found.text[:start], found.text[end:]
        assert before.endswith(" ")
        assert after.startswith(",")


def test_a_part_of_one_letter_that_was_dropped_is_lost():
    dropped = next(
        found for seed in range(100) if not (found := disturb("typos", "a", seed=seed, name="one")).text
    )

    assert (dropped.places, dropped.move(0, 1), dropped.rest(0, 1)) == ((0, 0), None, None)
