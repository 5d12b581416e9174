"""Scans for tests, through the real actions and the real jobs."""

from __future__ import annotations

from datasets_app.datasets.models import Dataset
from datasets_app.scanning import actions
from datasets_app.scanning.models import Scan
from registry.ground.access.models import User
from tests.support.jobs import run_ok


def scan(dataset: Dataset, user: User, kind: str = "near_duplicates") -> Scan:
    """A finished scan. user: may scan (adjudicator, lead)."""
    job = actions.scan(dataset=dataset, kind=kind, actor=user)
    run_ok("scans")
    return Scan.objects.get(uuid=job.args["scan"])
