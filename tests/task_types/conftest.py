"""What the contract suite begins with: of every type a run that nobody trained, and its evaluation on test. It asks for the project and
people alone, so that it is kept (tests/support/kept.py)."""

from __future__ import annotations

from uuid import UUID

import pytest

from lifecycle.evaluation.models import Evaluation
from tests.support import probes
from tests.task_types.examples import LEARNT


@pytest.fixture
def of_each_task(project, mia) -> dict[str, UUID]:
    """An evaluation of every type, by its key: a test begins with all of them, and copies none of their reports."""
    return {task: probes.measured(task, project, mia).uuid for task in LEARNT}


@pytest.fixture(params=LEARNT)
def task(request) -> str:
    return request.param


@pytest.fixture
def measured(task, of_each_task) -> Evaluation:
    """The evaluation of a type."""
    return Evaluation.objects.select_related("run__project", "run__base", "snapshot__dataset").get(uuid=of_each_task[task])
