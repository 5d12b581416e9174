"""Shared fixtures of run tests. They depend only on the project and its users, so they are cached
(tests/support/kept.py).
"""

from __future__ import annotations

import pytest

from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.training.models import BaseModel, Run
from tests.support.training import make_base, make_run, make_snapshot


@pytest.fixture
def snapshot(project, mia) -> Snapshot:
    """A dataset version of single-label texts."""
    return make_snapshot(project, mia)


@pytest.fixture
def base(snapshot, mia) -> BaseModel:
    """An imported encoder."""
    return make_base(snapshot.dataset.project, mia)


@pytest.fixture
def waiting(snapshot, base, mia) -> Run:
    """A queued run."""
    return make_run(snapshot, mia, succeeded=False, base=base)


@pytest.fixture
def finished(snapshot, base, mia) -> Run:
    """A succeeded run without evaluations."""
    return make_run(snapshot, mia, base=base, splits=())


@pytest.fixture
def measured(snapshot, base, mia) -> Run:
    """A succeeded run with its evaluations."""
    return make_run(snapshot, mia, base=base)
