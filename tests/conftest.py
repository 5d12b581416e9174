"""Fixtures that every test may use: a project and its people, each with one role."""

from __future__ import annotations

import gc
import os
import tempfile
from datetime import timedelta
from pathlib import Path

import hypothesis
import pytest
from django.core.cache import caches
from django.db import connection

from registry.catalog.models import Endpoint
from registry.ground.access.models import Project, User
from registry.ground.access.roles import Role
from tests.support import forked, kept, kept_files, tables
from tests.support.endpoints import deployed_endpoint
from tests.support.flush import flush_leaves_history_alone
from tests.support.pages import PageClient
from tests.support.people import PASSWORD, PEOPLE, make_person, make_project, sign_in
from tests.support.warm import ended_engine

__all__ = ["PASSWORD"]


# A busy machine makes no example fail: what is fast is a benchmark's to say.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `journey` what talks to the whole product."""
    for item in items:
        if "product" in item.fixturenames:
            item.add_marker(pytest.mark.journey)


@pytest.fixture(scope="session", autouse=True)
def _history_can_be_flushed():
    with flush_leaves_history_alone():
        yield


@pytest.fixture(scope="session", autouse=True)
def _history_may_wait_for_its_signature():
    """The installation's first event is as old as the process of the tests, which on a busy machine works for
    longer than a turn waits.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("registry.ground.ledger.checkpoints.LATE", timedelta(hours=6))
        yield


@pytest.fixture(scope="session", autouse=True)
def _temporary_files_are_of_this_process_alone(tmp_path_factory):
    """A socket whose path would be too long in a test's own folder lies among them: one that an earlier run
    left must not be in the way.
    """
    tmp_path_factory.getbasetemp()  # chosen first: these folders stay where pytest counts and clears them
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", os.environ["DATA_DIR"])
        yield


@pytest.fixture(scope="session")
def database_file(request, tmp_path_factory) -> Path | None:
    """Where a browser's requests and its test meet: in a file, as in production, one waits for the other; in
    memory it would be refused.
    """
    if connection.vendor == "sqlite" and any(
        item.get_closest_marker("browser") for item in request.session.items
    ):
        return tmp_path_factory.mktemp("database") / "lifecycle.sqlite3"
    return None


@pytest.fixture(scope="session")
def django_db_keepdb(database_file) -> bool:
    """The file is taken as it is."""
    return database_file is not None


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix, django_db_use_migrations, django_db_blocker, database_file
):
    """Tables are there before Django asks for them; it finds no migration left to run."""
    if django_db_use_migrations:
        with django_db_blocker.unblock():
            tables.provide(database_file)


@pytest.fixture(scope="session", autouse=True)
def _garbage_is_looked_for_among_what_tests_make():
    """What was imported stays until the end: collections that walk over it all took a tenth of the suite's
    time.
    """
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


@pytest.fixture(autouse=True)
def _own_data_dir(request, tmp_path: Path, settings):
    """Files of one test are never seen by another."""
    kept.lay_out(request, tmp_path)
    kept_files.lay_out(request, tmp_path)
    settings.DATA_DIR = tmp_path / "var"
    settings.CHECKPOINT_DIR = tmp_path / "checkpoints"
    for name in ("default", "blobs"):
        settings.STORAGES[name]["OPTIONS"]["location"] = tmp_path / name
    # no manifest in tests
    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = dict(settings.STORAGES)  # a new value, so that Django rebuilds its storages
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick, for tests alone
    for cache in caches.all(initialized_only=True):
        cache.clear()


@pytest.fixture(scope="session")
def parked_chromium():
    """Debian's Chromium, for all tests of a process."""
    # here: loading Playwright takes a second, which most tests need not pay
    from tests.support.browser import parked_chromium

    with parked_chromium() as parked:
        yield parked


@pytest.fixture(scope="module")
def chromium(parked_chromium):
    """The browser, in use for the tests of a file."""
    with parked_chromium.in_use() as browser:
        yield browser


@pytest.fixture
def window_of(chromium, live_server):
    """A person's window on the live server."""
    from tests.support.browser import people_at

    with people_at(chromium, live_server.url) as window_of:
        yield window_of


@pytest.fixture
def opened(window_of):
    """Open an address of the live server as a user."""
    from tests.support.browser import visits

    with visits(window_of) as opened:
        yield opened


@pytest.fixture(scope="session", autouse=True)
def _engine_programs_are_forked():
    with forked.installed():
        yield


@pytest.fixture
def cold():
    """Engine programs of this test start as they do in production."""
    with forked.cold():
        yield


@pytest.fixture
def warm_engine():
    """The real engine for small verbs; it starts with the first call and ends with the test."""
    with ended_engine():
        yield


@pytest.fixture
def project(db) -> Project:
    return make_project()


@pytest.fixture
def client() -> PageClient:
    """A browser-like client without a signed-in user."""
    return PageClient()


@pytest.fixture
def client_for():
    """A browser-like client, signed in as the given person."""

    def make(user: User) -> PageClient:
        client = PageClient()
        sign_in(client, user)
        return client

    return make


def person_fixture(username: str, role: Role | None):
    def person(project: Project) -> User:
        return make_person(username, project=project, role=role)

    person.__doc__ = f"{username}: {role.label if role else 'no role in the project'}."
    return pytest.fixture(person)


for _username, _role in PEOPLE.items():
    globals()[_username] = person_fixture(_username, _role)


@pytest.fixture
def live_endpoint(project, mia, ravi, lee, gita, omar) -> Endpoint:
    """An endpoint on which 1.0.0 is live."""
    return deployed_endpoint(project)


@pytest.fixture
def adam(db) -> User:
    """Adam administers the organisation: he manages people and has no role in the project."""
    return User.objects.create_user(
        "adam", password=PASSWORD, display_name="Adam", is_organisation_admin=True
    )
