"""What a run leaves out by `-m` is not imported: all files take ten seconds, of which torch alone takes
four.
"""

from __future__ import annotations

import re
import sys
from itertools import combinations
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

OF_THE_FILE = re.compile(r"^pytestmark = (?:\[.*?\]$|.*?$)", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"\bmark\.(\w+)")
HEAVY = ("torch", "transformers", "peft")


def left_out(source: str, expression: str) -> bool:
    """Whether no test of a file can be one that the expression chooses: each has the markers of the whole
    file, and any of the others.
    """
    if not expression:
        return False
    known = {*MARK.findall(source)} & {*re.findall(r"\w+", expression)}
    of_all = known & {*MARK.findall(" ".join(OF_THE_FILE.findall(source)))}
    others = sorted(known - of_all)
    chosen = Expression.compile(expression)
    tests = ({*of_all, *some} for count in range(len(others) + 1) for some in combinations(others, count))
    return not any(chosen.evaluate(lambda name, marks=marks, **_: name in marks) for marks in tests)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files of which no test is chosen."""
    is_test = collection_path.suffix == ".py" and collection_path.name.startswith("test_")
    return (
        True
        if is_test and left_out(collection_path.read_text(encoding="utf-8"), config.option.markexpr)
        else None
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Where no engine is asked for, nothing that was imported may have led to it."""
    if "not engine" in session.config.option.markexpr and (
        found := [name for name in HEAVY if name in sys.modules]
    ):
        raise pytest.UsageError(
            f"{', '.join(found)} was imported by a test that is not marked `engine`, or by what it imports."
        )
