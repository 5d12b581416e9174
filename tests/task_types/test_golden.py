"""The output for a dozen rows of each built-in task is unchanged, to the byte."""

from __future__ import annotations

import os

import pytest

from tests.support import golden
from tests.task_types.examples import BUILT_IN


@pytest.fixture
def made(project) -> dict[str, dict[str, str]]:
    people = golden.crew_of(project)
    return {task: golden.documents(project, task, people) for task in BUILT_IN}


def test_annotations_versions_exports_reports_and_cards_of_every_task_are_as_before(made):
    if os.environ.get(golden.WRITE) == "write":
        golden.write(made)

    assert "\n".join(golden.compared(made)) == "", golden.HOW
