"""What a run leaves out by `-m` is not imported: all files take ten seconds, of which torch alone takes
four. Nor does a test import it that is not left out.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

OF_THE_FILE = re.compile(r"^pytestmark = (?:\[.*?\]$|.*?$)", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"\bmark\.(\w+)")
HEAVY = ("torch", "transformers", "peft")
NOT_MARKED = "a test that is not marked `engine`"


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


def loaded(config: pytest.Config) -> list[str]:
    """What was imported that leads to an engine, where none is asked for."""
    asked_for_none = "not engine" in config.option.markexpr
    return [name for name in HEAVY if asked_for_none and name in sys.modules]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Where no engine is asked for, nothing that was imported may have led to it."""
    if found := loaded(session.config):
        raise pytest.UsageError(f"{', '.join(found)} was imported by {NOT_MARKED}, or by what it imports.")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Nor may a test import it while it runs."""
    before = loaded(item.config)
    yield
    if found := [name for name in loaded(item.config) if name not in before]:
        pytest.fail(f"{', '.join(found)} was imported by {NOT_MARKED}.", pytrace=False)
