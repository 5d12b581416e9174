"""What fixtures make, kept from one test to the next.

A fixture that asks for nothing but `db` and other such fixtures makes the same each time. It runs once, as a
layer: a savepoint that stays open, and a folder, for as long as the tests that follow begin with it too. Each
test gets copies of the objects and files, and a savepoint of its own. Tests of a file are sorted so that
those which begin alike follow one another. A test with real transactions makes all anew. In memory an image
of the tables stays of what took long to make, for the files that begin with it in the next minute.
"""

from __future__ import annotations

import copy
import inspect
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import caches
from django.db import connection, transaction
from django.test import override_settings

Fixture = Any  # pytest's FixtureDef, which it does not publish
# processor seconds after which an image of what was made is taken; seconds by the clock for which it may be
# used
LONG, FRESH = 0.1, 60.0
TRANSACTIONAL = {"transactional_db", "live_server", "django_db_reset_sequences"}
DONE = object()


@contextmanager
def data_folder(folder: Path) -> Iterator[None]:
    """Files of everything inside lie below this folder."""
    places = {
        name: {**each, "OPTIONS": {"location": folder / name}}
        for name, each in settings.STORAGES.items()
        if name != "staticfiles"
    }
    storages = {**places, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(
        DATA_DIR=folder / "var",
        CHECKPOINT_DIR=folder / "checkpoints",
        STORAGES=storages,
        PASSWORD_HASHERS=hashers,
    ):
        yield


@contextmanager
def rolled_back() -> Iterator[None]:
    """What happens inside leaves no trace in the database. A transaction that must be the outermost may begin
    inside, as in a test.
    """
    with transaction.atomic():
        connection.atomic_blocks[-1]._from_testcase = True
        yield
        transaction.set_rollback(True)


@dataclass(frozen=True)
class Layer:
    """values: what this fixture and those below returned, by name. folder: their files. end: takes the rows
    back.

    cost: processor seconds of making it and those below, but for what lay in an image.
    """

    fixture: Fixture
    values: dict[str, Any]
    folder: Path
    end: Callable[[], None]
    cost: float = 0.0


@dataclass(frozen=True)
class Image:
    """layers: what was open when it was taken. tables: the whole database. taken: by `time.monotonic`."""

    layers: tuple[Layer, ...]
    tables: bytes
    taken: float

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.taken < FRESH


class Kept:
    """The layers that are open now, each upon the one before; `laid` of them, at the bottom, lie in the
    database without a savepoint.
    """

    def __init__(self, new_folder: Callable[[], Path], blocker: Any) -> None:
        self.new_folder, self.blocker = new_folder, blocker
        self.layers: list[Layer] = []
        self.laid = 0
        self.images: dict[tuple[Fixture, ...], Image] = {}

    def begin(self, item: pytest.Item) -> None:
        """Open the layers that this test begins with, and give it copies of what they hold."""
        wanted = chain(item)
        self.end(shared(self.layers, wanted))
        fresh = (self.images.get(wanted[:count]) for count in range(len(wanted), len(self.layers), -1))
        if image := next((each for each in fresh if each and each.is_fresh), None):
            self.lay(image)
        for fixture in wanted[len(self.layers) :]:
            self.add(fixture)
        if self.layers:
            item.stash[VALUES] = copy.deepcopy(self.layers[-1].values)
            item.stash[FOLDER] = self.layers[-1].folder

    def add(self, fixture: Fixture) -> None:
        """One more layer. Where the fixture fails, nothing of it is left and the error is the test's."""
        folder, values, began = self.new_folder(), {}, time.process_time()
        if self.layers:
            values = copy.deepcopy(self.layers[-1].values)
            shutil.copytree(self.layers[-1].folder, folder, dirs_exist_ok=True)
        with self.blocker.unblock(), ExitStack() as stack:
            stack.enter_context(rolled_back())
            for cache in caches.all(initialized_only=True):
                cache.clear()
            with data_folder(folder):
                made = fixture.func(**{name: values.get(name) for name in fixture.argnames})
            cost = time.process_time() - began + (self.layers[-1].cost if self.layers else 0)
            self.layers.append(
                Layer(fixture, values | {fixture.argname: made}, folder, stack.pop_all().close, cost)
            )
        if cost > LONG and in_memory() and not fixture.baseid.endswith(".py"):
            self.take()

    def take(self) -> None:
        """Keep an image of the layers that are open."""
        layers = tuple(
            Layer(each.fixture, each.values, each.folder, end=lambda: None) for each in self.layers
        )
        self.images = {key: each for key, each in self.images.items() if each.is_fresh}
        self.images[tuple(each.fixture for each in layers)] = Image(
            layers, connection.connection.serialize(), time.monotonic()
        )

    def lay(self, image: Image) -> None:
        """Have the database hold what an image does, in place of the layers that are open."""
        self.end()
        with self.blocker.unblock():
            connection.ensure_connection()
            empty = connection.connection.serialize()
            replace_tables(image.tables)
        bottom, *others = image.layers
        self.layers = [replace(bottom, end=lambda: replace_tables(empty)), *others]
        self.laid = len(self.layers)

    def end(self, left: int = 0) -> None:
        """Take back all layers but so many at the bottom; what lies in the database goes as one."""
        left = left if left >= self.laid else 0
        with self.blocker.unblock():
            while len(self.layers) > left:
                self.layers.pop().end()
        self.laid = min(self.laid, left)


def in_memory() -> bool:
    """Whether the database is SQLite in memory."""
    return connection.vendor == "sqlite" and connection.is_in_memory_db()


def replace_tables(tables: bytes) -> None:
    """Have SQLite hold what was serialized; no transaction may be open."""
    # the header may say that there is a write-ahead log, and what lies in memory has none
    journal = b"\x01\x01"
    with closing(sqlite3.connect(":memory:")) as source:
        source.deserialize(tables[:18] + journal + tables[20:])
        source.backup(connection.connection)


VALUES: pytest.StashKey[dict[str, Any]] = pytest.StashKey()
FOLDER: pytest.StashKey[Path] = pytest.StashKey()
CHAIN: pytest.StashKey[tuple[Fixture, ...]] = pytest.StashKey()


def shared(layers: list[Layer], wanted: tuple[Fixture, ...]) -> int:
    """How many of the open layers are what is wanted."""
    same = [layer.fixture is fixture for layer, fixture in zip(layers, wanted, strict=False)]
    return (same + [False]).index(False)


def lay_out(request: pytest.FixtureRequest, into: Path) -> None:
    """Give the test its copy of the files that its layers made."""
    if chain(request.node):
        request.getfixturevalue("db")
        shutil.copytree(request.node.stash[FOLDER], into, dirs_exist_ok=True)


# ── Which fixtures ──────────────────────────────────────────────────────────


def chain(item: pytest.Item) -> tuple[Fixture, ...]:
    """The kept fixtures that a test begins with, in the order of their layers: what rests on most comes
    first, after what it rests on.
    """
    if CHAIN not in item.stash:
        found: dict[str, Fixture] = {}
        if not is_transactional(item):
            known, depths = item._fixtureinfo.name2fixturedefs, {"db": 0}
            names = [name for name in item.fixturenames if depth(name, known, depths)]
            for name in sorted(names, key=lambda name: (-depths[name], name)):
                visit(name, known, found)
        item.stash[CHAIN] = tuple(found.values())
    return item.stash[CHAIN]


def visit(name: str, known: dict[str, Any], found: dict[str, Fixture]) -> None:
    """Add a fixture, after those that it asks for."""
    for asked in known[name][-1].argnames:
        if asked not in found and asked != "db":
            visit(asked, known, found)
    found.setdefault(name, known[name][-1])


def depth(name: str, known: dict[str, Any], depths: dict[str, int | None]) -> int | None:
    """On how many layers above `db`, which is 0, a fixture rests, itself included; None of one that is not
    kept. depths: found so far.
    """
    if name not in depths:
        depths[name] = None  # of one that leads back to itself, by another fixture of its name
        fixture = known[name][-1] if known.get(name) else None
        if fixture and fixture.argnames and fixture.scope == "function" and not fixture.params:
            below = [depth(asked, known, depths) for asked in fixture.argnames]
            if None not in below and not inspect.isgeneratorfunction(fixture.func):
                depths[name] = 1 + max(below)
    return depths[name]


def uses_database(item: pytest.Item) -> bool:
    """Whether the test has the database."""
    return bool(item.get_closest_marker("django_db") or {"db", *TRANSACTIONAL} & {*item.fixturenames})


def is_transactional(item: pytest.Item) -> bool:
    """Whether the test's transactions are real ones."""
    marker = item.get_closest_marker("django_db")
    return bool((marker and marker.kwargs.get("transaction")) or TRANSACTIONAL & {*item.fixturenames})


# ── What pytest calls ───────────────────────────────────────────────────────


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files stay in their order; in each the tests that begin alike follow one another, and those with real
    transactions come last.
    """
    files = {path: at for at, path in enumerate(dict.fromkeys(item.path for item in items))}
    items.sort(
        key=lambda item: (
            files[item.path],
            is_transactional(item),
            [fixture.argname for fixture in chain(item)],
        )
    )


@pytest.fixture(scope="session")
def kept_layers(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any
) -> Iterator[Kept]:
    """The layers of this process."""
    request.session.stash[KEPT] = made = Kept(lambda: tmp_path_factory.mktemp("kept"), django_db_blocker)
    yield made
    made.end()


KEPT: pytest.StashKey[Kept] = pytest.StashKey()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Layers that the test does not begin with end before any fixture of its file, which may have a savepoint
    of its own.
    """
    open_now = item.session.stash.get(KEPT, None)
    if open_now and uses_database(item):
        open_now.end(shared(open_now.layers, chain(item)))


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: Fixture, request: pytest.FixtureRequest) -> object | None:
    """Layers open before the test's own savepoint does; what they hold is taken where the fixture would have
    made it.
    """
    if fixturedef.argname == "_django_db_helper":
        try:
            request.getfixturevalue("kept_layers").begin(request.node)
        except BaseException as error:
            fixturedef.cached_result = (None, fixturedef.cache_key(request), (error, error.__traceback__))
            raise
    elif fixturedef in request.node.stash.get(CHAIN, ()) and VALUES in request.node.stash:
        fixturedef.cached_result = (
            request.node.stash[VALUES][fixturedef.argname],
            fixturedef.cache_key(request),
            None,
        )
        return DONE
    return None
