"""What many tests begin with, made once for all tests of a file: each finds it as it was, whatever the one before did to it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Model

from tests.support.endpoints import deployed_endpoint
from tests.support.people import make_project
from tests.support.world import data_folder, rolled_back


def settled_world(make: Callable[[], Model]) -> Any:
    """A fixture for `unpack`: the folder of files and the one row that leads to all else that `make` made.

    The rows lie in a transaction around those of the tests. A test that needs transactions of its own calls `make` itself.
    """

    @pytest.fixture(scope="module")
    def settled(tmp_path_factory: Any, django_db_setup: Any, django_db_blocker: Any) -> Iterator[tuple[Path, Model]]:
        folder = tmp_path_factory.mktemp("settled")
        with django_db_blocker.unblock(), rolled_back():
            with data_folder(folder):
                made = make()
            yield folder, made

    return settled


def settled_endpoint(versions: int = 1) -> Any:
    """An endpoint on which so many versions went live, settled; its crew are the people of the tests."""
    return settled_world(lambda: deployed_endpoint(make_project(), versions=versions))


def unpack(settled: tuple[Path, Model], into: Path) -> Any:
    """The row as the database has it, with the files of its world in the folder of this test."""
    folder, made = settled
    shutil.copytree(folder, into, dirs_exist_ok=True)
    return type(made)._default_manager.get(pk=made.pk)
