"""What is made of a dozen rows of each task is what was made of them before, to the byte."""

from __future__ import annotations

import os

import pytest

from lifecycle.runtime.task_types.by_key.types import TYPES
from tests.support import golden


@pytest.fixture
def made(project) -> dict[str, dict[str, str]]:
    people = golden.crew_of(project)
    return {task: golden.documents(project, task, people) for task in TYPES}


def test_annotations_versions_exports_reports_and_cards_of_every_task_are_as_before(made):
    if os.environ.get(golden.WRITE) == "write":
        golden.write(made)

    assert "\n".join(golden.compared(made)) == "", golden.HOW
