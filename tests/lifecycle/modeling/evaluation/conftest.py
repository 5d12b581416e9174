"""Shared fixtures of evaluation tests. They depend only on the project and its users, so they are cached
(tests/support/kept.py).
"""

from __future__ import annotations

from uuid import UUID

import pytest

from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.evaluation import queries
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training.models import Run
from tests.support import probes
from tests.support.training import make_run, make_snapshot
from tests.task_types.examples import TRAINED


@pytest.fixture
def snapshot(project, mia) -> Snapshot:
    """A dataset version of single-label texts."""
    return make_snapshot(project, mia)


@pytest.fixture
def run(snapshot, mia) -> Run:
    """A run with about 90 % correct predictions."""
    return make_run(snapshot, mia)


@pytest.fixture
def measured(snapshot, mia) -> Evaluation:
    """An evaluation on test of a run with about 60 % correct predictions."""
    return queries.latest_evaluation(make_run(snapshot, mia, accuracy=0.6), "test")


@pytest.fixture
def of_each_task(project, mia) -> dict[str, UUID]:
    """An evaluation on test of every task, by task; a test starts with all of them, without copying their
    reports.
    """
    return {task: probes.measured(task, project, mia).uuid for task in TRAINED}


@pytest.fixture
def measure(of_each_task):
    """The evaluation of a task."""
    related = Evaluation.objects.select_related("run__project", "snapshot__dataset")
    return lambda task: related.get(uuid=of_each_task[task])
