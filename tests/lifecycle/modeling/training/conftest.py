"""What many tests of runs begin with. It asks for the project and people alone, so that it is kept (tests/support/kept.py)."""

from __future__ import annotations

import pytest

from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.training.models import BaseModel, Run
from tests.support.training import make_base, make_run, make_snapshot


@pytest.fixture
def snapshot(project, mia) -> Snapshot:
    """Texts of one class each."""
    return make_snapshot(project, mia)


@pytest.fixture
def base(snapshot, mia) -> BaseModel:
    """An encoder, whose files are kept."""
    return make_base(snapshot.dataset.project, mia)


@pytest.fixture
def waiting(snapshot, base, mia) -> Run:
    """A run that waits for a worker."""
    return make_run(snapshot, mia, succeeded=False, base=base)


@pytest.fixture
def finished(snapshot, base, mia) -> Run:
    """A run that has succeeded, and was not evaluated."""
    return make_run(snapshot, mia, base=base, splits=())


@pytest.fixture
def measured(snapshot, base, mia) -> Run:
    """A run that has succeeded, with its evaluations."""
    return make_run(snapshot, mia, base=base)
