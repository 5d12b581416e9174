"""What many tests of evaluations begin with. It asks for the project and people alone, so that it is kept (tests/support/kept.py)."""

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
    """Texts of one class each."""
    return make_snapshot(project, mia)


@pytest.fixture
def run(snapshot, mia) -> Run:
    """Of its answers about nine in ten are right."""
    return make_run(snapshot, mia)


@pytest.fixture
def measured(snapshot, mia) -> Evaluation:
    """On test, of a run of whose answers about six in ten are right."""
    return queries.latest_evaluation(make_run(snapshot, mia, accuracy=0.6), "test")


@pytest.fixture
def of_each_task(project, mia) -> dict[str, UUID]:
    """An evaluation on test of every task, by task: a test begins with all of them, and copies none of their reports."""
    return {task: probes.measured(task, project, mia).uuid for task in TRAINED}


@pytest.fixture
def measure(of_each_task):
    """The evaluation of a task."""
    related = Evaluation.objects.select_related("run__project", "snapshot__dataset")
    return lambda task: related.get(uuid=of_each_task[task])
