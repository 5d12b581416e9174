"""Fixtures run once for the tests that begin with them, and no test sees what another did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from registry.ground.access.models import Project, User
from tests.support import kept
from tests.support.people import PEOPLE, make_person, make_project

runs: list[str] = []


@pytest.fixture
def renamed(project, mia) -> Project:
    runs.append("renamed")
    project.name = "Renamed"
    project.save(update_fields=["name"])
    storages["blobs"].save("kept", ContentFile(b"bytes"))
    return project


@pytest.fixture
def with_lee(renamed) -> User:
    runs.append("with_lee")
    return make_person("lee", project=renamed, role=PEOPLE["lee"])


@pytest.fixture
def own(renamed, tmp_path) -> Project:
    runs.append("own")
    return renamed


@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_test_changes_is_not_seen_by_the_next(turn, renamed, project, mia):
    assert runs.count("renamed") == 1
    assert (renamed.name, Project.objects.get().name, renamed is project) == ("Renamed", "Renamed", True)
    assert storages["blobs"].exists("kept")

    renamed.name = f"Changed in turn {turn}"
    renamed.save(update_fields=["name"])
    mia.delete()
    storages["blobs"].delete("kept")


@pytest.mark.parametrize("turn", [1, 2])
def test_a_fixture_begins_with_what_those_below_it_made(turn, with_lee, renamed):
    assert (runs.count("renamed"), runs.count("with_lee")) == (1, 1)
    assert set(User.objects.values_list("username", flat=True)) == {"mia", "lee"}
    assert (renamed.name, storages["blobs"].exists("kept")) == ("Renamed", True)


def test_without_a_fixture_nothing_of_it_is_there(db):
    assert (Project.objects.count(), User.objects.count()) == (0, 0)


def test_files_lie_in_the_folder_of_the_test(renamed, tmp_path):
    assert Path(settings.DATA_DIR) == tmp_path / "var"
    assert storages["blobs"].path("kept") == str(tmp_path / "blobs" / "kept")


@pytest.mark.parametrize("turn", [1, 2])
def test_a_fixture_that_asks_for_more_than_the_database_runs_for_each_test(turn, own):
    before = runs.count("own")
    assert before >= 1
    runs.append("own")


def test_real_transactions_make_all_anew(transactional_db, renamed):
    assert renamed.name == "Renamed"
    assert Project.objects.get() == renamed


@pytest.fixture
def apart(transactional_db, django_db_blocker, tmp_path, monkeypatch):
    """Layers of its own, of which an image is taken however little they cost."""
    monkeypatch.setattr(kept, "LONG", -1.0)
    made = kept.Kept(lambda: tmp_path, django_db_blocker)
    yield made
    made.end()


def begins_with(*layers) -> SimpleNamespace:
    """A test as `begin` sees it."""
    return SimpleNamespace(stash={kept.CHAIN: layers})


@dataclass(eq=False)
class Made:
    """A fixture as `add` sees it. baseid: where it is defined."""

    argname: str
    func: Callable[..., Any]
    argnames: tuple[str, ...] = ()
    baseid: str = "tests"


def test_what_took_long_comes_back_from_its_image_and_leaves_nothing(apart):
    made = []
    below = Made("project", lambda: made.append(1) or make_project())
    above = Made(
        "person", lambda project: make_person("lee", project=project, role=PEOPLE["lee"]), ("project",)
    )
    apart.begin(begins_with(below))
    apart.end()
    assert not Project.objects.exists()

    again = begins_with(below, above)
    apart.begin(again)
    assert (len(made), Project.objects.get(), User.objects.get().username) == (
        1,
        again.stash[kept.VALUES]["project"],
        "lee",
    )

    apart.begin(begins_with(below))
    assert (Project.objects.count(), User.objects.count()) == (1, 0)

    apart.begin(begins_with())
    assert (len(made), Project.objects.count()) == (1, 0)


@pytest.mark.parametrize(
    ("file", "fresh", "times"), [("tests", 60.0, 1), ("tests", 0.0, 2), ("tests/test_a.py", 60.0, 2)]
)
def test_an_image_is_used_while_it_is_fresh_and_none_is_taken_for_one_file(
    apart, monkeypatch, file, fresh, times
):
    made = []
    monkeypatch.setattr(kept, "FRESH", fresh)
    below = Made("project", lambda: made.append(1) or make_project(), baseid=file)
    for _ in range(2):
        apart.begin(begins_with(below))
        apart.end()

    assert (len(made), Project.objects.count()) == (times, 0)
