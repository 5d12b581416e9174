"""Altered bytes put a version out of service; bytes or keys that are merely missing wait for a restore."""

from pathlib import Path

import pytest
from django.core.files.storage import storages

from lifecycle.runtime.refusals import Damaged
from registry.catalog import actions
from registry.catalog.models import ModelVersion
from registry.ground.artifacts.actions import key
from registry.ground.ledger import keys
from registry.ground.ledger.models import Event
from tests.support.jobs import run_jobs
from tests.support.registry import make_version
from tests.support.unchanged import refused


@pytest.fixture
def version(project, mia, ana) -> ModelVersion:
    return make_version(project, mia, ana)


def stored(version: ModelVersion) -> Path:
    return Path(storages["blobs"].path(key(version.folder.files[0]["sha256"])))


def test_altered_bytes_quarantine_the_version(version):
    path = stored(version)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + b"x")

    with pytest.raises(Damaged):
        actions.verify(version)

    assert ModelVersion.objects.get().state == "quarantined"


def test_missing_bytes_are_refused_and_the_version_stays_active(version):
    stored(version).unlink()

    with refused(naming=(version.folder.files[0]["sha256"][:12],)):
        actions.verify(version)

    assert ModelVersion.objects.get().state == "active"


def test_another_key_is_refused_and_the_version_stays_active(version):
    for path in (keys.private_key_path(), keys.public_key_path()):
        path.unlink()

    with refused(naming=(str(version), version.key_fingerprint[:12])):
        actions.verify(version)

    assert ModelVersion.objects.get().state == "active"


def test_altered_bytes_that_an_export_finds_quarantine_the_version_and_nothing_is_handed_out(version, mia):
    path = stored(version)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + b"x")

    actions.ask_export(version=version, actor=mia)
    [job] = run_jobs("default")

    assert (job.state, ModelVersion.objects.get().state) == ("failed", "quarantined")
    with refused(naming=(str(version), ModelVersion.objects.get().state_reason)):
        actions.download(version=version, actor=mia)
    assert not Event.objects.filter(verb="catalog.exported").exists()
