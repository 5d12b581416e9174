"""Journeys that go together run in one process of the tests, one after the other.

pytest-xdist has a mark for it, `xdist_group`, which pytest 9.2 no longer lets it act on.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

FOLDER = PurePosixPath("tests/journeys")
# In the order of each story: those on the fixture `product`, and those on `circle`.
PRODUCT = ("test_learning", "test_serving", "test_pages", "test_walks", "test_survival", "test_up")
CIRCLE = ("test_labeling_team", "test_the_circle", "test_the_circle_pages", "test_chaos")
ORDER = (*CIRCLE, *PRODUCT, "test_demo", "")  # the longest first, what belongs to no story last


def place(stem: str) -> int:
    """Where a file of journeys comes among all of them."""
    return ORDER.index(stem if stem in ORDER else "")


class Stories(LoadScopeScheduling):
    """Gives each process whole stories, and whole files of what belongs to none."""

    def _split_scope(self, nodeid: str) -> str:
        file = PurePosixPath(nodeid.split("::", 1)[0])
        return next(
            (story[0] for story in (PRODUCT, CIRCLE) if file.parent == FOLDER and file.stem in story),
            str(file),
        )


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Stories | None:
    """In the process that hands out tests, for `--dist loadscope`."""
    return Stories(config, log) if config.getvalue("dist") == "loadscope" else None
