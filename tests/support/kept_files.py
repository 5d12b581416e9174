"""What fixtures make, kept for tests with real transactions, as copies of a whole SQLite database.

Such a test begins with a copy of the database in which its fixtures have made their rows, and of their files;
at its end the database is as it was before all tests. The fixtures are those of tests/support/kept.py: each
runs once for the tests of a file which begin alike. Copying all pages takes a few milliseconds, where
emptying every table takes most of a second. On PostgreSQL tables are emptied.
"""

from __future__ import annotations

import copy
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.cache import caches
from django.db import connection
from django.test import TransactionTestCase

from tests.support.kept import DONE, Fixture, data_folder, depth, is_transactional, visit

FAILED = (Exception, pytest.skip.Exception, pytest.fail.Exception)


@dataclass(frozen=True)
class World:
    """rows: the database. values: what the fixtures returned, by name. folder: their files."""

    rows: sqlite3.Connection
    values: dict[str, Any]
    folder: Path


class Worlds:
    """What the tests of a file begin with, by the fixtures that made it. The one of no fixture is what the
    tables come with.
    """

    def __init__(self, new_folder: Callable[[], Path], blocker: Any) -> None:
        self.new_folder, self.blocker = new_folder, blocker
        self.file: Path | None = None
        with blocker.unblock():
            self.made: dict[tuple[Fixture, ...], World] = {(): World(copied(), {}, new_folder())}

    def begin(self, item: pytest.Item) -> None:
        """Have the database be what the test begins with, and give it copies of all else. A fixture that
        fails, or skips, is left to the test: it does so again where the test asks for it.
        """
        if item.path != self.file:
            self.file = item.path
            for fixtures in [fixtures for fixtures in self.made if fixtures]:
                self.made.pop(fixtures).rows.close()
        if not (wanted := chain(item)):
            return
        known = max(count for count in range(len(wanted) + 1) if wanted[:count] in self.made)
        with self.blocker.unblock():
            restore(self.made[wanted[:known]].rows)
            try:
                for fixture in wanted[known:]:
                    self.made[wanted[: known + 1]] = self.with_one_more(self.made[wanted[:known]], fixture)
                    known += 1
            except FAILED:
                restore(self.made[wanted[:known]].rows)
        world = self.made[wanted[:known]]
        item.stash[CHAIN], item.stash[WORLD] = (
            wanted[:known],
            World(world.rows, copy.deepcopy(world.values), world.folder),
        )

    def with_one_more(self, world: World, fixture: Fixture) -> World:
        """What this fixture makes of a world which the database holds."""
        folder, values = self.new_folder(), copy.deepcopy(world.values)
        shutil.copytree(world.folder, folder, dirs_exist_ok=True)
        for cache in caches.all(initialized_only=True):
            cache.clear()
        with data_folder(folder):
            made = fixture.func(**{name: values.get(name) for name in fixture.argnames})
        return World(copied(), values | {fixture.argname: made}, folder)

    def end(self) -> None:
        """Have the database be as it was before all tests."""
        restore(self.made[()].rows)


WORLD: pytest.StashKey[World] = pytest.StashKey()
CHAIN: pytest.StashKey[tuple[Fixture, ...]] = pytest.StashKey()


def copied() -> sqlite3.Connection:
    """The database as it is now."""
    connection.ensure_connection()
    rows = sqlite3.connect(":memory:")
    connection.connection.backup(rows)
    return rows


def restore(rows: sqlite3.Connection) -> None:
    """Replace the database with this copy; waits for a write in progress."""
    connection.close()  # what it still reads would be in the way
    connection.ensure_connection()
    rows.backup(connection.connection, sleep=0.01)


def lay_out(request: pytest.FixtureRequest, into: Path) -> None:
    """Give the test its copy of the files that its fixtures made."""
    if chain(request.node):
        request.getfixturevalue("db")
        shutil.copytree(request.node.stash[WORLD].folder, into, dirs_exist_ok=True)


def chain(item: pytest.Item) -> tuple[Fixture, ...]:
    """The kept fixtures that a test begins with: what rests on most comes first, after what it rests on."""
    if CHAIN not in item.stash:
        found: dict[str, Fixture] = {}
        if connection.vendor == "sqlite" and is_transactional(item):
            known, depths = item._fixtureinfo.name2fixturedefs, {"db": 0}
            names = [name for name in item.fixturenames if depth(name, known, depths)]
            for name in sorted(names, key=lambda name: (-depths[name], name)):
                visit(name, known, found)
        item.stash[CHAIN] = tuple(found.values())
    return item.stash[CHAIN]


# ── What pytest calls ───────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def kept_worlds(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[Worlds]:
    """The worlds of this process. They are asked for by the first test with real transactions: until then all
    was rolled back.
    """
    worlds = Worlds(lambda: tmp_path_factory.mktemp("world"), django_db_blocker)

    def end(case: TransactionTestCase) -> None:
        worlds.end()

    with mock.patch.object(TransactionTestCase, "_fixture_teardown", end):
        yield worlds


@pytest.hookimpl
def pytest_fixture_setup(fixturedef: Fixture, request: pytest.FixtureRequest) -> object | None:
    """A world begins before the test's database does, and after every layer of kept.py has ended; what it
    holds is taken where the fixture would have made it.
    """
    if fixturedef.argname == "_django_db_helper":
        if connection.vendor == "sqlite" and is_transactional(request.node):
            request.getfixturevalue("kept_worlds").begin(request.node)
    elif fixturedef in request.node.stash.get(CHAIN, ()) and WORLD in request.node.stash:
        fixturedef.cached_result = (
            request.node.stash[WORLD].values[fixturedef.argname],
            fixturedef.cache_key(request),
            None,
        )
        return DONE
    return None
