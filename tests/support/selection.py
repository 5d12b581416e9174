"""What a run leaves out by `-m` is not imported: torch alone takes four seconds, and the fast suite does without."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

OF_THE_FILE = re.compile(r"^pytestmark = (?:\[.*?\]$|.*?$)", re.MULTILINE | re.DOTALL)
HEAVY = ("torch", "transformers", "peft")


def left_out(source: str, expression: str) -> bool:
    """Whether a marker of the whole file is one that the expression excludes."""
    marks = re.findall(r"mark\.(\w+)", " ".join(OF_THE_FILE.findall(source)))
    return any(re.search(rf"\bnot {each}\b", expression) for each in marks)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files of which no test is chosen."""
    is_test = collection_path.suffix == ".py" and collection_path.name.startswith("test_")
    return True if is_test and left_out(collection_path.read_text(encoding="utf-8"), config.option.markexpr) else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Where no engine is asked for, nothing that was imported may have led to it."""
    if "not engine" in session.config.option.markexpr and (found := [name for name in HEAVY if name in sys.modules]):
        raise pytest.UsageError(f"{', '.join(found)} was imported by a test that is not marked `engine`, or by what it imports.")
