"""Which cases of a product of parameters a test runs: so many that every pair of values meets, or with `make
tables` all of them.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable
from itertools import combinations
from typing import TypeVar

WHOLE = os.environ.get("TABLES") == "whole"
Case = TypeVar("Case", bound=tuple[Hashable, ...])


def chosen(cases: Iterable[Case]) -> list[Case]:
    """The cases that are run. Give only those that make sense: a pair that none of them has is not asked
    for.
    """
    return [*cases] if WHOLE else covering([*cases])


def covering(cases: list[Case]) -> list[Case]:
    """As few cases as a greedy choice finds, in their order, with every pair of values that any case has. Of
    equals it takes the first.
    """
    missing, taken = set().union(*map(pairs_of, cases)), set()
    while missing:
        best = max(cases, key=lambda case: len(pairs_of(case) & missing))
        taken.add(best)
        missing -= pairs_of(best)
    return [case for case in cases if case in taken]


def pairs_of(case: Case) -> set[tuple[tuple[int, Hashable], ...]]:
    """Any two of its values, each with the place that it has."""
    return {*combinations(enumerate(case), 2)}
