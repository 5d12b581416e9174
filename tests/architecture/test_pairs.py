"""Where a product of parameters is too big, every pair of values still meets."""

from itertools import product

import pytest

from tests.support import pairs
from tests.support.pairs import chosen, covering, pairs_of

PRODUCT = [*product("abcdef", (1, 2, 3, 4), range(7))]
SENSIBLE = [
    case for case in PRODUCT if (case[0], case[1]) != ("a", 2) and not (case[0] == "b" and case[2] > 3)
]


def met(cases) -> set:
    """All pairs of values that meet."""
    return set().union(*map(pairs_of, cases))


@pytest.mark.parametrize(
    "cases", [PRODUCT, SENSIBLE, PRODUCT[:1], []], ids=["all", "some make no sense", "one", "none"]
)
def test_every_pair_of_values_that_any_case_has_is_in_a_chosen_one(cases):
    found = covering(cases)

    assert met(found) == met(cases)
    assert set(found) <= set(cases)
    assert found == [case for case in cases if case in found]


def test_no_more_are_chosen_than_must_be():
    assert len(PRODUCT) == 168
    assert len(covering(PRODUCT)) == 42  # each of the first six meets each of the last seven
    assert covering([*product("ab", (1, 2), "xy")]) == [
        ("a", 1, "x"),
        ("a", 2, "y"),
        ("b", 1, "y"),
        ("b", 2, "x"),
    ]


def test_of_two_parameters_all_values_meet():
    assert covering([*product("ab", (1, 2))]) == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]


def test_make_tables_runs_all(monkeypatch):
    monkeypatch.setattr(pairs, "WHOLE", True)
    assert chosen(PRODUCT) == PRODUCT

    monkeypatch.setattr(pairs, "WHOLE", False)
    assert chosen(PRODUCT) == covering(PRODUCT)
