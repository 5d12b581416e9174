"""Answers that repeat training completions word for word."""

import pytest

from lifecycle.runtime.task_types.generation.verbatim import (
    COPIED,
    NONE,
    PLACES,
    CopyIndex,
    Run,
    share_copied,
)

FACT = "the warehouse in leeds ships parcels on monday and thursday before noon and customs may hold them"


def test_the_longest_shared_run_is_found_with_its_row_across_case_and_punctuation():
    answer = "Well: the Warehouse in Leeds ships parcels, on Monday and Thursday!"

    found = CopyIndex(["nothing like it at all", FACT], [answer]).longest(answer, "when")

    assert found == Run(10, 1, "the warehouse in leeds ships parcels on monday and thursday")


def test_of_several_runs_the_longest_counts_and_of_equal_ones_the_first():
    answer = "one two three four five six"
    index = CopyIndex(
        ["one two three four five", "zero one two three four five six", "one two three four five six"],
        [answer],
    )

    assert index.longest(answer, "") == Run(6, 1, "one two three four five six")


def test_a_run_that_the_prompt_gave_away_is_not_counted():
    answer = "the warehouse in leeds ships parcels"

    assert (
        CopyIndex([FACT], [answer]).longest(answer, "Is it true that the warehouse in Leeds ships parcels?")
        == NONE
    )


def test_short_runs_are_everybodys():
    assert CopyIndex([FACT], ["the warehouse in york"]).longest("the warehouse in york", "") == NONE
    assert CopyIndex([], [FACT]).longest(FACT, "") == NONE
    assert CopyIndex([FACT], [""]).longest("", "") == NONE


def test_the_share_counts_runs_of_so_many_words():
    assert share_copied([Run(COPIED, 0, ""), Run(COPIED - 1, 0, ""), NONE, NONE]) == 0.25
    assert share_copied([]) == 0.0


def test_what_begins_alike_everywhere_is_looked_for_in_the_first_completions():
    early, late = "dear customer thank you for 3", f"dear customer thank you for {PLACES + 49}"
    index = CopyIndex([f"dear customer thank you for {at}" for at in range(PLACES + 50)], [early, late])

    first, last = index.longest(early, ""), index.longest(late, "")

    assert first == Run(6, 3, "dear customer thank you for 3")
    assert last == Run(5, 0, "dear customer thank you for")


def test_only_what_begins_like_a_part_of_the_answers_is_kept():
    index = CopyIndex(
        ["one two three four five", "six seven eight nine ten", "zero one two three four"],
        ["one two three four six", "two"],
    )

    assert index.places == {
        ("one", "two", "three", "four"): [(0, 0), (2, 1)],
        ("two", "three", "four", "six"): [],
    }
    assert sorted(index.rows) == [0, 2]


def test_an_answer_that_was_not_named_is_refused_and_not_called_new():
    with pytest.raises(KeyError):
        CopyIndex([FACT], ["the warehouse in york"]).longest(FACT, "")
