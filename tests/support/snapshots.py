"""Dataset versions for tests, created through the real action and the real job."""

from __future__ import annotations

from typing import Any

from datasets_app.datasets.models import Dataset
from datasets_app.snapshots import actions
from datasets_app.snapshots.models import Snapshot
from registry.ground.access.models import User
from tests.support.jobs import run_ok


def freeze(dataset: Dataset, user: User, **options: Any) -> Snapshot:
    """A version of the currently labeled items. user: engineer or lead. options: seed, shares, note as in
    snapshots.actions.freeze.
    """
    job = actions.freeze(dataset=dataset, actor=user, **options)
    run_ok("default")
    return Snapshot.objects.get(uuid=job.args["snapshot"])
