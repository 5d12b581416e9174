"""What many tests begin with, made once for all tests of a file: each finds it as it was, whatever the one before did to it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from registry.catalog.models import Endpoint
from tests.support.endpoints import deployed_endpoint
from tests.support.people import make_project
from tests.support.world import data_folder, rolled_back


def settled_endpoint(versions: int = 1) -> Any:
    """A fixture: the folder of files and the slug of an endpoint on which so many versions went live; its crew are the people of the tests.

    Its rows lie in a transaction around those of the tests. A test that needs transactions of its own makes an endpoint of its own.
    """

    @pytest.fixture(scope="module")
    def settled(tmp_path_factory: Any, django_db_setup: Any, django_db_blocker: Any) -> Iterator[tuple[Path, str]]:
        folder = tmp_path_factory.mktemp("settled")
        with django_db_blocker.unblock(), rolled_back():
            with data_folder(folder):
                endpoint = deployed_endpoint(make_project(), versions=versions)
            yield folder, endpoint.slug

    return settled


def unpack(settled: tuple[Path, str], into: Path) -> Endpoint:
    """The endpoint, with its files in the folder of this test."""
    folder, slug = settled
    shutil.copytree(folder, into, dirs_exist_ok=True)
    return Endpoint.objects.get(slug=slug)
