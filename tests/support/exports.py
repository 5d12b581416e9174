"""Exports of dataset versions for tests, made through the real action and the real job."""

from __future__ import annotations

from datasets_app.snapshots import actions
from datasets_app.snapshots.models import Export, Snapshot
from registry.ground.access.models import User
from registry.ground.artifacts import actions as artifacts
from tests.support.jobs import run_ok


def exported(snapshot: Snapshot, actor: User, kind: str) -> tuple[Export, bytes]:
    """An export of a version in a format, and its file."""
    actions.export(snapshot_id=snapshot.uuid, actor=actor, format=kind)
    run_ok("default")
    made = Export.objects.latest("id")
    with artifacts.open_blob(made.blob.digest) as file:
        return made, file.read()
